"""What is set before any other library is read: telemetry off, no foreign say in results, few remarks; and every seed.

Importing any module of `utils` imports this one first. What a command wants of its terminal is here too.
"""

from __future__ import annotations

import contextlib
import functools
import os
import random
import sys

from utils import settings

TELEMETRY_OFF = {
    "DO_NOT_TRACK": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "ORT_DISABLE_TELEMETRY": "1",
    "NNCF_CI": "1",
}
DECIDED_HERE = (  # names of variables that libraries let change how models are trained or run, and in which precision
    *("LOCAL_RANK", "RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "NODE_RANK", "GROUP_RANK", "MASTER_ADDR", "MASTER_PORT"),
    *("FORK_LAUNCHED", "XLA_USE_BF16", "XLA_DOWNCAST_BF16", "NVIDIA_TF32_OVERRIDE", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE"),
    *("ONEDNN_DEFAULT_FPMATH_MODE", "DNNL_DEFAULT_FPMATH_MODE"),
    *("USE_TORCH", "USE_TF", "USE_FLAX", "USE_JAX", "USE_TORCH_XLA", "FORCE_TF_AVAILABLE"),
)
DECIDED_HERE_BEGIN = (  # and what the names of others begin with
    *("ACCELERATE_", "FSDP_", "MEGATRON_LM_", "PARALLELISM_CONFIG_", "TORCHELASTIC_"),
    *("PMI_", "OMPI_COMM_WORLD_", "MV2_COMM_WORLD_"),
)
N_FILES = 4096  # files that a command may hold open, where the system lets it
FEWEST_FILES = 128  # a command and its kernel cannot speak to each other, or open their files, with much fewer


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and PyTorch, and ask PyTorch for deterministic algorithms; ValueError where they cannot be."""
    settings.check_seed(seed)
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


def no_foreign_say() -> None:
    """Forget what a cluster, a launcher or an older project has left in the environment that would change results.

    A row says fp32, one process, one device: with ACCELERATE_MIXED_PRECISION=bf16 or LOCAL_RANK=1 that would be untrue
    or stop the training. So a process of ours that works with others is told its rank by its arguments.
    """
    for name in [name for name in os.environ if name in DECIDED_HERE or name.startswith(DECIDED_HERE_BEGIN)]:
        del os.environ[name]


@functools.cache
def trackers() -> list[str]:
    """Where curves of training are written: TensorBoard, and Weights & Biases where WANDB_PROJECT is set.

    Where its package cannot be used that is said once, and the training goes on without it.
    """
    from transformers.integrations import is_wandb_available

    if not os.environ.get("WANDB_PROJECT"):
        return ["tensorboard"]
    if not is_wandb_available():
        print("WANDB_PROJECT is set, but wandb is not installed or is disabled: curves go to TensorBoard alone")
        return ["tensorboard"]
    return ["tensorboard", "wandb"]


def prepare_command() -> None:
    """What a command wants: output that any terminal can take, files enough, pictures that need no screen."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # not where another program has put a stream of its own in place
            stream.reconfigure(errors="backslashreplace")  # a pipe may know no more than ASCII or cp1252
    os.environ["MPLBACKEND"] = "agg"
    allow_files()


def allow_files() -> None:
    """Let this process and its kernels hold N_FILES files open, or as many as the system lets it have.

    Raises:
        ValueError: those are too few to run a notebook.
    """
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = N_FILES if hard == resource.RLIM_INFINITY else min(N_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    if wanted < FEWEST_FILES:
        raise ValueError(f"only {wanted} files may be open at a time here; let more be with: ulimit -n {N_FILES}")


def quick_imports() -> None:
    """Save seconds at the start of every command: jsonschema, which reads notebooks, builds a grammar of international
    web addresses whenever it is imported, and does without where that grammar's package cannot be imported.
    """
    sys.modules["rfc3987_syntax"] = None


telemetry_off()
no_foreign_say()
quick_imports()
