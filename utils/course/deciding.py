"""A learner's prediction, written down before the output that judges it, and shown beside it after."""

from __future__ import annotations


def compare(guess: float | str, found: float | str, *, of: str, form: str = ".2f") -> str:
    """A prediction beside what was measured, in a sentence.

    Args:
        guess: what was written down before: a number, or one of several names.
        found: what came out, of the same kind.
        of: what it is, with its unit, such as "NDCG@10 on valid of a random order".
        form: how a number is written.

    Raises:
        TypeError: one is a number and the other is none; says what to write.
    """
    if isinstance(guess, str) != isinstance(found, str):
        kind = "a name" if isinstance(found, str) else "a number"
        raise TypeError(f"the prediction {guess!r} is not {kind}; write {kind} in the cell where it is made")
    if isinstance(found, str):
        verdict = "as predicted" if guess == found else "not as predicted"
        return f"{of}: predicted {guess}, measured {found}: {verdict}"
    return f"{of}: predicted {guess:{form}}, measured {found:{form}}, {_off(guess, found=found, form=form)}"


def _off(guess: float, *, found: float, form: str) -> str:
    off = f"{guess - found:{form}}"
    if float(off.strip("%")) == 0:
        return "as predicted"
    return f"too high by {off}" if guess > found else f"too low by {off.removeprefix('-')}"
