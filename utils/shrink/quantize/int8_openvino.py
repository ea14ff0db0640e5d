"""int8 models for OpenVINO, by NNCF: after training, with quality control on valid, or the weights alone.

Each function takes the fp32 model of a stage (`openvino/openvino_model.xml`) and gives an OpenVINO model to compile
with `runtimes.compile_openvino` or to write with `save`.
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import nncf
import numpy as np
import openvino
from datasets import Dataset
from nncf.common.logging.track_progress import Progress
from nncf.quantization.range_estimator import RangeEstimatorParametersSet
from transformers import PreTrainedTokenizerBase

from utils import disk
from utils.data.catalogue import texts_of
from utils.rank import metrics, runtimes
from utils.rank.ranker import Batch, encode

PRESETS = {"mixed": nncf.QuantizationPreset.MIXED, "performance": nncf.QuantizationPreset.PERFORMANCE}
WEIGHT_MODES = {8: nncf.CompressWeightsMode.INT8_SYM, 4: nncf.CompressWeightsMode.INT4_SYM}
RANGES = {
    "min-max": RangeEstimatorParametersSet.MINMAX,
    "mean min-max": RangeEstimatorParametersSet.MEAN_MINMAX,
    "histogram": RangeEstimatorParametersSet.HISTOGRAM,
}


@dataclass(frozen=True)
class Options:
    """How NNCF lays its grids.

    Attributes:
        preset: "mixed" (weights symmetric, activations not) or "performance" (both symmetric).
        ranges: of an activation: "min-max" over all batches, or "mean min-max" of the batches' own (NNCF's default,
            which cuts off what few pairs show), or "histogram" (least squared error).
        smooth: SmoothQuant (NNCF's default), which moves large activations into the weights beforehand.

    Raises:
        ValueError: an unknown preset, or unknown ranges.

    Source: Xiao et al., "SmoothQuant", ICML 2023, https://arxiv.org/abs/2211.10438
    """

    preset: str = "mixed"
    ranges: str = "min-max"
    smooth: bool = False

    def __post_init__(self) -> None:
        for name, known in (("preset", PRESETS), ("ranges", RANGES)):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} '{getattr(self, name)}' is not one of {', '.join(known)}")


WAYS = {
    "its defaults": Options(ranges="mean min-max", smooth=True),
    "mean ranges": Options(ranges="mean min-max"),
    "SmoothQuant": Options(smooth=True),
    "min-max": Options(),
    "min-max, performance": Options(preset="performance"),
}


@dataclass(frozen=True)
class JudgedQuery:
    """One query as the quality control wants it: its pairs as a padded batch, and their gains (n_pairs,)."""

    batch: Batch
    gains: np.ndarray


def static(
    source: Path,
    *,
    batches: Sequence[Batch],
    options: Options = WAYS["min-max"],
    keep: Sequence[str] = (),
) -> openvino.Model:
    """Weights and activations int8, ranges measured on calibration batches.

    Args:
        batches: from `calibration.batches`.
        keep: names of operations that stay fp32.
    """
    with _quiet():
        return nncf.quantize(
            openvino.Core().read_model(source),
            _dataset(batches),
            preset=PRESETS[options.preset],
            model_type=nncf.ModelType.TRANSFORMER,  # knows attention and LayerNorm, and what in them to leave alone
            subset_size=len(batches),
            ignored_scope=nncf.IgnoredScope(names=list(keep)),
            advanced_parameters=_advanced(options),
        )


def with_accuracy_control(
    source: Path,
    *,
    batches: Sequence[Batch],
    valid: Sequence[JudgedQuery],
    max_drop: float,
    at_most: int = 8,
    options: Options = WAYS["min-max"],
) -> openvino.Model:
    """As `static`; then operations go back to fp32, the most harmful first, until NDCG@10 on `valid` is kept.

    Args:
        max_drop: what NDCG@10 may lose, absolute.
        at_most: operations that may go back; every one is tried first, so it takes a while.
    """
    if not valid:
        raise ValueError("with_accuracy_control: no queries to judge by; give some of the valid split")
    with _quiet():
        return nncf.quantize_with_accuracy_control(
            openvino.Core().read_model(source),
            _dataset(batches),
            nncf.Dataset(list(valid)),
            _mean_ndcg10,
            max_drop=max_drop,
            preset=PRESETS[options.preset],
            model_type=nncf.ModelType.TRANSFORMER,
            subset_size=len(batches),
            advanced_quantization_parameters=_advanced(options),
            advanced_accuracy_restorer_parameters=nncf.AdvancedAccuracyRestorerParameters(
                max_num_iterations=at_most, ranking_subset_size=len(valid)
            ),
        )


def judged_queries(pairs: Dataset, *, tokenizer: PreTrainedTokenizerBase, max_tokens: int) -> list[JudgedQuery]:
    """The queries of judged pairs for `with_accuracy_control`; those whose gains are all alike are left out."""
    texts, gains, judged = texts_of(pairs), np.array(pairs["gain"][:]), []
    for rows in metrics.rows_to_rank(pairs).values():
        encoded = encode(tokenizer, [texts[row] for row in rows], max_tokens=max_tokens)
        padded = dict(tokenizer.pad(encoded, padding=True, return_tensors="np"))
        judged.append(JudgedQuery(padded, gains[rows]))
    return judged


def compress_weights(source: Path, *, bits: int, group_size: int = 64) -> openvino.Model:
    """Weights alone, 8 bits a number with a scale for each output, or 4 with one for each group; sums stay fp32.

    With 4 bits the word table and the last layer are kept at 8; a width that no group of that size fits gets smaller
    groups. Compiled by `runtimes.compile_openvino` the MatMuls multiply fp32 numbers: a saving of bytes. By its own
    default OpenVINO may round their inputs as well (DYNAMIC_QUANTIZATION_GROUP_SIZE).
    """
    if bits not in WEIGHT_MODES:
        raise ValueError(f"compress_weights: {bits} bits; there are {', '.join(map(str, WEIGHT_MODES))}")
    odd = nncf.AdvancedCompressionParameters(group_size_fallback_mode=nncf.GroupSizeFallbackMode.ADJUST)
    grouping = {"group_size": group_size, "ratio": 1.0, "advanced_parameters": odd} if bits == 4 else {}
    with _quiet():
        return nncf.compress_weights(openvino.Core().read_model(source), mode=WEIGHT_MODES[bits], **grouping)


def save(model: openvino.Model, path: Path) -> Path:
    """Write the `.xml` and the `.bin` beside it; what is fp32 stays fp32.

    They are written elsewhere and put in place, for OpenVINO keeps the `.bin` that it reads mapped into memory: writing
    over the file that the model came from would end the process.
    """
    path = Path(path)
    with disk.scratch(path) as folder:
        openvino.save_model(model, folder / path.name, compress_to_fp16=False)
        for suffix in (".bin", ".xml"):
            os.replace((folder / path.name).with_suffix(suffix), path.with_suffix(suffix))
    return path


def n_rounded(path: Path) -> int:
    """How many operations of a graph round what flows through it to a grid; none where weights alone are int8."""
    return sum(op.get_type_name() == "FakeQuantize" for op in openvino.Core().read_model(path).get_ops())


def activation_ranges(path: Path) -> dict[str, tuple[float, float]]:
    """Where the grid of each activation that a graph rounds ends, below and above, by the operation's name."""
    rounding = [op for op in openvino.Core().read_model(path).get_ops() if op.get_type_name() == "FakeQuantize"]
    ends = {op.get_friendly_name(): [op.input_value(i).get_node().get_data() for i in (1, 2)] for op in rounding}
    return {name: (float(low.min()), float(high.max())) for name, (low, high) in ends.items()}


def multiplied_in(compiled: openvino.CompiledModel) -> dict[str, int]:
    """How many matrix products of a compiled model read activations of which type: what it runs, not what it stores.

    What a product rounds within itself (DYNAMIC_QUANTIZATION_GROUP_SIZE) is not seen here.
    """
    counts: Counter[str] = Counter()
    for op in compiled.get_runtime_model().get_ops():
        if op.get_rt_info()["layerType"].astype(str) in ("FullyConnected", "MatMul"):
            counts[op.get_input_element_type(0).get_type_name()] += 1
    return dict(counts)


def _mean_ndcg10(compiled: openvino.CompiledModel, queries) -> tuple[float, list[float]]:
    """The mean of NDCG@10 over the queries, and each query's."""
    forward = runtimes.openvino_forward(compiled)
    found = [metrics.ndcg10(query.gains, scores=forward(query.batch)) for query in queries]
    return float(np.mean(found)), found


def _dataset(batches: Sequence[Batch]) -> nncf.Dataset:
    if not batches:
        raise ValueError("no calibration batches; make some with calibration.batches")
    return nncf.Dataset(list(batches))


def _advanced(options: Options) -> nncf.AdvancedQuantizationParameters:
    smooth = nncf.AdvancedSmoothQuantParameters() if options.smooth else nncf.AdvancedSmoothQuantParameters(matmul=-1)
    return nncf.AdvancedQuantizationParameters(
        smooth_quant_alphas=smooth, activations_range_estimator_params=RANGES[options.ranges]
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Without NNCF's log and its progress bars, which a notebook would keep for good; NNCF has no switch for them."""
    level, start = nncf.nncf_logger.level, Progress.start
    nncf.set_log_level(logging.ERROR)
    Progress.start = _hide
    try:
        yield
    finally:
        nncf.set_log_level(level)
        Progress.start = start


def _hide(bar: Progress) -> None:
    bar.disable = True
