"""A budget says how long a training lasts, and the standard ones are the profile's sizes."""

import dataclasses

import pytest

from utils import settings
from utils.rank.setting import LIST_SIZE, Budget

PROFILE = settings.profile("laptop")


def test_steps_and_their_lists_follow_from_the_pairs():
    budget = Budget(n_pairs=330, batch_size=32, n_evaluations=3, learning_rate=1e-4)
    assert (budget.n_steps, budget.lists_per_step) == (10, 32 // LIST_SIZE)
    assert dataclasses.replace(budget, n_pairs=31).n_steps == 1


def test_a_step_of_less_than_a_list_and_numbers_that_train_nothing_are_refused():
    good = Budget(n_pairs=64, batch_size=8, n_evaluations=1, learning_rate=1e-4)
    with pytest.raises(ValueError, match="batch_size is 7; a list alone has up to 8 pairs"):
        dataclasses.replace(good, batch_size=7)
    for name in ("n_pairs", "n_evaluations", "learning_rate"):
        with pytest.raises(ValueError, match=f"{name} is 0; give a number above 0"):
            dataclasses.replace(good, **{name: 0})


def test_students_take_steps_twice_as_large_as_their_teachers():
    of_teacher = (Budget.of_teacher(PROFILE, n_labelled=PROFILE.n_train_pairs), Budget.of_recovery(PROFILE))
    of_students = (Budget.of_distillation(PROFILE), Budget.of_labels(PROFILE), Budget.of_rounding(PROFILE))
    assert {budget.batch_size for budget in of_teacher} == {PROFILE.batch_size}
    assert {budget.batch_size for budget in of_students} == {2 * PROFILE.batch_size}
    sizes = [budget.n_pairs for budget in (*of_teacher, *of_students)]
    of_profile = [PROFILE.n_train_pairs, PROFILE.n_recovery_pairs, PROFILE.n_distil_pairs, PROFILE.n_label_pairs]
    assert sizes == [*of_profile, PROFILE.n_recovery_pairs]


def test_what_a_recipe_leaves_open_is_the_profiles_and_what_it_says_is_not():
    assert Budget.of_distillation(PROFILE, n_pairs=None) == Budget.of_distillation(PROFILE)
    said = Budget.of_labels(PROFILE, n_pairs=640, learning_rate=3e-4)
    assert (said.n_pairs, said.learning_rate) == (640, 3e-4)
