"""The losses of distillation, each against a sum worked by hand, and against what it must not notice."""

import numpy as np
import pytest
import torch

from utils.shrink.distil import distil_losses
from utils.shrink.distil.distil_losses import LOSSES

FILLING = -torch.inf
STUDENT = torch.tensor([[2.0, 0.0, 1.0], [3.0, 1.0, FILLING]])
TEACHER = torch.tensor([[3.0, 1.0, -1.0], [0.0, 2.0, FILLING]])


def softmax(values):
    shares = np.exp(values)
    return shares / shares.sum()


def test_logit_mse_is_the_mean_of_the_five_squares():
    assert distil_losses.logit_mse(STUDENT, TEACHER).item() == pytest.approx((1 + 1 + 4 + 9 + 1) / 5)


def test_margin_mse_is_the_mean_over_the_four_pairs_of_products():
    by_hand = ((2 - 2) ** 2 + (1 - 4) ** 2 + (-1 - 2) ** 2 + (2 + 2) ** 2) / 4
    assert distil_losses.margin_mse(STUDENT, TEACHER).item() == pytest.approx(by_hand)


def test_rank_net_asks_for_the_teachers_order_of_every_pair():
    margins = [
        2.0,
        1.0,
        -1.0,
        -2.0,
    ]  # of the student, where the teacher prefers the first: 0 to 1, 0 to 2, 1 to 2; 1 to 0
    by_hand = np.mean([np.log(1 + np.exp(-margin)) for margin in margins])
    assert distil_losses.rank_net(STUDENT, TEACHER).item() == pytest.approx(by_hand, rel=1e-6)


def test_list_net_is_the_cross_entropy_of_two_softmaxes():
    lists = [([2, 0, 1], [3, 1, -1]), ([3, 1], [0, 2])]
    by_hand = np.mean([-(softmax(t) * np.log(softmax(s))).sum() for s, t in lists])
    assert distil_losses.list_net(STUDENT, TEACHER).item() == pytest.approx(by_hand, rel=1e-6)


def test_kl_over_list_at_temperature_two_is_four_times_the_divergence_of_the_softer_shares():
    by_hand = 0.0
    for s, t in [([2, 0, 1], [3, 1, -1]), ([3, 1], [0, 2])]:
        s, t = softmax(np.array(s) / 2), softmax(np.array(t) / 2)
        by_hand += 4 * (t * np.log(t / s)).sum() / 2
    assert distil_losses.kl_over_list(STUDENT, TEACHER, temperature=2.0).item() == pytest.approx(by_hand, rel=1e-5)


def gradient(loss, student, teacher):
    student = student.clone().requires_grad_()
    loss(student, teacher).backward()
    return student.grad


def test_list_net_and_kl_at_temperature_one_have_the_same_gradient_and_another_at_two():
    list_net = gradient(distil_losses.list_net, STUDENT, TEACHER)
    at = {t: lambda s, y, t=t: distil_losses.kl_over_list(s, y, temperature=t) for t in (1.0, 2.0)}
    torch.testing.assert_close(gradient(at[1.0], STUDENT, TEACHER), list_net)
    assert not torch.allclose(gradient(at[2.0], STUDENT, TEACHER), list_net)


@pytest.mark.parametrize("name", LOSSES)
def test_loss_of_a_short_list_is_that_of_the_list_without_filling(name):
    filled = LOSSES[name](STUDENT[1:], TEACHER[1:])
    torch.testing.assert_close(filled, LOSSES[name](STUDENT[1:, :2], TEACHER[1:, :2]))
    slope = gradient(LOSSES[name], STUDENT, TEACHER)
    assert slope[1, 2] == 0 and torch.isfinite(slope).all() and (slope[:, :2] != 0).all()


@pytest.mark.parametrize("name", LOSSES)
def test_loss_falls_when_the_student_steps_down_its_gradient_and_the_teacher_himself_is_better(name):
    before, slope = LOSSES[name](STUDENT, TEACHER), gradient(LOSSES[name], STUDENT, TEACHER)
    assert LOSSES[name](STUDENT - 0.1 * slope, TEACHER) < before
    assert LOSSES[name](TEACHER, TEACHER) < before


@pytest.mark.parametrize(("name", "noticed"), [(n, n == "logit_mse") for n in LOSSES])
def test_only_the_mse_of_logits_notices_that_all_scores_of_a_list_moved(name, noticed):
    moved = STUDENT + torch.tensor([[5.0], [-2.0]])
    assert torch.allclose(LOSSES[name](moved, TEACHER), LOSSES[name](STUDENT, TEACHER), atol=1e-5) != noticed


@pytest.mark.parametrize("name", LOSSES)
def test_lists_of_one_product_teach_no_order_and_give_a_number(name):
    one = torch.tensor([[1.5]])
    assert LOSSES[name](one, one).item() == 0.0


def test_unknown_loss_and_a_temperature_of_zero_are_refused():
    with pytest.raises(ValueError, match="'mse' is not one of logit_mse, margin_mse"):
        distil_losses.loss_named("mse")
    with pytest.raises(ValueError, match=r"temperature is 0\.0"):
        distil_losses.kl_over_list(STUDENT, TEACHER, temperature=0.0)


MASK = torch.tensor([[1, 1, 0]])


def test_hidden_mse_counts_real_tokens_alone():
    student, teacher = torch.zeros(1, 3, 2), torch.tensor([[[1.0, 2.0], [0.0, 3.0], [9.0, 9.0]]])
    assert distil_losses.hidden_mse(student, teacher, MASK).item() == pytest.approx((1 + 4 + 0 + 9) / 4)
    with pytest.raises(ValueError, match="use relation_kl"):
        distil_losses.hidden_mse(torch.zeros(1, 3, 4), teacher, MASK)


def test_relation_kl_by_hand_for_two_tokens_and_one_head():
    student = torch.tensor([[[1.0, 0.0], [0.0, 1.0], [7.0, 7.0]]])
    teacher = torch.tensor([[[1.0, 1.0], [2.0, 0.0], [5.0, 5.0]]])
    by_hand = 0.0
    for s, t in [([1, 0], [2, 2]), ([0, 1], [2, 4])]:  # products of each token with both
        s, t = softmax(np.array(s) / np.sqrt(2)), softmax(np.array(t) / np.sqrt(2))
        by_hand += (t * np.log(t / s)).sum() / 2
    found = distil_losses.relation_kl(student, teacher, MASK, n_relation_heads=1)
    assert found.item() == pytest.approx(by_hand, rel=1e-5)


def test_relations_of_another_width_can_be_compared_and_a_turned_space_is_the_same():
    generator = torch.Generator().manual_seed(0)
    vectors, other = (torch.randn(2, 5, width, generator=generator) for width in (8, 6))
    mask, turn = torch.ones(2, 5, dtype=torch.long), torch.linalg.qr(torch.randn(8, 8, generator=generator))[0]
    assert distil_losses.relation_kl(other, vectors, mask, n_relation_heads=2) > 0.01
    assert distil_losses.relation_kl(vectors @ turn, vectors, mask, n_relation_heads=1).item() == pytest.approx(
        0, abs=1e-5
    )
    with pytest.raises(ValueError, match="cannot be cut into 4 relation heads"):
        distil_losses.relation_kl(other, vectors, mask, n_relation_heads=4)
