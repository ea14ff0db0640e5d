"""The search page of a run: its final model and its teacher, ranking the shop's catalogue inside a browser.

Made from the run's stages, or from a reader's own model folder; made again only when something it consists of changed.
"""

from __future__ import annotations

import threading
import webbrowser
from collections.abc import Callable, Mapping
from pathlib import Path

from utils import disk, settings
from utils.course import stages
from utils.data import catalogue, identity
from utils.data.catalogue import Catalogue
from utils.edge import web_bundle, web_server, web_vendor

FOLDER = "web"  # in the run's folder
MADE_OF = "made_of.json"
STAGES = {"Final model": "quantized", "Teacher": "teacher"}
OWN = "Your model"


def build(
    *,
    profile: str,
    dataset: str,
    seed: int,
    out: str = "",
    model: Path | None = None,
    echo: Callable[[str], object] = print,
) -> Path:
    """The folder of the page, made where it is missing or old.

    Args:
        model: a model folder that is shown in the place of the run's own models.

    Raises:
        ValueError, FileNotFoundError: a stage is missing or damaged (the message has the command that makes it), or as
            `web_bundle.make` raises.
    """
    sizes = settings.profile(profile)
    shop = catalogue.load(dataset, profile=sizes)
    run_folder = identity.run_folder(dataset=dataset, profile_name=profile, seed=seed, out=out)
    command = settings.run_command(profile=profile, dataset=dataset, seed=seed, out=out)
    models = {OWN: model} if model else _of_run(run_folder, command=command)
    return _made(run_folder / FOLDER, models=models, shop=shop, max_tokens=sizes.max_tokens, echo=echo)


def show(
    folder: Path,
    *,
    port: int = 0,
    opens: bool = True,
    echo: Callable[[str], object] = print,
    wait: Callable[[threading.Event], object] = threading.Event.wait,
) -> None:
    """Serve the page on this machine alone until Ctrl-C, and open it in the reader's browser unless told not to."""
    with web_server.serve(folder, port=port) as address:
        echo(f"{address}  (Ctrl-C ends it)")
        if opens:
            webbrowser.open(address)
        try:
            wait(threading.Event())
        except KeyboardInterrupt:
            echo("ended")


def _of_run(run_folder: Path, *, command: str) -> dict[str, Path]:
    return {name: stages.require(run_folder / stage, command=command) for name, stage in STAGES.items()}


def _made(
    folder: Path, *, models: Mapping[str, Path], shop: Catalogue, max_tokens: int, echo: Callable[[str], object]
) -> Path:
    """The page in `folder`, as it is where the same things are in it already."""
    made_of = {
        "page": {path.name: disk.sha256(path) for path in sorted(web_vendor.PAGE.iterdir()) if path.is_file()},
        "models": {name: disk.sha256(Path(source) / "model.safetensors") for name, source in models.items()},
        "catalogue": shop.hash,
        "max_tokens": max_tokens,
    }
    if not (web_bundle.read(folder) and disk.read_object(folder / MADE_OF) == made_of):
        echo("making the page (half a minute; the first time, npm fetches four files) ...")
        web_bundle.make(folder, models=models, catalogue=shop, max_tokens=max_tokens)
        disk.write_whole(folder / MADE_OF, disk.json_text(made_of))
    return folder
