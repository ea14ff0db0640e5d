"""What the recorded files say, on pages: README.md has it in short with a picture, docs/results.md whole.

No figure of either is typed.
"""

from __future__ import annotations

import io
import json
import textwrap
from collections.abc import Sequence

import pandas as pd

from utils import disk, settings
from utils.course import report
from utils.course.records import recorded, recorded_kept, recorded_sweep, recorded_tables, sweep_tables
from utils.course.records.recorded import Record
from utils.course.records.recorded_sweep import Cell
from utils.rank import baselines

README = settings.ROOT / "README.md"
PAGE = settings.ROOT / "docs" / "results.md"
PICTURE = settings.ROOT / "docs" / "quality_and_cost.svg"
BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"
FIRST_BEGIN, FIRST_END = "<!-- headline: begin -->", "<!-- headline: end -->"
NOTHING = "No run of the shop as it is now has been recorded yet; `course results` makes them.\n"
WIDTH = 120  # characters of a line
ALT = "Judged NDCG@10 against dollars for a million queries, from the teacher to the student in int8"
NAMES = {settings.EMBEDDED: "The embedded shop"}


def write() -> None:
    """Put what is recorded into README.md and docs/results.md, and draw the picture; ValueError without the marks."""
    pages = {page: page.read_text(encoding="utf-8") for page in (README, PAGE)}
    changed = {README: with_headline(pages[README]), PAGE: with_tables(pages[PAGE])}
    for page, text in changed.items():
        disk.write_whole(page, text)
    if drawn := picture():
        disk.write_whole(PICTURE, drawn)


def with_headline(page: str) -> str:
    """README.md with what the shop's records say in short between its marks; ValueError where one is missing."""
    return _between(page, FIRST_BEGIN, FIRST_END, headline() or NOTHING)


def with_tables(page: str) -> str:
    """docs/results.md with the tables of every recorded data set; ValueError where a mark is missing."""
    return _between(page, BEGIN, END, sections() or NOTHING)


def headline() -> str:
    """What the course gives on the embedded shop: a sentence, a short table, the picture; "" before it is recorded."""
    records = _of_shop()
    if not (said := recorded_kept.headline(records)):
        return ""
    text = textwrap.fill(f"**On the embedded shop.** {said}", width=WIDTH) + "\n"
    short, _ = recorded_kept.in_short(records)
    if short.empty:
        return text
    return f"{text}\n{_markdown(short)}\n![{ALT}](docs/{PICTURE.name})\n"


def picture() -> str:
    """The short table's quality against its dollars, as SVG that is always the same; "" before it is recorded."""
    from matplotlib import rc_context

    from utils.measure import plots

    _, points = recorded_kept.in_short(_of_shop())
    if not points:
        return ""
    (before, teacher), *_, (after, shipped) = points.values()
    title = f"From ${before:.2f} to ${after:.2f} for a million queries, at {shipped / teacher:.1%} of the quality"
    with rc_context({"svg.hashsalt": "rank-for-less", "svg.fonttype": "path"}):
        drawn = io.StringIO()
        plots.quality_against_dollars(points, title=title).savefig(drawn, format="svg", metadata={"Date": None})
    return "\n".join(line.rstrip() for line in drawn.getvalue().splitlines()) + "\n"


def _of_shop() -> list[Record]:
    return recorded.read(dataset_hash=recorded.newest_hash(settings.EMBEDDED))


def _between(page: str, begin: str, end: str, text: str) -> str:
    before, found, rest = page.partition(begin)
    _, found_end, after = rest.partition(end)
    if not found or not found_end:
        raise ValueError(f"the marks {begin} and {end} are missing; put them around what is recorded")
    return f"{before}{begin}\n{text}{end}{after}"


def sections() -> str:
    """Markdown of the target, then of all recorded data sets, the embedded shop first; of the laptop profile alone."""
    found = (json.loads(path.read_text(encoding="utf-8")) for path in settings.RESULTS.glob("*.json"))
    names = {one["dataset"] for one in found if one["profile"] == "laptop"}
    in_order = sorted(names, key=lambda name: (name != settings.EMBEDDED, name))
    found = [section for name in in_order if (section := _section(name))]
    return "\n".join([_target(), *found]) if found else ""


def _target() -> str:
    target = recorded_kept.TARGET
    quality, lower, size, work = (
        f"{target[name]:.0%}" for name in ("NDCG@10 kept", "its lower end", "bytes to ship", "MACs")
    )
    return (
        f"The target, on the embedded shop: {quality} of the teacher's NDCG@10 (the lower end of the interval at "
        f"{lower}), surely more than labels alone reach, {target['× PyTorch']} × the pairs a second of the teacher in "
        f"fp32 PyTorch and {target['× int8']} × those of the teacher in int8, {size} of its bytes and {work} of its "
        "MACs. The last column of the second table of each data set names what falls short of it.\n"
    )


def _section(dataset: str) -> str:
    """What is recorded of a data set; "" where some of its folds are still missing."""
    content = recorded.newest_hash(dataset)
    if not (runs := recorded.read(dataset_hash=content)):
        return ""
    dates = sorted(row["identity"]["time_utc"][:10] for run in runs for row in run.rows)
    when = " to ".join(dict.fromkeys((dates[0], dates[-1])))
    n_queries = f"{runs[-1].rows[0]['quality']['n_queries']:,} test queries"
    tables = [_markdown(recorded_tables.tabulate(runs)), _lead(runs)]
    if not (kept := recorded_kept.kept(runs)).empty:
        tables.append(f"What is left of the teacher, on one thread, timed by turns:\n\n{_markdown(kept)}")
        tables.append(_best(runs))
    tables.append(of_sweep(recorded_sweep.read(dataset_hash=content)))
    shown = "\n".join(filter(None, tables))
    revisions = ", ".join(dict.fromkeys(f"`{run.git_revision[:7]}`" for run in runs))
    recorded_when = f"Recorded by `course results`, {when}, at revision {revisions}."
    return f"**{NAMES.get(dataset, dataset)}**, {n_queries}:\n\n{shown}\n{_machines(runs)} {recorded_when}\n"


def _lead(runs: Sequence[Record]) -> str:
    """What the teacher is ahead of the best baseline, in a sentence; nothing where that is not known."""
    if not (found := recorded_kept.lead(runs)):
        return ""
    verdict = "" if found.is_sure else f" That is no sure lead: {found.advice}."
    name = baselines.NAMES[found.baseline]
    return f"The teacher minus the best baseline (by `valid`: {name}): {found.interval.signed()} NDCG@10.{verdict}\n"


def _best(runs: Sequence[Record]) -> str:
    """Which of the recipes' ends `valid` would choose, in a sentence; nothing where no run was judged there."""
    name, shares = recorded_kept.smallest_that_keeps(runs)
    if not shares:
        return ""
    kept = ", ".join(
        f"`{stage}` keeps {share.mean:.1%} [{share.low:.1%}, {share.high:.1%}]" for stage, share in shares.items()
    )
    verdict = f"the smallest that keeps {recorded_kept.TARGET['NDCG@10 kept']:.0%} there is `{name}`"
    return f"On `valid` {kept} of the teacher's NDCG@10: {verdict if name else 'none keeps enough there'}.\n"


def of_sweep(cells: list[Cell]) -> str:
    """What the sweep over judged queries says, with the teacher's plateau and headroom; nothing where none is."""
    if not (verdict := sweep_tables.crossover(cells)):
        return ""
    parts = [f"With more and fewer judged queries, on `valid` and with one seed: {verdict}."]
    if longer := sweep_tables.plateau(cells):
        parts.append(f"Twice the steps change the teacher by {longer.signed()}.")
    if most := sweep_tables.headroom(cells):
        parts.append(f"With every train query judged and four times the steps: {most.signed()}.")
    if other := sweep_tables.second_start(cells):
        parts.append(f"A student started from paraphrase-MiniLM-L3 and not from its teacher: {other.signed()}.")
    return f"{' '.join(parts)}\n\n{_markdown(sweep_tables.tabulate(cells))}"


def _machines(runs: Sequence[Record]) -> str:
    """A sentence on every machine; where they differ, it says which seeds ran there."""
    seeds: dict[str, list[str]] = {}
    for run in runs:
        seeds.setdefault(report.machine_words(run.machine), []).append(str(run.seed))
    if len(seeds) == 1:
        return next(iter(seeds))
    here = "this machine"
    return "\n".join(words.replace(here, f"{here} with seed {' and '.join(ran)}", 1) for words, ran in seeds.items())


def _markdown(frame: pd.DataFrame) -> str:
    lines = [["", *frame.columns], ["---"] * (1 + len(frame.columns))]
    lines += [[label, *cells] for label, *cells in frame.itertuples()]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
