"""The machine that measures: what it is, what it can and cannot do, and how fast it multiplies and moves bytes."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import archspec.cpu
import numpy as np
import onnxruntime
import psutil
import torch
from onnx import TensorProto, helper

from utils import settings

VECTOR_INSTRUCTIONS = (
    "avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_int8", "amx_bf16", "asimddp", "i8mm", "bf16",
)  # fmt: skip
INT8_FAST = {"avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm"}
BF16_FAST = {"avx512_bf16", "amx_bf16", "bf16"}


@dataclass(frozen=True)
class Capability:
    """Whether the machine can do a thing, and what that means here for a reader of the course."""

    name: str
    ok: bool
    consequence: str


def describe() -> dict:
    """Processor, cores, memory, instructions, compiler, GPU and system, as plain values; no name of host or user."""
    features = archspec.cpu.detect.detected_info().features  # the processor's own; `host()` gives its family's
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else psutil.cpu_count()
    return {
        "processor": (archspec.cpu.brand_string() or "").strip() or archspec.cpu.host().name,
        "architecture": platform.machine(),
        "system": platform.system(),
        "cores": cores,
        "memory_bytes": _memory_bytes(),
        "vector_instructions": [name for name in VECTOR_INSTRUCTIONS if name in features],
        "cxx_compiler": any(shutil.which(name) for name in ("c++", "g++", "clang++", "cl")),
        "gpu": _gpu(),
        "python": platform.python_version(),
    }


def can_do(machine: dict) -> list[Capability]:
    """What this machine can do of what the course shows."""
    vectors = set(machine["vector_instructions"])
    free_gb = shutil.disk_usage(settings.ROOT).free / 1e9
    has_int8, has_bf16 = bool(vectors & INT8_FAST), bool(vectors & BF16_FAST)
    checks = [
        ("int8 arithmetic", has_int8, "int8 can save time and bytes", "int8 saves bytes but little time"),
        ("bf16 arithmetic", has_bf16, "bf16 may be faster than fp32: measure", "bf16 is slower than fp32"),
        ("GPU", machine["gpu"] is not None, "the GPU lessons run here", "the GPU lessons show figures from elsewhere"),
        ("C++ compiler", machine["cxx_compiler"], "torch.compile works", "torch.compile cannot run on the CPU"),
        ("6 GB of memory", machine["memory_bytes"] >= 6e9, "enough", "training may be stopped by the system"),
        ("5 GB of free disk", free_gb >= 5, "enough", "a run may stop half-way"),
        ("Hugging Face hub", hub_reachable(), "other checkpoints can be fetched", "MiniLM comes with the course"),
    ]
    return [Capability(name, ok, yes if ok else no) for name, ok, yes, no in checks]


def hub_reachable() -> bool:
    """Whether the hub answers within two seconds; not asked when HF_HUB_OFFLINE is set."""
    if os.environ.get("HF_HUB_OFFLINE", "0") not in ("", "0"):
        return False
    try:
        socket.create_connection(("huggingface.co", 443), timeout=2).close()
    except OSError:
        return False
    return True


def peaks(*, threads: int) -> dict[str, float]:
    """Measured upper bounds: fp32, bf16 and int8 matrix products (GFLOP/s; a MAC counts two) and memory (GB/s).

    That of fp32 is the better of PyTorch and ONNX Runtime, for on some processors one of them leaves the widest
    instructions unused; what PyTorch alone reaches stands beside it.

    Source: Williams, Waterman, Patterson, "Roofline", CACM 2009, https://doi.org/10.1145/1498765.1498785
    """
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        in_pytorch = _torch_gflops(torch.float32)
        return {
            "fp32_gflops": max(in_pytorch, _fp32_in_onnx_gflops(threads)),
            "fp32_in_pytorch_gflops": in_pytorch,
            "bf16_gflops": _torch_gflops(torch.bfloat16),
            "int8_gops": _int8_gops(threads),
            "memory_gb_per_s": _memory_gb_per_s(),
        }
    finally:
        torch.set_num_threads(before)


def roofline_gflops(intensity: float | np.ndarray, *, peak_gflops: float, gb_per_s: float) -> float | np.ndarray:
    """The most GFLOP/s at an arithmetic intensity (FLOPs a byte moved): memory's slope, then the flat peak."""
    return np.minimum(peak_gflops, np.asarray(intensity) * gb_per_s)


def _memory_bytes(limit: Path = Path("/sys/fs/cgroup/memory.max")) -> int:
    """Bytes of memory this process may use: the machine's, or a container's limit (cgroup v2) where that is less."""
    total = psutil.virtual_memory().total
    text = limit.read_text().strip() if limit.is_file() else "max"
    return total if text == "max" else min(total, int(text))


def _gpu() -> str | None:
    """The name of the GPU that PyTorch can use, None when there is none."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return "Apple GPU (MPS)" if torch.backends.mps.is_available() else None


def _torch_gflops(dtype: torch.dtype, *, small: int = 128, large: int = 1024) -> float:
    """A small product first: where it is very slow (bf16 without instructions for it), the large one is not tried."""
    size = small if _rate(_product(small, dtype), work=2 * small**3) < 5e9 else large
    return _rate(_product(size, dtype), work=2 * size**3) / 1e9


def _product(size: int, dtype: torch.dtype) -> Callable[[], torch.Tensor]:
    a, b = (torch.rand(size, size).to(dtype) for _ in range(2))
    return lambda: torch.mm(a, b)


def _onnx_gops(op: str, a: np.ndarray, b: np.ndarray, *, result: int, threads: int) -> float:
    """The product of two square matrices in ONNX Runtime, the second a constant, as in a Linear.

    Args:
        result: the type of its elements, one of `TensorProto`.
    """
    shape, (of_a, of_b) = list(a.shape), map(helper.np_dtype_to_tensor_dtype, (a.dtype, b.dtype))
    inputs = [helper.make_tensor_value_info("a", of_a, shape)]
    outputs = [helper.make_tensor_value_info("c", result, shape)]
    constant = helper.make_tensor("b", of_b, shape, b.tobytes(), raw=True)
    graph = helper.make_graph([helper.make_node(op, ["a", "b"], ["c"])], "product", inputs, outputs, [constant])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return _rate(lambda: session.run(None, {"a": a}), work=2 * len(a) ** 3) / 1e9


def _fp32_in_onnx_gflops(threads: int, *, size: int = 1024) -> float:
    """fp32 times fp32 in ONNX Runtime."""
    a, b = np.random.default_rng(0).random((2, size, size), dtype=np.float32)
    return _onnx_gops("MatMul", a, b, result=TensorProto.FLOAT, threads=threads)


def _int8_gops(threads: int, *, size: int = 1024) -> float:
    """uint8 activations times int8 weights in ONNX Runtime, as a quantized Linear does it."""
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 128, (size, size), dtype=np.uint8), rng.integers(-64, 64, (size, size), dtype=np.int8)
    return _onnx_gops("MatMulInteger", a, b, result=TensorProto.INT32, threads=threads)


def _memory_gb_per_s(*, megabytes: int = 128) -> float:
    """Copying a tensor far larger than the last cache; bytes read and bytes written both count."""
    source = torch.ones(megabytes * 2**20 // 4)
    target = torch.empty_like(source)
    return _rate(lambda: target.copy_(source), work=2 * megabytes * 2**20) / 1e9


def _rate(task: Callable[[], object], *, work: float, seconds: float = 0.6) -> float:
    """Work a second, the best of the repeats that fit into the time, two at least."""
    best, spent, n = float("inf"), 0.0, 0
    while spent < seconds or n < 2:
        start = time.perf_counter()
        task()
        elapsed = time.perf_counter() - start
        best, spent, n = min(best, elapsed), spent + elapsed, n + 1
    return work / best
