"""What notebook 08 shows and writes: recorded rows of cards, or the sentence how to make them, and its own rows.

The bill of a card is in `gpu_bill`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import pandas as pd
from IPython.display import Markdown

from utils.course import ledger_fields, tables
from utils.course.run import Run
from utils.measure import load, timing
from utils.measure.row_groups import Money, Ranking
from utils.measure.timing import Timing
from utils.measure.variant import Variant
from utils.speed.gpu import recorded
from utils.speed.gpu.recorded import Record

COMMAND = "course results --gpu"
NO_PEAK = "measured for the finals of stages alone"
NOT_PRICED = "a card is not priced by the cores of its host; the break-even of this notebook has its dollars"
PROCESSORS = (
    ("graphics of Intel, by OpenVINO", "`device='GPU'`, and its driver; our `.xml` as it is", "no: none here"),
    (
        "neural unit of a laptop, by OpenVINO",
        "`device='NPU'`; shapes that do not change, so `bucketed`",
        "no: none here",
    ),
    ("Apple", "`device='mps'` in PyTorch, or Core ML", "no: no Mac here"),
    ("TPU, by XLA", "`torch_xla`; few shapes, so `bucketed`; bf16", "no: none here"),
    (
        "FPGA",
        "a tool such as hls4ml that makes a circuit of the layers; int8 or less; days of building",
        "no: none here",
    ),
)


def show() -> pd.DataFrame | Markdown:
    """The rows that were recorded on cards, or how to record them where there are none."""
    records = recorded.read()
    return tabulate(records) if records else Markdown(how_to_record())


def how_to_record() -> str:
    """What a reader with a card types, and what it takes."""
    return (
        f"No card was measured, so there is no row to show. On a machine with one, `{COMMAND}` takes 8 minutes at most "
        "beyond the teacher's own training, and writes its figures to `data/results/gpu/`."
    )


def tabulate(records: list[Record], *, n_rows: int = 12) -> pd.DataFrame:
    """The rows of each card, the fastest of each model first; a figure that is null is a dash."""
    return tables.from_rows(
        {
            "way": f"{row.what}: {row.how}",
            "card": record.card,
            "pairs/s, tokens known": _number(row.pairs_per_s, ",.0f"),
            "pairs/s, tokenized": _number(row.pairs_per_s_tokenized, ",.0f"),
            "MFU": _number(row.mfu, ".0%"),
            "ms a query": _number(row.latency_ms, ".1f"),
            "watts": _number(row.watts, ".0f"),
            "NDCG@10 on valid": _number(row.ndcg10, ".3f"),
        }
        for record in records
        for row in sorted(record.rows, key=lambda row: (row.what, -(row.pairs_per_s or 0)))[:n_rows]
    )


def processors() -> pd.DataFrame:
    """Other processors: what each would need, and whether it was tried here."""
    names = ("processor", "what it needs", "tried")
    return tables.from_rows(dict(zip(names, line, strict=True)) for line in PROCESSORS)


def measure(run: Run, variants: Mapping[str, Variant], *, quality: Ranking) -> dict[str, Timing]:
    """Time variants of one stage by turns, and add a row for each; the timings of a query, by label.

    Args:
        quality: of the stage in another engine, whose scores theirs were found to be.
    """
    limits = {"max_tokens": run.profile.max_tokens}
    rankers = {label: variant.open(run.folder, **limits) for label, variant in variants.items()}
    queries = load.workload(run.catalogue, n_queries=run.profile.n_latency_queries)
    timings = timing.interleave_queries(rankers, queries=queries)
    rates = timing.throughput(rankers, work=queries, batch_sizes=(32, 100))
    on_cpu = {label: variant for label, variant in variants.items() if variant.device == "cpu"}
    ways = {label: partial(variant.open, run.folder, **limits) for label, variant in on_cpu.items()}
    on_all_cores = load.rates_on_all_cores(ways, cores=run.machine["cores"], queries=queries) if ways else {}
    for label, variant in variants.items():
        size, work = ledger_fields.size_and_work(
            run.stage(variant.stage), runtime=variant.runtime, n_tokens=run.mean_tokens(), why_no_peak=NO_PEAK
        )
        groups = {
            "size": size,
            "work": work,
            "speed": ledger_fields.speed_of(timings[label], rates[label]),
            "quality": ledger_fields.carried_quality(quality),
            "money": Money.absent(NOT_PRICED),
        }
        if label in on_all_cores:
            groups["money"] = ledger_fields.money_of(on_all_cores[label], machine=run.machine)
        run.add_row(variant, label=label, **groups)
    return timings


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else f"{value:{form}}"
