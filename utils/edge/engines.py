"""The engines of this package, by name; importing this module makes them known to `utils.rank.runtimes`.

Nothing of them is imported before it is used.
"""

from __future__ import annotations

from utils.rank import runtimes

SPLIT = "split"
ORT = "ort"
LITERT = "litert"
EXECUTORCH = "executorch"
MODULES = {
    SPLIT: "utils.edge.in_split",
    ORT: "utils.edge.exports.in_ort",
    LITERT: "utils.edge.exports.in_litert",
    EXECUTORCH: "utils.edge.exports.in_executorch",
}


def register_engines() -> None:
    """Make them known, once or again."""
    for name, module in MODULES.items():
        runtimes.register(name, module)


register_engines()
