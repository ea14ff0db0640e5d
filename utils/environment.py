"""What is set before any other library is read: telemetry off, remarks that nobody can act on; and every seed.

Importing any module of `utils` imports this one first.
"""

from __future__ import annotations

import logging
import os
import random
import sys

TELEMETRY_OFF = {
    "DO_NOT_TRACK": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "ORT_DISABLE_TELEMETRY": "1",
    "NNCF_CI": "1",
}


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and PyTorch, and ask PyTorch for deterministic algorithms."""
    import numpy as np
    import torch

    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # or CUDA's matrix products may differ between runs
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True, warn_only=True)


def telemetry_off() -> None:
    """Tell the libraries we depend on to send nothing, and the tokenizers not to warn about forked processes.

    OpenVINO has no switch of its own for one process, but it sends nothing where its telemetry package cannot be
    imported; an entry of None in `sys.modules` makes that import fail.
    """
    os.environ.update(TELEMETRY_OFF)
    sys.modules["openvino_telemetry"] = None
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


def quiet_imports() -> None:
    """Hide two remarks of torchao that no reader can act on: GPU files it does not need, and a deprecation."""
    for name in ("torchao", "torch.utils._pytree"):
        logging.getLogger(name).setLevel(logging.ERROR)


def quick_imports() -> None:
    """Save seconds at the start of every command: jsonschema, which reads notebooks, builds a grammar of international
    web addresses whenever it is imported, and does without where that grammar's package cannot be imported.
    """
    sys.modules["rfc3987_syntax"] = None


telemetry_off()
quiet_imports()
quick_imports()
