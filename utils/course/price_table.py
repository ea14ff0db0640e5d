"""What notebook 02 shows of limits and money: token limits, the roofline's points, the bill as a table and a widget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import ipywidgets as widgets
import numpy as np
import pandas as pd
from IPython.display import display
from transformers import PretrainedConfig

from utils.measure import cost, pricing
from utils.measure.timing import Rate, Timing
from utils.rank.metrics import Quality, paired_bootstrap
from utils.settings import N_CANDIDATES

HOURS_A_MONTH = 730
BUDGET_MS = 200.0  # that the ranking may take of what a shopper waits


@dataclass(frozen=True)
class Traffic:
    """What a shop asks of its instances.

    Attributes:
        queries_per_day: of the whole shop.
        peak_factor: queries a second of the busiest hour over those of the mean one.
        utilisation: the share of its time that an instance is kept busy.
    """

    queries_per_day: float
    peak_factor: float = pricing.PEAK_FACTOR
    utilisation: float = pricing.UTILISATION

    def n_instances(self, *, queries_per_s: float) -> int:
        """Whole instances for the busiest hour, each of which answers that many queries a second at most."""
        return pricing.n_instances(
            self.queries_per_day,
            queries_per_s=queries_per_s,
            peak_factor=self.peak_factor,
            utilisation=self.utilisation,
        )


def tabulate_limits(
    quality_at: Mapping[int, Quality],
    *,
    lengths: Sequence[int],
    config: PretrainedConfig,
    whole: int,
    n_resamples: int,
) -> pd.DataFrame:
    """What a pair costs at each token limit, and what is lost against the limit `whole`.

    Work stands for dollars: at one number of pairs a query they grow in step.

    Args:
        quality_at: on the same queries, by limit.
        lengths: tokens of each pair, cut to the largest limit.
    """
    n_tokens = {limit: float(np.minimum(lengths, limit).mean()) for limit in quality_at}
    per_pair = {n: sum(cost.macs_by_hand(config, n_tokens=int(n)).values()) for n in range(max(lengths) + 1)}
    macs = {limit: float(np.mean([per_pair[min(n, limit)] for n in lengths])) for limit in quality_at}
    lost = {
        limit: paired_bootstrap(quality, quality_at[whole], n_resamples=n_resamples)
        for limit, quality in quality_at.items()
    }
    rows = [
        {
            "token limit": limit,
            "tokens a pair": f"{n_tokens[limit]:.1f}",
            "M MACs a pair": f"{macs[limit] / 1e6:,.0f}",
            "of the work": f"{macs[limit] / macs[whole]:.0%}",
            "NDCG@10 on valid": f"{quality.ndcg10:.3f}",
            "difference [95% interval]": "–" if limit == whole else lost[limit].signed(),
        }
        for limit, quality in quality_at.items()
    ]
    return pd.DataFrame(rows).set_index("token limit")


def roofline_points(
    rates: Mapping[str, Rate],
    *,
    shapes: Mapping[str, PretrainedConfig],
    macs: Mapping[str, int],
    n_tokens: int,
    n_computed: float,
) -> dict[str, tuple[float, float]]:
    """(FLOPs a byte moved, GFLOP/s reached) of each model at its measured rate.

    Args:
        shapes: each model's configuration, and `macs` those of a pair of `n_tokens` tokens that are really done.
        n_computed: tokens of a pair in the timed work, fillers included; work grows in step with them.
    """
    points = {}
    for name, rate in rates.items():
        flops = 2 * macs[name] * n_computed / n_tokens
        moved = cost.bytes_moved(shapes[name], n_tokens=round(n_computed), batch_size=rate.batch_size)
        points[name] = (flops * rate.batch_size / moved, flops * rate.median / 1e9)
    return points


def tabulate(
    rates: Mapping[str, Rate], timings: Mapping[str, Timing], *, traffic: Traffic, cores: int, instance: str
) -> pd.DataFrame:
    """Dollars, and whole instances, for each way of running a model, at 100 candidates a query.

    A million queries are priced as if instances came in any number; the month's bill is for whole ones, as many as the
    busiest hour needs, kept all day. No number of them makes one query faster, so a ranker whose slow queries take
    longer than BUDGET_MS says so: p95, the milliseconds that 95 of 100 queries stay within.

    Args:
        rates: pairs a second with all of this machine's cores, and `timings` of one query, by name.
    """
    price = pricing.price(instance)
    rows = []
    for name, rate in rates.items():
        per_second = pricing.instance_queries_per_s(
            rate.median, n_candidates=N_CANDIDATES, cores=cores, vcpus=price.vcpus
        )
        dollars = pricing.usd_per_million_queries(
            price.usd_per_hour, queries_per_s=per_second, utilisation=traffic.utilisation
        )
        n_instances = traffic.n_instances(queries_per_s=per_second)
        rows.append(
            {
                "ranker": name,
                "queries/s of an instance": f"{per_second:.2f}",
                "$ a million queries": f"{dollars:,.2f}",
                f"instances at {traffic.queries_per_day:,.0f} queries a day": f"{n_instances:,}",
                "$ a month for them": f"{n_instances * price.usd_per_hour * HOURS_A_MONTH:,.0f}",
                f"p95 within {BUDGET_MS:.0f} ms": _within(timings[name].percentile(95)),
            }
        )
    return pd.DataFrame(rows).set_index("ranker")


def _within(ms: float) -> str:
    return f"{'yes' if ms <= BUDGET_MS else 'no'}, {ms:,.0f} ms"


def show_widget(
    rates: Mapping[str, Rate], timings: Mapping[str, Timing], *, traffic: Traffic, cores: int, instance: str
) -> widgets.Widget:
    """The same table with sliders for the traffic, its peak and the utilisation; it moves only in a running notebook.

    There is no menu of instances: what this machine's processor does says nothing of another kind.
    """
    sliders = {
        "queries_per_day": widgets.FloatLogSlider(value=traffic.queries_per_day, min=3, max=9, step=0.25),
        "peak_factor": widgets.FloatSlider(value=traffic.peak_factor, min=1, max=10, step=0.5),
        "utilisation": widgets.FloatSlider(value=traffic.utilisation, min=0.1, max=1, step=0.05),
    }

    def show(**chosen: float) -> None:
        display(tabulate(rates, timings, traffic=Traffic(**chosen), cores=cores, instance=instance))

    for name, slider in sliders.items():
        slider.description = name.replace("_", " ")
        slider.style.description_width = "8em"
    return widgets.VBox([*sliders.values(), widgets.interactive_output(show, sliders)])
