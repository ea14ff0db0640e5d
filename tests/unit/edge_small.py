"""A tiny model folder with random weights, and the same exported to LiteRT and ExecuTorch beforehand (fp32)."""

from pathlib import Path

import numpy as np

from utils.edge import engines
from utils.rank import runtimes

FOLDER = Path(__file__).parents[1] / "fixtures" / "edge_small"
MAX_TOKENS = 24
PAIRS = [
    ("red shoe", "soft shoe for women"),
    ("lamp", "garden lamp with warm light"),
    ("steel chair", "small chair"),
    ("glass", ""),
    ("run", "men run shoe " * 9),
] * 3
engines.register_engines()


def open_small(runtime, *, folder=FOLDER, threads=1, batch_size=32):
    limits = {"threads": threads, "max_tokens": MAX_TOKENS, "batch_size": batch_size}
    return runtimes.open_ranker(folder, runtime=runtime, **limits)


def exact():
    """Scores of PAIRS in PyTorch."""
    return open_small("pytorch").score(PAIRS)


def agrees(scores, *, within):
    return np.abs(scores - exact()).max() <= within
