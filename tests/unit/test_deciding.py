"""A prediction stands beside what came out, in words that say which way it was off."""

import pytest

from utils.course import deciding


@pytest.mark.parametrize(
    ("guess", "found", "form", "said"),
    [
        (0.5, 0.356, ".2f", "predicted 0.50, measured 0.36, too high by 0.14"),
        (0.9, 0.9713, ".1%", "predicted 90.0%, measured 97.1%, too low by 7.1%"),
        (3, 3.001, ".1f", "predicted 3.0, measured 3.0, as predicted"),
        (1, 3, ",.0f", "predicted 1, measured 3, too low by 2"),
    ],
)
def test_a_number_is_too_high_or_too_low(guess, found, form, said):
    assert deciding.compare(guess, found, of="It", form=form) == f"It: {said}"


def test_a_name_is_met_or_not():
    assert deciding.compare("lists", "lists", of="It").endswith("as predicted")
    assert deciding.compare("labels", "lists", of="It").endswith("not as predicted")


@pytest.mark.parametrize(("guess", "found", "kind"), [("half", 0.5, "a number"), (0.5, "lists", "a name")])
def test_a_prediction_of_another_kind_says_what_to_write(guess, found, kind):
    with pytest.raises(TypeError, match=f"write {kind} in the cell"):
        deciding.compare(guess, found, of="It")
