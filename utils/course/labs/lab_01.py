"""The tasks of lab 01: fusing two rankings, NDCG, the listwise loss, and a step of training, each on a few numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from utils.course.labs.checks import Case, Task, plain_numbers

CONSTANT = 60  # of reciprocal-rank fusion
RATE = 0.1  # of the optimizer in the cases of a training step


def fuse(bm25: np.ndarray, cosine: np.ndarray) -> np.ndarray:
    """The sum of 1 / (60 + rank) over both rankings, the best product of each at rank 1.

    Args:
        bm25, cosine: (n_products,), higher is better, without ties.

    Source: Cormack, Clarke, Büttcher, "Reciprocal rank fusion", SIGIR 2009, https://doi.org/10.1145/1571941.1572114
    """
    return _fused(bm25, cosine, ranks=_ranks)


def ndcg(gains: np.ndarray, scores: np.ndarray, depth: int) -> float:
    """NDCG of one query's products at a depth, gains as they are; 0 where no gain is above 0.

    Args:
        gains, scores: (n_products,); scores without ties.
    """
    return _ndcg(gains, scores, depth)


def listwise_loss(scores: Tensor, gains: Tensor) -> Tensor:
    """The cross-entropy between a list's gains, as shares above its lowest, and the softmax of its scores: ().

    Args:
        scores, gains: (n_products,); a list of equal gains has the loss 0.
    """
    above = gains - gains.min()
    return -(above / above.sum().clamp(min=1e-9) * torch.log_softmax(scores, dim=0)).sum()


def training_step(
    model: nn.Module, features: Tensor, gains: Tensor, optimizer: torch.optim.Optimizer, loss: Callable
) -> float:
    """One step on a batch of lists: the mean of their losses before the step; the model and the optimizer change.

    Args:
        features: (n_lists, n_products, n_features); gains: (n_lists, n_products).
        loss: of one list, from its scores and gains.
    """
    return _step(model, features, gains, optimizer, loss)


def _ranks(scores: np.ndarray) -> np.ndarray:
    """Of each product, from 1."""
    return (-scores).argsort().argsort() + 1


def _fused(*rankings: np.ndarray, ranks: Callable, constant: int = CONSTANT) -> np.ndarray:
    return sum(1 / (constant + ranks(scores)) for scores in rankings)


def _ndcg(
    gains: np.ndarray,
    scores: np.ndarray,
    depth: int,
    *,
    first_place: int = 1,
    gain: Callable = np.asarray,
    order: Callable = lambda scores: np.argsort(-scores),
    best_depth: int | None = None,
    is_of_shown: bool = False,
) -> float:
    def dcg(ordered: np.ndarray, depth: int) -> float:
        kept = ordered[:depth]
        return float((kept / np.log2(np.arange(len(kept)) + first_place + 1)).sum())

    worth = gain(gains).astype(float)
    found = worth[order(scores)][:depth] if is_of_shown else worth
    best = dcg(np.sort(found)[::-1], best_depth or depth)
    return dcg(worth[order(scores)], depth) / best if best > 0 else 0.0


def _step(
    model: nn.Module,
    features: Tensor,
    gains: Tensor,
    optimizer: torch.optim.Optimizer,
    loss: Callable,
    *,
    forgets_gradients: bool = True,
    adds_up: bool = False,
    is_one_list: bool = False,
    moves: bool = True,
    tells_after: bool = False,
) -> float:
    def of_batch() -> Tensor:
        scores = model(features)[..., 0]
        if is_one_list:
            return loss(scores.flatten(), gains.flatten())
        losses = torch.stack([loss(*one) for one in zip(scores, gains, strict=True)])
        return losses.sum() if adds_up else losses.mean()

    if forgets_gradients:
        optimizer.zero_grad()
    before = of_batch()
    before.backward()
    if moves:
        optimizer.step()
    return float((of_batch() if tells_after else before).detach())


def _fuse_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    return [
        Case("three products", {"bm25": np.array([7.0, 2.0, 5.0]), "cosine": np.array([0.9, 0.2, 0.6])}),
        Case("one product", {"bm25": np.array([3.0]), "cosine": np.array([-0.1])}),
        Case(
            "a BM25 of very different size", {"bm25": np.array([1e4, 1e-3, 0.0]), "cosine": np.array([0.2, 0.3, 0.1])}
        ),
        Case("twenty products", {"bm25": rng.permutation(20) / 3, "cosine": rng.permutation(20) / 20 - 0.5}),
    ]


def _ndcg_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    few = {"gains": np.array([0.0, 1.0, 3.0]), "scores": np.array([0.1, 0.7, 0.4])}
    none = {"gains": np.zeros(4), "scores": np.array([4.0, 3.0, 2.0, 1.0]), "depth": 10}
    many = {"gains": rng.integers(0, 4, 30).astype(float), "scores": rng.permutation(30) / 7 - 2, "depth": 10}
    return [
        Case("three products, the best of them second", few | {"depth": 10}),
        Case("the same at a depth of 1", few | {"depth": 1}),
        Case("no product is worth anything", none),
        Case("thirty products, some scores below 0", many),
        Case("more good products than places", many | {"gains": np.full(30, 2.0) + (np.arange(30) == 17)}),
    ]


def _loss_cases(seed: int) -> list[Case]:
    generator = torch.Generator().manual_seed(seed)
    drawn = {"scores": torch.randn(8, generator=generator), "gains": torch.tensor([3.0, 0, 1, 0, 2, 0, 0, 1])}
    return [
        Case("three products", {"scores": torch.tensor([2.0, -1.0, 0.5]), "gains": torch.tensor([4.0, 2.0, 1.0])}),
        Case("labels that are all good", {"scores": torch.tensor([0.3, 0.1]), "gains": torch.tensor([2.0, 1.7])}),
        Case("labels that are all alike", {"scores": torch.tensor([1.0, 2.0]), "gains": torch.tensor([2.0, 2.0])}),
        Case("scores far apart", {"scores": torch.tensor([300.0, -300.0]), "gains": torch.tensor([0.0, 1.0])}),
        Case("eight products", drawn),
    ]


def _loss_and_gradient(loss: Callable, arguments: Mapping[str, Any]) -> dict[str, Any]:
    scores = arguments["scores"].clone().requires_grad_()
    given = loss(scores, arguments["gains"])
    if not getattr(given, "requires_grad", False):
        raise ValueError(
            "no gradient flows from what came back to the scores; compute it from `scores` by PyTorch's own "
            "operations, in a list of equal gains too"
        )
    return {"the loss": given, "its gradient": torch.autograd.grad(given.sum(), scores)[0]}


def _plain_loss(scores: Tensor, gains: Tensor) -> Tensor:
    shares = gains / gains.sum().clamp(min=1e-9)
    return -(shares * torch.log_softmax(scores, dim=0)).sum()


def _loss_of_softmaxes(scores: Tensor, gains: Tensor) -> Tensor:
    return -(torch.softmax(gains, dim=0) * torch.log_softmax(scores, dim=0)).sum()


def _unguarded_loss(scores: Tensor, gains: Tensor) -> Tensor:
    above = gains - gains.min()
    return -(above / above.sum() * torch.log_softmax(scores, dim=0)).sum()


def _logarithm_afterwards(scores: Tensor, gains: Tensor) -> Tensor:
    above = gains - gains.min()
    return -(above / above.sum().clamp(min=1e-9) * torch.softmax(scores, dim=0).log()).sum()


def _turned_loss(scores: Tensor, gains: Tensor) -> Tensor:
    above = gains - gains.min()
    shares = above / above.sum().clamp(min=1e-9)
    return -(torch.softmax(scores, dim=0) * shares.clamp(min=1e-9).log()).sum()


def _step_cases(seed: int) -> list[Case]:
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(4, 5, 3, generator=generator)
    gains = torch.randint(0, 4, (4, 5), generator=generator).float()
    gains[:, 0] += 1  # no list of equal gains
    return [
        Case("one list", _step_arguments(seed, features[:1], gains[:1])),
        Case("four lists", _step_arguments(seed + 1, features, gains)),
    ]


def _step_arguments(seed: int, features: Tensor, gains: Tensor) -> dict[str, Any]:
    torch.manual_seed(seed)
    model = nn.Linear(features.shape[-1], 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    return {"model": model, "features": features, "gains": gains, "optimizer": optimizer, "loss": listwise_loss}


def _after_two_steps(step: Callable, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The second one tells whether the gradients of the first are still there."""
    losses = plain_numbers([step(**arguments) for _ in range(2)])
    weights = torch.cat([weight.detach().flatten() for weight in arguments["model"].parameters()])
    return {"the losses of two steps": losses, "the weights after them": weights}


def _wrong_step(**way: bool) -> Callable:
    return lambda model, features, gains, optimizer, loss: _step(model, features, gains, optimizer, loss, **way)


TASKS = {
    "fuse": Task(
        right=fuse,
        cases=_fuse_cases,
        misconceptions={
            "the best product of a ranking has rank 0": lambda bm25, cosine: _fused(
                bm25, cosine, ranks=lambda scores: _ranks(scores) - 1
            ),
            "the worst product of a ranking comes first": lambda bm25, cosine: _fused(-bm25, -cosine, ranks=_ranks),
            "argsort is taken for the ranks: it says which product stands at a place, not where a product stands": (
                lambda bm25, cosine: _fused(bm25, cosine, ranks=lambda scores: (-scores).argsort() + 1)
            ),
            "the scores themselves are added up, so that the larger ones decide alone": lambda bm25, cosine: (
                bm25 + cosine
            ),
        },
    ),
    "ndcg": Task(
        right=ndcg,
        cases=_ndcg_cases,
        misconceptions={
            "the places are counted from 2, so that even the first one is discounted": lambda gains, scores, depth: (
                _ndcg(gains, scores, depth, first_place=2)
            ),
            "the products stay in the order in which they came": lambda gains, scores, depth: _ndcg(
                gains, scores, depth, order=lambda scores: np.arange(len(scores))
            ),
            "the lowest score comes first": lambda gains, scores, depth: _ndcg(gains, scores, depth, order=np.argsort),
            "the gains are made exponential (2^gain - 1) first": lambda gains, scores, depth: _ndcg(
                gains, scores, depth, gain=lambda gains: 2**gains - 1
            ),
            "the best order is made of the products that are shown, and not of all": lambda gains, scores, depth: _ndcg(
                gains, scores, depth, is_of_shown=True
            ),
            "the places are counted from 0, so that the first gain is divided by 0": lambda gains, scores, depth: _ndcg(
                gains, scores, depth, first_place=0
            ),
            "the best possible order is not cut at the depth": lambda gains, scores, depth: _ndcg(
                gains, scores, depth, best_depth=len(gains)
            ),
        },
    ),
    "listwise_loss": Task(
        right=listwise_loss,
        cases=_loss_cases,
        misconceptions={
            "the lowest gain of the list is left in": _plain_loss,
            "the gains go through a softmax as well": _loss_of_softmaxes,
            "the mean over products is taken and not the sum": lambda scores, gains: (
                listwise_loss(scores, gains) / len(scores)
            ),
            "scores and gains have changed places": _turned_loss,
            "the softmax is computed before its logarithm, so that a very small share becomes 0": _logarithm_afterwards,
            "a list of equal gains is divided by 0": _unguarded_loss,
            "the minus is missing": lambda scores, gains: -listwise_loss(scores, gains),
        },
        outcome=_loss_and_gradient,
    ),
    "training_step": Task(
        right=training_step,
        cases=_step_cases,
        misconceptions={
            "the gradients of the step before are still there": _wrong_step(forgets_gradients=False),
            "the losses of the lists are added up and not averaged": _wrong_step(adds_up=True),
            "all products of the batch are taken for one list": _wrong_step(is_one_list=True),
            "the weights were never moved": _wrong_step(moves=False),
            "the loss is computed once more after the step": _wrong_step(tells_after=True),
        },
        outcome=_after_two_steps,
        changes=("model", "optimizer"),
    ),
}
