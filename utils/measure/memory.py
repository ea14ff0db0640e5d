"""Peak memory of scoring, in a process of its own: what a server needs beyond the libraries it imports anyway."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil

from utils.measure.variant import Variant
from utils.rank import runtimes
from utils.rank.ranker import Pair


def peak_rss_bytes(
    run_folder: Path, variant: Variant, *, pairs: Sequence[Pair], max_tokens: int, batch_size: int = 32
) -> int:
    """By how much a fresh process grows, at its peak, when it opens the variant and scores.

    It imports the engine's library before, or the library's size would be charged to the model.

    Raises:
        RuntimeError: the process failed; the message is the last line it wrote.
    """
    task = {
        "run_folder": str(run_folder),
        "variant": vars(variant),
        "engines": runtimes.MODULES,  # those that were registered are not known to a fresh process
        "max_tokens": max_tokens,
        "batch_size": batch_size,
        "pairs": list(pairs),
    }
    imported, scored = _run(task)
    return scored - imported


def _run(task: dict) -> list[int]:
    """The two peaks that the process prints: after its imports, and at its end."""
    command = [sys.executable, "-m", "utils.measure.memory"]
    done = subprocess.run(command, input=json.dumps(task), capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise RuntimeError(f"measuring memory failed: {last}")
    return [int(word) for word in done.stdout.strip().splitlines()[-1].split()]


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
    """Do the task on standard input; print the peak after the imports and that at the end."""
    task = json.load(sys.stdin)
    variant = Variant(**task["variant"])
    for name, module in task["engines"].items():
        runtimes.register(name, module)
    for library in _libraries(variant, run_folder=Path(task["run_folder"])):
        importlib.import_module(library)
    imported, pairs = _peak(), [tuple(pair) for pair in task["pairs"]]
    limits = {"max_tokens": task["max_tokens"], "batch_size": task["batch_size"]}
    variant.open(Path(task["run_folder"]), **limits).score(pairs)
    print(imported, _peak())


def _libraries(variant: Variant, *, run_folder: Path) -> list[str]:
    """What the variant's engine imports, and those of the models that it runs."""
    engine = runtimes.named(variant.runtime)
    parts = engine.parts_of(run_folder / variant.stage)
    return list(dict.fromkeys([engine.library, *(runtimes.named(part.runtime).library for part in parts)]))


if __name__ == "__main__":
    main()
