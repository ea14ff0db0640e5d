"""What `course` offers in a checkout with the development requirements: publishing, checks, recorded results.

`lint` and `tidy` end with status 1 when they found or changed something, which stops a commit.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from utils import settings
from utils.course.cli import From, Only, ProfileName

app = typer.Typer()
Notebooks = Annotated[
    list[Path] | None, typer.Argument(exists=True, dir_okay=False, help="notebook files; all when empty")
]


@app.command()
def results(
    dataset: Annotated[list[str] | None, typer.Option(help="a data set; give it again for more of them")] = None,
    seed: Annotated[list[int] | None, typer.Option(help="a seed; give it again for more; 0, 1 and 2 if none")] = None,
    recipe: Annotated[
        list[str] | None, typer.Option(help="a recipe, or its .json; again for more; default if none")
    ] = None,
    sweep: Annotated[
        bool, typer.Option("--sweep", help="the embedded shop with more and fewer judged queries instead")
    ] = False,
    folds: Annotated[
        int, typer.Option(min=0, help="in so many folds, each query a test query once: for small data sets")
    ] = 0,
    prepare: Annotated[
        bool, typer.Option("--prepare", help="make the stages alone, untimed: two such commands may run side by side")
    ] = False,
    gpu: Annotated[
        bool, typer.Option("--gpu", help="the card of this machine instead, with one data set's teacher: 8 minutes")
    ] = False,
    edge: Annotated[
        bool, typer.Option("--edge", help="the student in the formats of devices instead; needs both converters")
    ] = False,
    profile: ProfileName = "laptop",
) -> None:
    """Record teacher and recipes over data sets and seeds under data/results/, and the pages that show them; hours."""
    from authoring import records as studies
    from utils.shrink import recipe as recipes

    if gpu:
        from authoring import gpu_record

        if prepare or folds or recipe or sweep or len(dataset or []) > 1 or len(seed or []) > 1:
            raise ValueError(
                "--gpu measures one card with one teacher; give it one --dataset, --seed and --profile alone"
            )
        chosen = {"dataset": (dataset or [settings.EMBEDDED])[0], "seed": (seed or [0])[0], "profile": profile}
        typer.echo(gpu_record.record(**chosen, echo=typer.echo).relative_to(settings.ROOT))
        return
    if edge:
        from authoring import edge_record

        if prepare or folds or recipe or sweep or len(dataset or []) > 1 or len(seed or []) > 1:
            raise ValueError("--edge records one student; give it one --dataset, --seed and --profile alone")
        chosen = {"dataset": (dataset or [settings.EMBEDDED])[0], "seed": (seed or [0])[0], "profile": profile}
        typer.echo(edge_record.record(**chosen, echo=typer.echo).relative_to(settings.ROOT))
        return
    if sweep:
        if prepare or folds or recipe or any(name != settings.EMBEDDED for name in dataset or []):
            raise ValueError("--sweep is of the embedded shop and its own arms; give it --seed and --profile alone")
        studies.sweep(seeds=seed or [0], profile=profile, echo=typer.echo)
        return
    named = [recipes.named(name) for name in recipe or ["default"]]
    chosen = {"datasets": dataset or ["synthetic"], "seeds": seed or ([0] if folds else [0, 1, 2]), "recipes": named}
    make = studies.prepare if prepare else studies.study
    make(**chosen, profile=profile, n_folds=folds, echo=typer.echo)


@app.command()
def publish(from_: From = None, only: Only = None) -> None:
    """Run with the notebooks' own parameters and commit-ready outputs, written over notebooks/."""
    from authoring import publish as publishing

    publishing.publish(from_=from_, only=only, echo=typer.echo)


@app.command()
def new(name: Annotated[str, typer.Argument(help="two digits and a title, such as 15_shorter_pairs")]) -> None:
    """Begin a notebook from the template, with its gate and its line in README.md."""
    from authoring import new as making

    for path in making.create(name):
        typer.echo(f"{path.relative_to(settings.ROOT)}: written")


@app.command()
def release() -> None:
    """Make the release of every lab from its master."""
    from authoring import labs

    for path in labs.release_all():
        typer.echo(f"{path.relative_to(settings.ROOT)}: written")


@app.command()
def lint(
    files: Annotated[list[Path] | None, typer.Argument(help="notebooks and pages; all when empty")] = None,
) -> None:
    """Say every problem of the notebooks and pages that can be seen without running them."""
    from authoring import lint as linting

    found = linting.problems(files or ())
    for problem in found:
        typer.echo(problem, err=True)
    if found:
        raise typer.Exit(1)


@app.command()
def tidy(files: Notebooks) -> None:
    """Put back what an editor changed in notebooks unasked; exit status 1 when there was something."""
    from authoring import restore as tidying
    from utils.course import runner

    changed = 0
    for file in files or [*runner.notebooks(), *runner.more()]:
        if tidying.tidy(file, committed=tidying.committed(file)):
            typer.echo(f"{file}: tidied; look at it (git diff), then add it again")
            changed += 1
    raise typer.Exit(int(changed > 0))
