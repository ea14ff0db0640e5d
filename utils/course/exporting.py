"""`course export`: a team's own model folder in the format of a device; and the same as stages of a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from utils import settings
from utils.course import stages
from utils.course.run import Run
from utils.data import catalogue
from utils.edge.exports import converters, making
from utils.measure.variant import Variant
from utils.rank import models

WEB = "web"
TARGETS = (*making.FORMATS, WEB)


def export(model: Path, *, to: str, out: Path, precision: str = "fp32", echo: Callable[[str], object] = print) -> Path:
    """Export a model folder; the environment of a converter is made first where it is needed and not there.

    Raises:
        ValueError: an unknown format or precision, a damaged folder, `out` is the model itself, or a converter failed.
        FileNotFoundError: there is no model folder.
    """
    if to not in TARGETS:
        raise ValueError(f"format '{to}' is not one of {', '.join(TARGETS)}")
    model, out = Path(model), Path(out)
    if out.resolve() == model.resolve():
        raise ValueError(f"{out}: is the model folder itself; give another folder with --out")
    if not (model / making.WEIGHTS).is_file():
        raise FileNotFoundError(f"{model}: {making.WEIGHTS} is missing, so this is not a model folder; give another")
    if to == WEB:
        return _to_web(model, out=out, precision=precision)
    making.require_known(to, precision=precision)
    if name := making.FORMATS[to].converter:
        converters.install(name, echo=echo)
    return making.make(model, out, to=to, precision=precision)


def stage(run: Run, source: str, *, to: str, precision: str) -> Variant:
    """Export a stage as a stage of its own, which a ledger row can be of.

    Raises:
        ValueError: the format's converter is not installed; names the command that makes it.
    """
    variant = variant_of(source, to=to, precision=precision)
    folder = run.stage(variant.stage)
    with stages.whole(folder, notebook=run.notebook, facts={"parent": source}) as partial:
        making.fill(run.stage(source), partial, to=to, precision=precision)
    return variant


def variant_of(source: str, *, to: str, precision: str, threads: int = 1) -> Variant:
    """The way of running an exported stage."""
    return Variant(f"{source}_{to}_{precision}", making.FORMATS[to].runtime, precision, threads=threads)


def _to_web(model: Path, *, out: Path, precision: str) -> Path:
    """A search page in the browser with that model and the embedded shop, by `utils.edge.web_bundle`."""
    from utils.edge import web_bundle

    _, tokenizer = models.described(model)
    shop = catalogue.load(settings.EMBEDDED, profile=settings.profile("laptop"))
    shown = {"models": {"Your model": model}, "max_tokens": tokenizer.model_max_length}
    return web_bundle.make(out, **shown, catalogue=shop, precision=precision)
