"""Values of a run that a sentence of the notebook is about, handed on in the output of a cell.

Beside the output stands what was found when the course was published ("On our machine ..."); a reader's own run shows
its own values. Authors fill those sentences (`authoring.boxes`).
"""

from __future__ import annotations

import math
import numbers

VALUES = "application/vnd.rank-for-less.values+json"  # the kind of output that holds them, which no notebook draws


def tell(**values: float | str | bool) -> None:
    """Show values by their names, and keep them in the cell's output for the sentence below it.

    Raises:
        ValueError: one is no number, text or truth value, or is not finite.
    """
    from IPython.display import display

    plain = {name: _plain(name, value) for name, value in values.items()}
    text = ", ".join(
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}" for name, value in plain.items()
    )
    display({VALUES: plain, "text/plain": text}, raw=True)


def _plain(name: str, value: object) -> float | int | str | bool:
    if isinstance(value, bool | str):
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real) and math.isfinite(value):
        return float(value)
    raise ValueError(f"{name} is {value!r}; a sentence needs a finite number, a text, or True or False")
