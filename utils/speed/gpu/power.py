"""Watts of a card while something runs, read from nvidia-smi; None where there is none to ask."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

EVERY_S = 0.1  # between two readings; the driver renews its figure about as often
COMMAND = ("nvidia-smi", "--query-gpu=power.draw", "--format=csv,noheader,nounits", "--id=0")


@dataclass
class Power:
    """Readings in watts, in their order."""

    readings: list[float] = field(default_factory=list)

    @property
    def mean_watts(self) -> float | None:
        """Of the readings; None without any."""
        return sum(self.readings) / len(self.readings) if self.readings else None


def read_watts() -> float | None:
    """What the card draws now; None where nvidia-smi is missing or does not say."""
    if shutil.which(COMMAND[0]) is None:
        return None
    try:
        said = subprocess.run(COMMAND, capture_output=True, text=True, check=True, timeout=10).stdout
        return float(said.splitlines()[0])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return None


@contextmanager
def watched(read: Callable[[], float | None] = read_watts, *, every_s: float = EVERY_S) -> Iterator[Power]:
    """Read again and again, from a thread of its own, until the block ends; the first failed reading is the last."""
    found, ended = Power(), threading.Event()

    def watch() -> None:
        while (watts := read()) is not None:
            found.readings.append(watts)
            if ended.wait(every_s):
                return

    reader = threading.Thread(target=watch, daemon=True)
    reader.start()
    try:
        yield found
    finally:
        ended.set()
        reader.join()
