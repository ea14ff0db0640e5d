"""What notebook 02 shows of money and machine limits: points for the roofline, the bill as a table and as a widget."""

from __future__ import annotations

from collections.abc import Mapping

import ipywidgets as widgets
import pandas as pd
from IPython.display import display
from transformers import PretrainedConfig

from utils.measure import cost, pricing
from utils.settings import N_CANDIDATES

Throughput = Mapping[str, tuple[float, int]]
HOURS_A_MONTH = 730
BUDGET_MS = 200.0  # that the ranking may take of what a shopper waits


def roofline_point(
    config: PretrainedConfig, *, macs: int, n_tokens: int, rate: float, batch_size: int
) -> tuple[float, float]:
    """(FLOPs a byte moved, GFLOP/s reached) of a model at a measured rate of pairs a second.

    Args:
        macs: of a pair, those that are really done.
    """
    moved = cost.bytes_moved(config, n_tokens=n_tokens, batch_size=batch_size)
    return 2 * macs * batch_size / moved, 2 * macs * rate / 1e9


def tabulate(
    throughput: Throughput, *, slow_ms: Mapping[str, float], queries_per_day: float, cores: int, instance: str
) -> pd.DataFrame:
    """Dollars, and whole instances, for each way of running a model, at 100 candidates a query and 60% use.

    A million queries are priced as if instances came in any number; the month's bill is for whole ones, as many as the
    busiest hour needs, kept all day. No number of them makes one query faster, so a ranker whose slow queries take
    longer than BUDGET_MS says so.

    Args:
        throughput: pairs a second with all of this machine's cores, and the batch size.
        slow_ms: of each, the milliseconds that 95 of 100 queries stay within.
    """
    price = pricing.price(instance)
    rows = []
    for name, (pairs_per_s, _) in throughput.items():
        rate = pricing.instance_queries_per_s(pairs_per_s, n_candidates=N_CANDIDATES, cores=cores, vcpus=price.vcpus)
        dollars = pricing.usd_per_million_queries(price.usd_per_hour, queries_per_s=rate)
        n_instances = pricing.n_instances(queries_per_day, queries_per_s=rate)
        rows.append(
            {
                "ranker": name,
                "queries/s of an instance": f"{rate:.2f}",
                "$ a million queries": f"{dollars:,.2f}",
                f"instances at {queries_per_day:,.0f} queries a day": f"{n_instances:,}",
                "$ a month for them": f"{n_instances * price.usd_per_hour * HOURS_A_MONTH:,.0f}",
                f"p95 within {BUDGET_MS:.0f} ms": _within(slow_ms[name]),
            }
        )
    return pd.DataFrame(rows).set_index("ranker")


def _within(ms: float) -> str:
    return f"{'yes' if ms <= BUDGET_MS else 'no'}, {ms:,.0f} ms"


def show_widget(
    throughput: Throughput, *, slow_ms: Mapping[str, float], queries_per_day: float, cores: int
) -> widgets.Widget:
    """The same table with a slider for the traffic and a menu of instances; it moves only in a running notebook.

    Instances with an accelerator are left out: what a CPU does says nothing of them.
    """
    cpu_only = [price.instance for price in pricing.load_prices().values() if price.accelerator == "none"]
    traffic = widgets.FloatLogSlider(value=queries_per_day, min=3, max=9, step=0.25, description="queries/day")
    instance = widgets.Dropdown(options=cpu_only, description="instance")

    def show(queries_per_day: float, instance: str) -> None:
        chosen = {"queries_per_day": queries_per_day, "instance": instance}
        display(tabulate(throughput, slow_ms=slow_ms, cores=cores, **chosen))

    shown = widgets.interactive_output(show, {"queries_per_day": traffic, "instance": instance})
    return widgets.VBox([traffic, instance, shown])
