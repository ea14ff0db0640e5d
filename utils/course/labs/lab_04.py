"""The tasks of lab 04: what margins say, labels and scores in one loss, and a step in which a student copies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from utils.course.labs.checks import Case, Task, plain_numbers

RATE = 0.1  # of the optimizer in the cases of a step


def margin_mse(student: Tensor, teacher: Tensor) -> Tensor:
    """The mean squared difference of the margins of every two products of a list: ().

    Args:
        student, teacher: (n_products,), two at least.

    Source: Hofstätter et al., "Improving Efficient Neural Ranking Models with Cross-Architecture Knowledge
    Distillation", 2020, https://arxiv.org/abs/2010.02666
    """
    off = student - teacher
    first, second = torch.triu_indices(len(off), len(off), offset=1)
    return (off[first] - off[second]).square().mean()


def mixture(student: Tensor, teacher: Tensor, gains: Tensor, label_weight: float) -> Tensor:
    """label_weight × the listwise loss of the gains + the rest × that of the teacher's shares: ().

    Args:
        student, teacher, gains: (n_products,).
    """
    return _mixture(student, teacher, gains, label_weight)


def distillation_step(
    student: nn.Module, teacher: nn.Module, features: Tensor, optimizer: torch.optim.Optimizer, loss: Callable
) -> float:
    """One step in which the student copies the teacher's scores of a batch of lists: the mean loss before the step.

    The teacher answers as it does when it ranks, without dropout, and nothing about its weights changes.

    Args:
        features: (n_lists, n_products, n_features).
        loss: of the student's and the teacher's scores of one list.
    """
    return _step(student, teacher, features, optimizer, loss)


def _shares(gains: Tensor) -> Tensor:
    above = gains - gains.min()
    return above / above.sum().clamp(min=1e-9)


def _softmax(scores: Tensor) -> Tensor:
    return torch.softmax(scores, dim=0)


def _mixture(
    student: Tensor,
    teacher: Tensor,
    gains: Tensor,
    label_weight: float,
    *,
    score_weight: float | None = None,
    of_teacher: Callable[[Tensor], Tensor] = _softmax,
    of_gains: Callable[[Tensor], Tensor] = _shares,
) -> Tensor:
    logarithms = torch.log_softmax(student, dim=0)
    of_labels = -(of_gains(gains) * logarithms).sum()
    of_scores = -(of_teacher(teacher) * logarithms).sum()
    return label_weight * of_labels + (1 - label_weight if score_weight is None else score_weight) * of_scores


def _whole_gains(gains: Tensor) -> Tensor:
    return gains / gains.sum().clamp(min=1e-9)


def _turned_weights(student: Tensor, teacher: Tensor, gains: Tensor, label_weight: float) -> Tensor:
    return _mixture(student, teacher, gains, 1 - label_weight)


def _mixed_targets(student: Tensor, teacher: Tensor, gains: Tensor, label_weight: float) -> Tensor:
    mixed = label_weight * gains + (1 - label_weight) * teacher
    return -(torch.softmax(mixed, dim=0) * torch.log_softmax(student, dim=0)).sum()


def _of_logits(student: Tensor, teacher: Tensor) -> Tensor:
    return (student - teacher).square().mean()


def _of_neighbours(student: Tensor, teacher: Tensor) -> Tensor:
    return (student.diff() - teacher.diff()).square().mean()


def _with_itself(student: Tensor, teacher: Tensor) -> Tensor:
    off = student - teacher
    return (off[:, None] - off[None, :]).square().mean()


def _of_sizes(student: Tensor, teacher: Tensor) -> Tensor:
    first, second = torch.triu_indices(len(student), len(student), offset=1)
    margins = [(one[first] - one[second]).abs() for one in (student, teacher)]
    return (margins[0] - margins[1]).square().mean()


def _step(
    student: nn.Module,
    teacher: nn.Module,
    features: Tensor,
    optimizer: torch.optim.Optimizer,
    loss: Callable,
    *,
    teacher_mode: bool = False,
    moves_teacher: bool = False,
    is_turned: bool = False,
    forgets_gradients: bool = True,
    moves_student: bool = True,
    is_sum: bool = False,
    is_after: bool = False,
) -> float:
    student.train()
    teacher.train(teacher_mode)
    if forgets_gradients:
        optimizer.zero_grad()
    with torch.set_grad_enabled(moves_teacher):
        wanted = teacher(features)[..., 0]
    value = _mean_loss(student, features, wanted, loss, is_turned=is_turned)
    value = value * len(wanted) if is_sum else value
    value.backward()
    if moves_student:
        optimizer.step()
    return float((_mean_loss(student, features, wanted, loss, is_turned=is_turned) if is_after else value).detach())


def _mean_loss(student: nn.Module, features: Tensor, wanted: Tensor, loss: Callable, *, is_turned: bool) -> Tensor:
    lists = zip(student(features)[..., 0], wanted, strict=True)
    return torch.stack([loss(right, left) if is_turned else loss(left, right) for left, right in lists]).mean()


def _after_two_steps(step: Callable, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Dropout draws the same in every call; a teacher without gradients shows none."""
    torch.manual_seed(0)
    losses = plain_numbers([step(**arguments) for _ in range(2)])
    weights = torch.cat([weight.detach().flatten() for weight in arguments["student"].parameters()])
    is_moved = any(weight.grad is not None and weight.grad.any() for weight in arguments["teacher"].parameters())
    return {
        "the losses of two steps": losses,
        "a gradient at the teacher's weights": bool(is_moved),
        "weights": weights,
    }


def _loss_and_gradient(loss: Callable, arguments: Mapping[str, Any]) -> dict[str, Any]:
    student = arguments["student"].clone().requires_grad_()
    given = loss(**{**arguments, "student": student})
    if not getattr(given, "requires_grad", False):
        raise ValueError("no gradient flows from what came back to the student's scores")
    return {"the loss": given, "its gradient": torch.autograd.grad(given.sum(), student)[0]}


def _margin_cases(seed: int) -> list[Case]:
    generator = torch.Generator().manual_seed(seed)
    s, t = torch.randn(2, 7, generator=generator)
    return [
        Case("three products", {"student": torch.tensor([2.0, 0.0, 1.0]), "teacher": torch.tensor([3.0, 0.0, 1.0])}),
        Case("off by a constant", {"student": torch.tensor([1.0, 2.0]), "teacher": torch.tensor([11.0, 12.0])}),
        Case("the wrong way round", {"student": torch.tensor([1.0, -1.0]), "teacher": torch.tensor([-1.0, 1.0])}),
        Case("seven products", {"student": s, "teacher": t}),
    ]


def _mixture_cases(seed: int) -> list[Case]:
    generator = torch.Generator().manual_seed(seed)
    s, t = torch.randn(2, 6, generator=generator)
    drawn = {"student": s, "teacher": 3 * t, "gains": torch.tensor([3.0, 0, 1, 0, 2, 0])}
    three = {"student": torch.tensor([2.0, -1.0, 0.5]), "teacher": torch.tensor([1.0, 0.0, -1.0])}
    three |= {"gains": torch.tensor([3.0, 1.0, 0.0])}
    return [
        Case("mostly scores", three | {"label_weight": 0.3}),
        Case("labels alone", three | {"label_weight": 1.0}),
        Case("scores alone", three | {"label_weight": 0.0}),
        Case("labels that are all alike", three | {"gains": torch.ones(3), "label_weight": 0.3}),
        Case("six products", drawn | {"label_weight": 0.7}),
    ]


def _step_cases(seed: int) -> list[Case]:
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(4, 5, 3, generator=generator)
    return [
        Case("one list", _step_arguments(seed, features[:1])),
        Case("four lists, and a teacher with dropout", _step_arguments(seed + 1, features)),
    ]


def _step_arguments(seed: int, features: Tensor) -> dict[str, Any]:
    torch.manual_seed(seed)
    teacher = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, 1)).train()
    student = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(student.parameters(), lr=RATE)
    return {"student": student, "teacher": teacher, "features": features, "optimizer": optimizer, "loss": _of_scores}


def _of_scores(student: Tensor, teacher: Tensor) -> Tensor:
    """A loss that is not the same when its arguments change places."""
    return -(torch.softmax(teacher, dim=0) * torch.log_softmax(student, dim=0)).sum()


TASKS = {
    "margin_mse": Task(
        right=margin_mse,
        cases=_margin_cases,
        outcome=_loss_and_gradient,
        misconceptions={
            "scores are compared, and not margins": _of_logits,
            "only neighbours are compared, and not every two": _of_neighbours,
            "every product is also compared with itself": _with_itself,
            "margins are compared without their sign": _of_sizes,
        },
    ),
    "mixture": Task(
        right=mixture,
        cases=_mixture_cases,
        outcome=_loss_and_gradient,
        misconceptions={
            "labels and scores have each other's weight": _turned_weights,
            "both parts count whole": lambda student, teacher, gains, label_weight: _mixture(
                student, teacher, gains, 1.0, score_weight=1.0
            ),
            "labels and scores are mixed before the softmax": _mixed_targets,
            "the teacher's scores are shares without a softmax": partial(_mixture, of_teacher=lambda scores: scores),
            "the lowest gain of the list is left in": partial(_mixture, of_gains=_whole_gains),
            "the gains go through a softmax": partial(_mixture, of_gains=_softmax),
            "the mean over the products is taken, and not their sum": lambda student, teacher, gains, label_weight: (
                _mixture(student, teacher, gains, label_weight) / len(student)
            ),
        },
    ),
    "distillation_step": Task(
        right=distillation_step,
        cases=_step_cases,
        outcome=_after_two_steps,
        changes=("student", "teacher", "optimizer"),
        misconceptions={
            "the teacher answers as if it were in training, with dropout": partial(_step, teacher_mode=True),
            "the teacher answers as if it were in training, and gradients reach it as well": partial(
                _step, teacher_mode=True, moves_teacher=True
            ),
            "the student never moves": partial(_step, moves_student=False),
            "the lists' losses are added up, and not averaged": partial(_step, is_sum=True),
            "the loss is computed again after the step": partial(_step, is_after=True),
            "gradients are left at the teacher's weights": partial(_step, moves_teacher=True),
            "student and teacher have changed places in the loss": partial(_step, is_turned=True, moves_teacher=False),
            "the gradients of the step before are still there": partial(_step, forgets_gradients=False),
        },
    ),
}
