"""Peak memory of scoring, in a process of its own: what a server needs beyond the libraries it imports anyway."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil

from utils.rank.ranker import Pair
from utils.rank.runtimes import open_ranker


def peak_rss_bytes(folder: Path, *, runtime: str, pairs: Sequence[Pair], threads: int, max_tokens: int) -> int:
    """Peak resident bytes of a fresh process that opens the folder and scores, less those of one that only imports.

    Raises:
        RuntimeError: the process failed; the message is the last line it wrote.
    """
    task = {
        "folder": str(folder),
        "runtime": runtime,
        "threads": threads,
        "max_tokens": max_tokens,
        "pairs": list(pairs),
    }
    return _run(task) - _run(None)


def _run(task: dict | None) -> int:
    command = [sys.executable, "-m", "utils.measure.memory"]
    done = subprocess.run(command, input=json.dumps(task), capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise RuntimeError(f"measuring memory failed: {last}")
    return int(done.stdout.strip().splitlines()[-1])


def _peak() -> int:
    """Peak resident bytes of this process; each system keeps the figure elsewhere.

    On Linux getrusage will not do: its peak survives exec, so a child of a large process reports its parent's.
    """
    if sys.platform == "win32":
        return psutil.Process().memory_info().peak_wset
    if sys.platform == "linux":
        status = Path("/proc/self/status").read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> None:
    """Do the task on standard input and print the peak."""
    task = json.load(sys.stdin)
    if task:
        pairs = [tuple(pair) for pair in task.pop("pairs")]
        open_ranker(Path(task.pop("folder")), **task).score(pairs)
    print(_peak())


if __name__ == "__main__":
    main()
