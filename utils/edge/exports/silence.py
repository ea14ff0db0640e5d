"""Silence for libraries in C++ that write remarks past Python to the standard error of the process."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

STDERR = 2  # the number of the file that they write to
_one_at_a_time = threading.RLock()


@contextmanager
def silent() -> Iterator[None]:
    """Within the block nothing written to the process's standard error appears, by whatever library.

    Python's own `sys.stderr` is not enough: the runtime is C++ and writes to the file with the number 2.
    """
    with _one_at_a_time:
        sys.stderr.flush()
        kept, nowhere = os.dup(STDERR), os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, STDERR)
            yield
        finally:
            os.dup2(kept, STDERR)
            os.close(kept)
            os.close(nowhere)
