"""Checks of the functions that a learner writes in a lab: several inputs, and on failure the likely misconception.

The tasks of a lab are in a module of its own here (`lab_01`, ...). A misconception is a function as well: where a wrong
answer is the one that it gives, on every input, its words are said.
"""

from __future__ import annotations

import copy
import importlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from utils import disk
from utils.course.labs import compare
from utils.measure import ledger

PROGRESS = "progress.json"  # beside a learner's copy of a lab: which tasks are solved
LEADERBOARD = "leaderboard.jsonl"  # beside it too: every figure that an open task was judged by
TOLERANCE = 1e-5
BY_HAND = "Work the example of the text by hand, and compare step by step."


class NotYet(AssertionError):
    """What a function does not do yet; a notebook shows the message alone."""

    def _render_traceback_(self) -> list[str]:
        return [f"Not yet. {self}"]


class NotWritten(NotImplementedError):
    """A function that is as it came; a notebook shows the message alone."""

    def _render_traceback_(self) -> list[str]:
        return [f"{NotImplementedError.__name__}: {self}"]


@dataclass(frozen=True)
class Case:
    """One input of a task.

    Attributes:
        about: what is tried, in a few words.
        arguments: by their names.
    """

    about: str
    arguments: Mapping[str, Any]


def _given(function: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
    return function(**arguments)


def named(*names: str) -> Callable[[Callable[..., Any], Mapping[str, Any]], dict[str, Any]]:
    """An outcome of several parts, each told by its name."""

    def outcome(function: Callable[..., Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
        given = function(**arguments)
        if not isinstance(given, tuple | list) or len(given) != len(names):
            raise ValueError(f"give {len(names)} things: {', '.join(names)}")
        return dict(zip(names, given, strict=True))

    return outcome


def plain_numbers(values: Sequence[Any]) -> list[float]:
    """What a learner's function gave each time, where numbers are to come back and no tensors.

    Raises:
        ValueError: one is no number.
    """
    if strange := [one for one in values if not isinstance(one, int | float)]:
        raise ValueError(f"a {type(strange[0]).__name__} came back; give a Python number")
    return list(values)


@dataclass(frozen=True)
class Task:
    """A function that a learner writes.

    Attributes:
        right: gives what is expected.
        cases: the inputs, awkward ones among them, drawn with a seed.
        misconceptions: wrong ways that learners take, each a function, by the words for what was done: they end the
            sentence "This is what comes out when ..." and do not say what to do.
        outcome: calls a function with arguments and gives what is compared: what it gives, if nothing else is said,
            or what it has made of an argument.
        changes: names of the arguments that the function is to change in place; no other may change.
        tolerance: by how much two numbers may differ, absolutely and in their share.
    """

    right: Callable[..., Any]
    cases: Callable[[int], Sequence[Case]]
    misconceptions: Mapping[str, Callable[..., Any]]
    outcome: Callable[[Callable[..., Any], Mapping[str, Any]], Any] = _given
    changes: Sequence[str] = ()
    tolerance: float = TOLERANCE


def verify(name: str, function: Callable[..., Any], *, seed: int = 0) -> None:
    """Try a learner's function on all cases of a task, such as "lab_01.ndcg"; say that it is solved.

    Solved tasks are remembered where the notebook is a learner's copy (`workbook.start`).

    Args:
        seed: of the drawn inputs.

    Raises:
        NotYet: it is wrong; says on which input, what was expected and what came, and what it may come from.
        NotWritten: it is as it came.
        ValueError: there is no such task.
    """
    task = find(name)
    cases = task.cases(seed)
    expected = [_outcome(task, task.right, case) for case in cases]
    try:
        found = [_try(task, function, case) for case in cases]
    except NotImplementedError:
        raise NotWritten(f"{name} is not written yet") from None
    for case, wanted, got in zip(cases, expected, found, strict=True):
        if words := _difference(got, wanted, task=task):
            likely = _likely(task, cases, expected=expected, found=found)
            hint = "" if isinstance(got, _Failed) and not likely else f" {likely or BY_HAND}"
            raise NotYet(f"{_call(name, case)}: {words}.{hint}")
    _remember(name)
    print(f"{name}: solved, on {len(cases)} inputs")


def judge(name: str, *, yours: float, to_beat: float, what: str, better: Literal["higher", "lower"] = "higher") -> None:
    """Judge an open task, such as "lab_01.more_features", by one figure, and note it in the copy's leaderboard.

    Raises:
        NotYet: it is not better than `to_beat`.
    """
    is_better = yours > to_beat if better == "higher" else yours < to_beat
    _note(name, yours=yours, what=what, is_better=is_better)
    words = f"{what}: yours {compare.shown(yours)}, to beat {compare.shown(to_beat)}"
    if not is_better:
        raise NotYet(words)
    _remember(name)
    print(f"{name}: solved. {words}")


def find(name: str) -> Task:
    """The task of that name.

    Raises:
        ValueError: there is none; names those there are.
    """
    lab, _, task = name.partition(".")
    tasks = tasks_of(lab)
    if task not in tasks:
        raise ValueError(f"'{name}' is no task; {lab} has {', '.join(tasks)}")
    return tasks[task]


def labs() -> list[str]:
    """The names of the labs that there are, in their order."""
    return sorted(path.stem for path in Path(__file__).parent.glob("lab_[0-9][0-9].py"))


def tasks_of(lab: str) -> dict[str, Task]:
    """The tasks of a lab, such as "lab_01", in their order.

    Raises:
        ValueError: there is no such lab.
    """
    if lab not in labs():
        raise ValueError(f"'{lab}' is no lab; there are {', '.join(labs())}")
    return importlib.import_module(f"{__package__}.{lab}").TASKS


def _likely(task: Task, cases: Sequence[Case], *, expected: Sequence[Any], found: Sequence[Any]) -> str:
    """A sentence on the misconception that gives what was found; "" where none does."""
    for words, wrong in task.misconceptions.items():
        if _fits(task, wrong, cases=cases, expected=expected, found=found):
            return f"This is what comes out when {words}."
    return ""


def _fits(
    task: Task,
    wrong: Callable[..., Any],
    *,
    cases: Sequence[Case],
    expected: Sequence[Any],
    found: Sequence[Any],
) -> bool:
    """Whether a wrong way gives what was found on every input that both can take, and is wrong on one of them."""
    is_told = False
    for case, wanted, got in zip(cases, expected, found, strict=True):
        theirs = _try(task, wrong, case)
        if isinstance(theirs, _Failed) or isinstance(got, _Failed):
            continue
        if compare.difference(got, theirs, tolerance=task.tolerance):
            return False
        is_told |= compare.difference(got, wanted, tolerance=task.tolerance) is not None
    return is_told


@dataclass(frozen=True)
class _Failed:
    """Instead of an outcome: what went wrong on an input, in words."""

    words: str


def _difference(found: Any, expected: Any, *, task: Task) -> str | None:
    return found.words if isinstance(found, _Failed) else compare.difference(found, expected, tolerance=task.tolerance)


def _outcome(task: Task, function: Callable[..., Any], case: Case) -> Any:
    return task.outcome(function, copy.deepcopy(dict(case.arguments)))


def _try(task: Task, function: Callable[..., Any], case: Case) -> Any:
    """What the learner's function gives; its errors and changed arguments are told as what they are."""
    arguments = copy.deepcopy(dict(case.arguments))
    try:
        found = task.outcome(function, arguments)
    except NotImplementedError:
        raise
    except Exception as error:
        return _Failed(f"{type(error).__name__}: {error}".rstrip("."))
    for argument, before in case.arguments.items():
        if argument not in task.changes and not _is_same(arguments[argument], before):
            return _Failed(f"the argument `{argument}` is changed; work on a copy")
    return found


def _is_same(now: Any, before: Any) -> bool:
    return not _is_data(before) or compare.difference(now, before, tolerance=0.0) is None


def _is_data(value: Any) -> bool:
    return isinstance(value, int | float | str | tuple | list | dict) or hasattr(value, "shape")


def _call(name: str, case: Case) -> str:
    """The call as it can be repeated; of models, optimizers and functions their words are enough."""
    data = {key: value for key, value in case.arguments.items() if _is_data(value)}
    arguments = ", ".join(f"{key}={compare.shown(value)}" for key, value in data.items())
    more = ", ..." if data and len(data) < len(case.arguments) else ""
    return f"{name.partition('.')[2]}({arguments}{more}), {case.about}"


def _note(name: str, *, yours: float, what: str, is_better: bool) -> None:
    """A line in the leaderboard beside the learner's copy, if this is one."""
    if Path(PROGRESS).exists():
        noted = {"task": name, "figure": what, "value": round(yours, 4), "is_solved": is_better}
        line = json.dumps(noted | {"time_utc": ledger.now()})
        with Path(LEADERBOARD).open("a", encoding="utf-8") as file:
            file.write(line + "\n")


def _remember(name: str) -> None:
    """Note a solved task beside the learner's copy, if this is one."""
    path = Path(PROGRESS)
    if path.exists():
        solved = set(disk.read_object(path).get("solved", [])) | {name}
        disk.write_whole(path, json.dumps({"solved": sorted(solved)}) + "\n")
