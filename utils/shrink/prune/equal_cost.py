"""What heads, neurons or layers alone would have to give up for the same saving of work.

The work is counted by `cost.macs_by_hand`. Which parts go is not decided here: that is for an importance, in `pruning`,
or a measurement, in `depth`.
"""

from __future__ import annotations

import copy

from transformers import PretrainedConfig

from utils.measure import cost

KINDS = ("heads", "neurons", "layers")


def n_kept(config: PretrainedConfig, *, share: float, n_tokens: int) -> dict[str, int]:
    """How many heads or neurons of every layer, or how many layers, stay so that about `share` of the MACs does.

    Each kind pays alone, and gives up one part at least, as long as it has two. Heads hold a small part of the work, so
    they may come no nearer than with a single one left.

    Args:
        share: of the MACs of one pair of `n_tokens` tokens, above 0 and below 1.

    Raises:
        ValueError: another share, or a configuration whose heads were cut before.
    """
    if not 0 < share < 1:
        raise ValueError(f"share is {share}; give the share of the MACs that stays, above 0 and below 1")
    if config.pruned_heads:
        raise ValueError("heads were cut before; compare what each kind could save on a model that has all of them")
    most = (config.num_attention_heads, config.intermediate_size, config.num_hidden_layers)
    aim = share * _macs(config, n_tokens=n_tokens)
    found = {}
    for kind, n_now in zip(KINDS, most, strict=True):
        off = {n: abs(_macs(_with(config, kind, n), n_tokens=n_tokens) - aim) for n in range(1, max(2, n_now))}
        found[kind] = min(off, key=off.get)
    return found


def _macs(config: PretrainedConfig, *, n_tokens: int) -> int:
    return sum(cost.macs_by_hand(config, n_tokens=n_tokens).values())


def _with(config: PretrainedConfig, kind: str, n: int) -> PretrainedConfig:
    """The configuration of a model that keeps `n` parts of one kind."""
    gone = {layer: list(range(n, config.num_attention_heads)) for layer in range(config.num_hidden_layers)}
    changes = {
        "heads": {"pruned_heads": gone},
        "neurons": {"intermediate_size": n},
        "layers": {"num_hidden_layers": n},
    }
    changed = copy.copy(config)
    changed.update(changes[kind])
    return changed
