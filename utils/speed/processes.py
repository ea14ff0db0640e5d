"""One process of several threads against several processes of one thread: pairs a second of all of them together.

Each worker is a fresh process that opens the ranker and warms it up; when all are ready they start together. A worker
that dies or hangs ends the measurement with an error, for every wait has a deadline.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from utils.measure.variant import Variant
from utils.rank import runtimes
from utils.rank.ranker import Pair, Ranker

START_DEADLINE_S = 240  # of a worker until it is warm: imports, opening, one round of all queries
END_DEADLINE_S = 120  # after the time of measuring, for the call that is under way
READY, DONE, GO = "ready ", "done ", "go\n"


@dataclass(frozen=True)
class Way:
    """So many processes of so many threads each."""

    n_processes: int
    threads: int

    def __str__(self) -> str:
        processes = "process" if self.n_processes == 1 else "processes"
        return f"{self.n_processes} {processes} × {self.threads} thread{'' if self.threads == 1 else 's'}"


def pairs_per_s(
    variant: Variant,
    run_folder: Path,
    *,
    n_processes: int,
    threads: int,
    pairs: Sequence[Pair],
    max_tokens: int,
    batch_size: int,
    seconds: float,
) -> float:
    """Pairs a second of `n_processes` workers together, each a process with a ranker of its own on `threads` threads.

    A worker scores the queries of `pairs` over and over, one a call, until `seconds` have passed, and tells its rate;
    the rates are added. The last call of a worker may go on when another one has ended, so let `seconds` be many calls.

    Args:
        pairs: those of a query stand one after the other.

    Raises:
        ValueError: no process, no pairs, or no time to measure.
        RuntimeError: a worker failed, in its last line's words, or was not ready or done in time.
    """
    if n_processes < 1 or not pairs or not seconds > 0:
        raise ValueError(f"pairs_per_s: {n_processes} processes, {len(pairs)} pairs, {seconds} s; give some of each")
    task = {
        "run_folder": str(run_folder),
        "variant": vars(variant),
        "engines": runtimes.MODULES,  # those that were registered are not known to a fresh process
        "threads": threads,
        "max_tokens": max_tokens,
        "batch_size": batch_size,
        "seconds": seconds,
        "pairs": list(pairs),
    }
    return sum(_run(json.dumps(task), n_processes=n_processes, seconds=seconds))


def rates_by_turns(
    variant: Variant,
    run_folder: Path,
    *,
    ways: Sequence[Way],
    turns: int,
    pairs: Sequence[Pair],
    max_tokens: int,
    batch_size: int,
    seconds: float,
) -> dict[Way, tuple[float, ...]]:
    """Pairs a second of each way in every turn; who goes first rotates. Two are compared by `timing.rate_ratio`.

    Raises:
        ValueError, RuntimeError: as `pairs_per_s`; ValueError also when there are no ways or no turns.
    """
    if not ways or turns < 1:
        raise ValueError(f"rates_by_turns: {len(ways)} ways, {turns} turns; give at least one of each")
    rates: dict[Way, list[float]] = {way: [] for way in ways}
    limits = {"max_tokens": max_tokens, "batch_size": batch_size, "seconds": seconds}
    for turn in range(turns):
        first = turn % len(ways)
        for way in [*ways[first:], *ways[:first]]:
            rates[way].append(pairs_per_s(variant, run_folder, **vars(way), pairs=pairs, **limits))
    return {way: tuple(samples) for way, samples in rates.items()}


def _run(task: str, *, n_processes: int, seconds: float) -> list[float]:
    """The rate of each worker. The first error ends all workers, and is the one that is raised."""
    start, errors, workers = threading.Barrier(n_processes), [], []

    def follow(worker: _Worker) -> float:
        try:
            return worker.follow(task, seconds=seconds)
        except Exception as error:
            errors.append(error)
            start.abort()  # whoever waits for this worker waits no more
            for other in workers:
                other.process.kill()
            raise

    with ThreadPoolExecutor(max_workers=n_processes) as pool:
        try:
            workers += (_Worker(start) for _ in range(n_processes))
            return list(pool.map(follow, workers))
        except Exception as error:
            raise (errors or [error])[0] from None
        finally:
            for worker in workers:
                worker.end()


class _Worker:
    """A process that scores, and the conversation with it."""

    def __init__(self, start: threading.Barrier) -> None:
        self.start, self.is_late = start, False
        self.messages = tempfile.TemporaryFile("w+")  # noqa: SIM115, `end` closes it
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": self.messages, "text": True}
        self.process = subprocess.Popen(command(), **pipes)

    def follow(self, task: str, *, seconds: float) -> float:
        """Its pairs a second: it is given the task, waits with the others when it is warm, and goes with them."""
        self._ask(task + "\n", awaited=READY, deadline_s=START_DEADLINE_S)
        self.start.wait(timeout=START_DEADLINE_S)
        return float(self._ask(GO, awaited=DONE, deadline_s=seconds + END_DEADLINE_S))

    def _ask(self, text: str, *, awaited: str, deadline_s: float) -> str:
        """What stands behind the word awaited; libraries may print other lines before it."""
        timer = threading.Timer(deadline_s, self._stop)
        timer.start()
        try:
            with suppress(BrokenPipeError):  # it died before it was asked
                self.process.stdin.write(text)
                self.process.stdin.flush()
            for line in self.process.stdout:
                if line.startswith(awaited):
                    return line.removeprefix(awaited).strip()
        finally:
            timer.cancel()
        raise RuntimeError(self._reason(awaited=awaited, deadline_s=deadline_s))

    def _stop(self) -> None:
        self.is_late = True
        self.process.kill()

    def _reason(self, *, awaited: str, deadline_s: float) -> str:
        self.process.wait()
        if self.is_late:
            return f"a worker was not {awaited.strip()} within {deadline_s:g} s; give fewer processes or pairs"
        self.messages.seek(0)
        last = (self.messages.read().strip().splitlines() or ["no message"])[-1]
        return f"a worker ended with status {self.process.returncode}: {last}"

    def end(self) -> None:
        """No process and no file is left."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.messages):
            with suppress(BrokenPipeError):  # what was written for a process that had died
                pipe.close()


def command() -> list[str]:
    """What starts a worker."""
    return [sys.executable, "-m", "utils.speed.processes"]


def work(
    ranker: Ranker, *, queries: Sequence[Sequence[Pair]], seconds: float, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Pairs a second of scoring the queries over and over, one a call, until `seconds` have passed."""
    n_pairs, start = 0, clock()
    for pairs in itertools.cycle(queries):
        ranker.score(pairs)
        n_pairs += len(pairs)
        if (spent := clock() - start) >= seconds:
            return n_pairs / spent


def main() -> None:
    """Do the task on the first line of standard input, as a worker does; print its rate."""
    task: Mapping = json.loads(sys.stdin.readline())
    for name, module in task["engines"].items():
        runtimes.register(name, module)
    pairs = [tuple(pair) for pair in task["pairs"]]
    queries = [list(of_query) for _, of_query in itertools.groupby(pairs, key=lambda pair: pair[0])]
    limits = {"max_tokens": task["max_tokens"], "batch_size": task["batch_size"], "threads": task["threads"]}
    ranker = Variant(**task["variant"]).open(Path(task["run_folder"]), **limits)
    for of_query in queries:
        ranker.score(of_query)
    print(READY, flush=True)
    sys.stdin.readline()
    print(f"{DONE}{work(ranker, queries=queries, seconds=task['seconds'])}", flush=True)


if __name__ == "__main__":
    main()
