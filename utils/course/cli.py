"""The command `course`: a thin shell over functions that a notebook can call as well.

Exit status 0 when all went well, 2 for a wrong call or bad input, 1 for a failure of ours, 130 after Ctrl-C. Further
commands come from installed packages with an entry point in the group COMMANDS, such as those of the course's authors.
"""

from __future__ import annotations

import copy
import errno
import os
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated

import typer

from utils import environment, settings
from utils.data import identity

INTERRUPTED = 130
COMMANDS = "rank_for_less.commands"
REMEDIES = {
    errno.ENOSPC: "free some space",
    errno.EROFS: "give a folder that can be written with --out",
    errno.EMFILE: f"let more files be open with: ulimit -n {environment.N_FILES}",
}
REFUSED = (errno.EACCES, errno.EPERM)

app = typer.Typer(
    help="Rank for Less: run the course and look at what it made.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
data = typer.Typer(help="Fetch a public data set, or look at one before ranking it.", no_args_is_help=True)
app.add_typer(data, name="data")
lab = typer.Typer(help="Begin a lab, check your copy, or begin it anew.", no_args_is_help=True)
app.add_typer(lab, name="lab")
warm = typer.Typer(help="Carry a run to other machines, so that nobody waits for its stages.", no_args_is_help=True)
app.add_typer(warm, name="warm")

Dataset = Annotated[
    str,
    typer.Option(
        help="'synthetic', a fetched set ('wands', 'esci'), or a folder with queries, products and labels.csv"
    ),
]
ProfileName = Annotated[str, typer.Option("--profile", "-p", help=f"sizes of the run: {', '.join(settings.PROFILES)}")]
Seed = Annotated[int, typer.Option(min=0, max=settings.MAX_SEED, help="seed of training; the data never depends on it")]
Out = Annotated[
    str, typer.Option(help="folder for all the run makes (one in artifacts/, of these data alone, if empty)")
]
From = Annotated[str | None, typer.Option("--from", help="start at this notebook: its number or name")]
Only = Annotated[str | None, typer.Option(help="this notebook alone: its number or name")]
LabName = Annotated[str, typer.Argument(metavar="LAB", help="such as lab_01")]


@app.callback()
def everywhere(debug: Annotated[bool, typer.Option(help="show the traceback of an error")] = False) -> None:
    """Rank for Less: run the course and look at what it made."""


@app.command()
def run(
    profile: ProfileName = "laptop",
    dataset: Dataset = "synthetic",
    seed: Seed = 0,
    from_: From = None,
    only: Only = None,
    out: Out = "",
) -> None:
    """Run the notebooks whose code, parameters or data changed, in order; ends with the report's path."""
    from utils.course import report as page
    from utils.course import runner

    chosen = {"profile": profile, "dataset": dataset, "seed": seed, "out": out}
    folder = runner.run(**chosen, from_=from_, only=only, echo=typer.echo)
    typer.echo(page.write(folder, **chosen))


@app.command()
def status(profile: ProfileName = "laptop", dataset: Dataset = "synthetic", seed: Seed = 0, out: Out = "") -> None:
    """Say of every notebook whether its outputs are fresh."""
    from utils.course import runner

    for notebook in runner.status(profile=profile, dataset=dataset, seed=seed, out=out):
        seconds = "" if notebook.seconds is None else f"{notebook.seconds:,.0f} s"
        typer.echo(f"{notebook.name:32} {notebook.state:10} {seconds:>8}".rstrip())


@app.command()
def ledger(
    profile: ProfileName = "laptop", dataset: Dataset = "synthetic", seed: Seed = 0, out: Out = "", json: bool = False
) -> None:
    """Print the latest row of every model and way of running one."""
    from utils.measure import ledger as book
    from utils.measure import ledger_table

    folder = _folder(profile=profile, dataset=dataset, seed=seed, out=out)
    rows = book.current(folder / "ledger.jsonl")
    if not rows:
        raise ValueError(f"{folder.name}: no ledger yet; run the notebooks first: course run")
    for row in rows if json else []:
        typer.echo(row.model_dump_json())
    if not json:
        typer.echo(ledger_table.tabulate(rows).to_string())


@app.command()
def report(profile: ProfileName = "laptop", dataset: Dataset = "synthetic", seed: Seed = 0, out: Out = "") -> None:
    """Write the run's report.html and print its path."""
    from utils.course import report as page

    folder = _folder(profile=profile, dataset=dataset, seed=seed, out=out)
    typer.echo(page.write(folder, profile=profile, dataset=dataset, seed=seed, out=out))


@app.command()
def export(
    model: Annotated[Path, typer.Option(help="a model folder, with model.safetensors")],
    to: Annotated[str, typer.Option(help="onnx, ort, openvino, litert, executorch or web")],
    out: Annotated[Path, typer.Option(help="the folder to write; an older one is replaced")],
    precision: Annotated[str, typer.Option(help="fp32 or int8")] = "fp32",
) -> None:
    """Write a model folder in the format of a device: what must be shipped, and nothing else."""
    from utils.course import exporting

    folder = exporting.export(model, to=to, out=out, precision=precision, echo=typer.echo)
    n_bytes = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    typer.echo(f"{folder}: {n_bytes / 1e6:,.1f} MB to ship")


@app.command()
def converter(name: Annotated[str, typer.Argument(help="litert or executorch")]) -> None:
    """Make the environment that converts to LiteRT or ExecuTorch, once; gigabytes under artifacts/converters."""
    from utils.edge.exports import converters

    typer.echo(converters.install(name, echo=typer.echo))


@data.command("fetch")
def fetch(
    name: Annotated[str, typer.Argument(help=f"one of {', '.join(settings.PUBLIC_SETS)}")],
    from_: Annotated[
        str, typer.Option("--from", help="take the files from here: a folder, a .zip, or the address of a mirror")
    ] = "",
    hub: Annotated[bool, typer.Option("--hub", help="esci alone: take it from the Hugging Face hub")] = False,
    into: Annotated[str, typer.Option(help="folder that the set's own folder lies in (data/ if empty)")] = "",
) -> None:
    """Fetch a public data set, check it, and write it in the layout of data/README.md; an interrupted call goes on."""
    from utils.data.public import public_sets

    folder = public_sets.fetch(name, from_=from_, hub=hub, into=into, echo=typer.echo)
    typer.echo(f"next: course run --dataset {folder if into else name}")


@data.command("check")
def check(
    dataset: Annotated[
        str, typer.Argument(metavar="FOLDER", help="a folder, the name of a fetched set, or 'synthetic'")
    ],
) -> None:
    """Check a data set line by line and say what is in it; the first problem is named with its place."""
    from utils.data import catalogue, summary

    tables = catalogue.read(dataset)
    if dataset == "synthetic":
        typer.echo(
            "synthetic is the embedded shop, which is always there and good; a folder of that name is ./synthetic"
        )
    for line in summary.lines(tables):
        typer.echo(line)

    from utils.course import legibility  # imports PyTorch, which takes seconds

    typer.echo(legibility.of_tables(tables))


@warm.command("pack")
def pack(
    file: Annotated[Path, typer.Argument(dir_okay=False, help="the file to write, such as room.zip")],
    profile: ProfileName = "laptop",
    dataset: Dataset = "synthetic",
    seed: Seed = 0,
    out: Out = "",
) -> None:
    """Run the notebooks that are not fresh, and put all that the run made into one file, with checksums."""
    from utils.course import runner
    from utils.course import warm as packing

    folder = runner.run(profile=profile, dataset=dataset, seed=seed, out=out, echo=typer.echo)
    name = identity.run_name(dataset=dataset, profile_name=profile, seed=seed)
    packing.pack(folder, run=name, target=file)
    typer.echo(f"{file}: {file.stat().st_size / 1e6:,.0f} MB; on the other machine: course warm unpack {file.name}")


@warm.command("unpack")
def unpack(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="what was packed")],
) -> None:
    """Check every file of a packed run and put it where the notebooks look for it; they start at once."""
    from utils.course import warm as packing

    folder = packing.unpack(file)
    name, profile, seed = folder.name.rsplit("-", 2)
    data_set = "" if name == settings.EMBEDDED else " --dataset FOLDER, with the same data"
    typer.echo(f"{folder}\nnext: course status --profile {profile} --seed {seed}{data_set}")


@lab.command("start")
def start_lab(name: LabName) -> None:
    """Copy a lab to labs/mine/, where you write in it."""
    from utils.course.labs import workbook

    typer.echo(workbook.start(name))


@lab.command("reset")
def reset_lab(name: LabName) -> None:
    """Begin a lab anew; your copy is moved to labs/mine/backup/ first."""
    from utils.course.labs import workbook

    place, backup = workbook.reset(name)
    if backup:
        typer.echo(f"your copy is kept in {backup}")
    typer.echo(place)


@lab.command("check")
@app.command("check")
def check_lab(name: LabName) -> None:
    """Run your copy of a lab from top to bottom and say which tasks are solved; status 1 where one is not."""
    from utils.course.labs import workbook

    standings = workbook.check(name)
    for standing in standings:
        typer.echo(f"{standing.task:28} {standing.state:12} {standing.words}".rstrip())
    if any(standing.state != workbook.SOLVED for standing in standings):
        raise typer.Exit(1)


@lab.command("solution")
def show_solution(name: LabName) -> None:
    """Print what the author of a lab wrote in its place."""
    from utils.course.labs import workbook

    for task, source in workbook.solutions(name):
        typer.echo(f"# {task}\n{source}\n")


@app.command()
def progress(
    export: Annotated[
        Path | None, typer.Option(dir_okay=False, help="write a table of all tasks there as well (CSV)")
    ] = None,
) -> None:
    """Show how many tasks of each lab are solved."""
    from utils.course.labs import workbook

    for one in workbook.progress():
        n_solved, n_tasks = len(one.solved), len(one.tasks)
        bar = "#" * n_solved + "." * (n_tasks - n_solved)
        begun = "" if one.is_begun else f"   begin with: course lab start {one.lab}"
        typer.echo(f"{one.lab}  {bar}  {n_solved} of {n_tasks} solved{begun}")
    if export is not None:
        typer.echo(workbook.export(export))


@app.command()
def demo(
    profile: ProfileName = "laptop",
    dataset: Dataset = "synthetic",
    seed: Seed = 0,
    out: Out = "",
    model: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help="a model folder to show instead of the run's own")
    ] = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="0 for a free one; a browser keeps its copy by port")
    ] = 8765,
    no_open: Annotated[bool, typer.Option("--no-open", help="print the address, and open no browser")] = False,
) -> None:
    """Show the shop's search in a browser: the final model beside the teacher, both inside the page."""
    from utils.course import demo as page

    folder = page.build(profile=profile, dataset=dataset, seed=seed, out=out, model=model, echo=typer.echo)
    page.show(folder, port=port, opens=not no_open, echo=typer.echo)


def _folder(*, profile: str, dataset: str, seed: int, out: str) -> Path:
    settings.profile(profile)
    return identity.run_folder(dataset=dataset, profile_name=profile, seed=seed, out=out)


def with_installed_commands() -> typer.Typer:
    """The command line with the commands of every installed package that offers some under COMMANDS.

    Commands that cannot be loaded, as of a package that is half removed, are said and left out.
    """
    whole = copy.copy(app)
    whole.registered_commands = list(app.registered_commands)
    for entry in entry_points(group=COMMANDS):
        try:
            whole.registered_commands += entry.load().registered_commands
        except ImportError as error:
            typer.echo(f"course: the commands of '{entry.name}' cannot be loaded ({error}) and are left out", err=True)
    return whole


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; bad input ends with one paragraph on standard error, a traceback only with --debug."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in arguments
    try:
        environment.prepare_command()
        with_installed_commands()([a for a in arguments if a != "--debug"], prog_name="course")
    except Exception as error:
        if debug:
            raise
        typer.echo(f"course: {_words(error)}", err=True)
        sys.exit(_exit_status(error))


def _words(error: Exception) -> str:
    """One paragraph; what the system refused comes with a remedy."""
    remedy = _remedy(error) if isinstance(error, OSError) else None
    if remedy is None:
        return " ".join(str(error).split()) or type(error).__name__
    place = f"{error.filename}: " if error.filename else ""
    return f"{place}{os.strerror(error.errno)}; {remedy}, then the same command goes on"


def _remedy(error: OSError) -> str | None:
    if error.errno not in REFUSED or not error.filename:
        return REMEDIES.get(error.errno)
    place = Path(os.path.abspath(os.fsdecode(error.filename)))
    for above in reversed(place.parents):
        if above.exists() and not os.access(above, os.X_OK):
            return f"make {above} readable"
    if place.exists() and not os.access(place, os.R_OK):
        return "make it readable"
    return "make it writable, or give another folder with --out"


def _exit_status(error: Exception) -> int:
    from utils.course.runner import Interrupted

    return (
        INTERRUPTED if isinstance(error, Interrupted) else 2 if isinstance(error, ValueError | PermissionError) else 1
    )


if __name__ == "__main__":
    main()
