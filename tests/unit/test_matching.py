"""A student pulled towards the inside of its teacher gets nearer to it, and its scores are still learned."""

import copy
from types import SimpleNamespace

import pytest
import torch
from torch.nn import functional

from utils.rank import models
from utils.shrink.distil import students
from utils.shrink.distil.matching import Match, matched

BATCH = {
    "input_ids": torch.tensor([[101, 2417, 102, 2417, 6411, 102], [101, 6411, 102, 3160, 102, 0]]),
    "attention_mask": torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 0]]),
    "token_type_ids": torch.tensor([[0, 0, 0, 1, 1, 1], [0, 0, 0, 1, 1, 0]]),
}


@pytest.fixture(scope="module")
def teacher():
    model, _ = models.build_cross_encoder(models.MINILM, seed=0)
    return models.keep_layers(model, layers=[0, 2, 5]).eval()


def score_loss(outputs, labels):
    return (outputs["logits"][:, 0] - labels).pow(2).mean()


def loss_of(student, match):
    """The whole loss of a batch, and that of the scores alone."""
    labels = torch.tensor([1.0, -1.0])
    with matched(student, match=match, loss=score_loss) as whole:
        outputs = student(**BATCH)
        return whole(outputs, labels), score_loss(outputs, labels)


@pytest.mark.parametrize("kind", ["hidden", "relation"])
def test_a_copy_of_the_teacher_differs_by_nothing_and_a_cut_one_by_something(teacher, kind):
    whole, scores = loss_of(copy.deepcopy(teacher), Match(teacher, layers=(0, 1, 2), kind=kind))
    assert whole.item() == pytest.approx(scores.item(), abs=1e-6)
    cut = students.start_student(teacher, layers=[0, 2])
    whole, scores = loss_of(cut, Match(teacher, layers=(0, 2), kind=kind))
    assert whole.item() > scores.item() + 1e-4


def test_hidden_states_are_compared_layer_by_layer_as_by_hand(teacher):
    cut = students.start_student(teacher, layers=[0, 2])
    whole, scores = loss_of(cut, Match(teacher, layers=(1, 2), weight=3.0))
    mine, its = (m(**BATCH, output_hidden_states=True).hidden_states[1:] for m in (cut, teacher))
    real = BATCH["attention_mask"].bool()
    by_hand = sum(functional.mse_loss(mine[i][real], its[j][real]) for i, j in ((0, 1), (1, 2))) / 2
    assert (whole - scores).item() == pytest.approx(3.0 * by_hand.item(), rel=1e-4)


@pytest.mark.parametrize("kind", ["hidden", "relation"])
def test_steps_down_the_gradient_bring_the_inside_nearer_and_leave_the_teacher_as_it_was(teacher, kind):
    before = copy.deepcopy(teacher.state_dict())
    student = students.from_scratch(teacher.config, seed=0)
    match = Match(teacher, layers=(0, 1, 2), kind=kind)
    optimizer, apart = torch.optim.SGD(student.parameters(), lr=0.05), []
    for _ in range(4):
        whole, scores = loss_of(student, match)
        apart.append((whole - scores).item())
        optimizer.zero_grad()
        (whole - scores).backward()
        optimizer.step()
    assert apart[-1] < apart[0]
    assert all(torch.equal(before[name], tensor) for name, tensor in teacher.state_dict().items())
    assert all(parameter.grad is None for parameter in teacher.parameters())


def test_nothing_watches_the_models_when_the_block_has_ended(teacher):
    student = copy.deepcopy(teacher)
    loss_of(student, Match(teacher, layers=(0, 1, 2)))
    assert not any(m._forward_hooks or m._forward_pre_hooks for one in (student, teacher) for m in one.modules())


def test_models_that_cannot_be_matched_are_refused(teacher):
    student = students.start_student(teacher, layers=[0, 2])
    few = SimpleNamespace(config=SimpleNamespace(num_hidden_layers=3, vocab_size=7))
    refused = {
        "kind 'x' is not one of hidden, relation": Match(teacher, layers=(0, 2), kind="x"),
        "from 0 to 2 for each of the student's 2": Match(teacher, layers=(0, 3)),
        "for each of the student's 2": Match(teacher, layers=(0, 1, 2)),
        "cut the teacher's vocabulary": Match(few, layers=(0, 2)),
    }
    for message, match in refused.items():
        with pytest.raises(ValueError, match=message), matched(student, match=match, loss=score_loss):
            pass
