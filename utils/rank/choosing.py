"""Choosing how to train by short trainings that are judged on `valid`.

Which learning rate suits, and whether dropout does, depends on how many labels there are and how good they are; so it
is looked at on the data themselves. The training that counts is in `training`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from utils import environment
from utils.rank import metrics, training
from utils.rank.metrics import Quality
from utils.rank.setting import Budget, Setting

SHORTER = 8  # times fewer pairs than the training that is chosen for


def look(
    start: Callable[[], PreTrainedModel],
    budgets: Mapping[str, Budget],
    *,
    tokenizer: PreTrainedTokenizerBase,
    setting: Setting,
) -> dict[str, Quality]:
    """Quality on `valid` after a short training with each of the budgets, by their names.

    Args:
        start: gives a model to train, the same at every call.
    """
    found = {}
    for name, budget in budgets.items():
        environment.seed_everything(setting.seed)
        model = start()
        training.fine_tune(model, tokenizer=tokenizer, setting=setting, budget=shortened(budget))
        found[name] = training.evaluate_on_valid(model, tokenizer=tokenizer, setting=setting)
    return found


def shortened(budget: Budget) -> Budget:
    """The budget of a look: SHORTER times fewer pairs, judged at its end."""
    return dataclasses.replace(budget, n_pairs=max(1, budget.n_pairs // SHORTER), n_evaluations=1)


def best(looks: Mapping[str, Quality], *, n_resamples: int) -> str:
    """The name of the best look; the first one's, where the best is not better than it by more than a standard error.

    So the order says what to do where `valid` is too small to tell: put the gentlest first. The standard error is that
    of the difference on the same queries.

    Source: Breiman et al., "Classification and Regression Trees" (the one standard error rule), 1984,
    https://doi.org/10.1201/9781315139470

    Raises:
        ValueError: there are no looks.
    """
    names: Sequence[str] = list(looks)
    if not names:
        raise ValueError("choosing: no looks to choose from; give at least one budget")
    leader = max(names, key=lambda name: looks[name].ndcg10)
    lead = metrics.paired_bootstrap(looks[leader], looks[names[0]], n_resamples=n_resamples)
    return leader if lead.mean > lead.standard_error else names[0]
