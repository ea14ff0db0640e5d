"""The engines of this package, by name; importing this module makes them known to `utils.rank.runtimes`.

Nothing of them is imported before it is used.
"""

from __future__ import annotations

from utils.rank import runtimes

STORED_IDS = "stored_ids"
STORED_VECTORS = "stored_vectors"
CASCADE = "cascade"
PYTORCH_COMPILED = "pytorch_compiled"
MODULES = {
    STORED_IDS: "utils.speed.stored_ids",
    STORED_VECTORS: "utils.speed.vectors_ranker",
    CASCADE: "utils.speed.cascade",
    PYTORCH_COMPILED: "utils.speed.compiled",
}


def register_engines() -> None:
    """Make them known, once or again."""
    for name, module in MODULES.items():
        runtimes.register(name, module)


register_engines()
