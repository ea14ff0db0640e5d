"""Runs that are killed, stopped, starved of disk or doubled: nothing is half-written, and the next run ends as ever.

The course here is made for these tests: two notebooks that write stages, rows and outputs with the functions that the
real ones use, but import no PyTorch, so that a whole run takes seconds.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import time

import nbformat
import psutil
import pytest
from made import notebook

from utils import settings
from utils.course import stages
from utils.measure import ledger

COMMAND = (  # a shell starts its background jobs, such as these tests, deaf to Ctrl-C
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from pathlib import Path; from utils import settings; settings.NOTEBOOKS = Path(sys.argv[1]); "
    "from utils.course import cli; cli.main(sys.argv[2:])"
)
MAKE_STAGE = """
import os
from pathlib import Path
from utils.course import stages
with stages.whole(Path(OUT) / {stage!r}, notebook={notebook!r}) as folder:
    for number in range(200):
        with (folder / f"part{{number}}.bin").open("wb") as part:
            part.write(bytes([number + SEED]) * 50_000)
            os.fsync(part.fileno())  # as a large model takes its time, so that kills fall into the writing
"""
ADD_ROWS = """
from utils.measure import ledger
from utils.measure.row_groups import Row
facts = dict(parent=None, notebook={notebook!r}, model_hash="x", runtime="x", precision="x", device="x", dataset="x")
facts |= dict(dataset_hash="x", profile="x", git_revision="x", time_utc="x", machine={{}}, versions={{}}, threads=1)
absent = {{name: {{"why_null": "made"}} for name in Row.model_fields if name != "identity"}}
rows = [Row(identity=dict(stage=s, label=s, seed=SEED, **facts), **absent) for s in {stages!r}]
ledger.append(Path(OUT) / "ledger.jsonl", *rows)
print("rows", len(rows))
"""
WAIT = """
import time
from pathlib import Path
end = time.monotonic() + 300
while not Path({file!r}).exists():
    assert time.monotonic() < end, "it did not come"
    time.sleep(0.02)
"""
N_CHAINS, N_KILLS = 5, 4


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """The folder of two notebooks, of which the second needs the first one's stage."""
    folder = tmp_path_factory.mktemp("made") / "notebooks"
    folder.mkdir()
    for name, stage, needs in (("01_one", "teacher", []), ("02_two", "student", ["teacher"])):
        cells = [
            MAKE_STAGE.format(stage=stage, notebook=name),
            ADD_ROWS.format(notebook=name, stages=[stage, f"{stage}2"]),
        ]
        nb = notebook(*cells, needs=needs)
        nbformat.write(nb, folder / f"{name}.ipynb")
    return folder


@pytest.fixture(scope="module")
def undisturbed(course, tmp_path_factory):
    """Seconds and the result of a run that nothing disturbs."""
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    start = time.monotonic()
    assert finish(course, out) == (0, "")
    return time.monotonic() - start, result(out)


def begin(course, out, *arguments):
    command = [sys.executable, "-c", COMMAND, str(course), "run", "--out", str(out), *arguments]
    where = {"cwd": settings.ROOT, "env": os.environ | {"PYTHONPATH": str(settings.ROOT)}}
    return subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **where)


def finish(course, out):
    """Exit status of a whole run, and what the course itself says on standard error; ZeroMQ may add a line there."""
    process = begin(course, out)
    _, err = process.communicate()
    return process.returncode, "".join(line for line in err.splitlines(keepends=True) if line.startswith("course:"))


def result(out):
    """All that a run leaves: hashes of stages, rows, outputs of notebooks, the report."""
    copies = sorted((out / "notebooks").glob("*.ipynb"))
    outputs = {
        path.name: [cell.get("outputs") for cell in nbformat.read(path, as_version=4).cells[-2:]] for path in copies
    }
    rows = ledger.current(out / "ledger.jsonl")
    return stages.hashes(out), rows, outputs, (out / "report.html").read_text().replace(str(out), "OUT")


def assert_nothing_is_half_written(out):
    for name in ("teacher", "student"):
        assert not (out / name).exists() or stages.problem(out / name) == ""
    assert len(ledger.read(out / "ledger.jsonl")) % 2 == 0, "the rows of a notebook come together"
    for path in (out / "notebooks").glob("[0-9]*.ipynb"):
        nbformat.read(path, as_version=4)
    page = out / "report.html"
    assert not page.exists() or page.read_text().rstrip().endswith("</html>")


def kill_at(moment, course, out):
    """Whether a run was killed after so many seconds; one that ended before was not."""
    process = begin(course, out)
    try:
        process.communicate(timeout=moment)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
    return process.returncode < 0


@pytest.mark.parametrize("seed", range(N_CHAINS))
def test_runs_killed_one_after_the_other_leave_nothing_half_written_and_the_next_ends_as_ever(
    course, undisturbed, tmp_path, seed
):
    (seconds, expected), rng, n_kills, out = undisturbed, random.Random(seed), 0, tmp_path / "out"
    while n_kills < N_KILLS:
        killed = kill_at(seconds * rng.random(), course, out)
        assert_nothing_is_half_written(out)
        n_kills += killed
        if not killed or (out / "report.html").exists():  # there is nothing left to kill: begin again
            shutil.rmtree(out)
    assert finish(course, out) == (0, "")
    assert_nothing_is_half_written(out)
    assert result(out) == expected


def wait_for(condition, *, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.02)


@pytest.fixture
def waiting(course, tmp_path):
    """A run whose second notebook does not end until a file appears; gives the process, its folder and that file."""
    folder = tmp_path / "notebooks"
    shutil.copytree(course, folder)
    go, out = tmp_path / "go", tmp_path / "out"
    cell = WAIT.format(file=str(go))
    nbformat.write(notebook(f"open({str(tmp_path / 'there')!r}, 'w').close()", cell), folder / "02_two.ipynb")
    process = begin(folder, out)
    wait_for((tmp_path / "there").exists)
    yield process, folder, out, go
    process.kill()
    process.communicate()


def test_ctrl_c_says_where_it_stopped_ends_the_kernel_and_loses_nothing(waiting):
    process, folder, out, go = waiting
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    said, err = process.communicate()
    assert process.returncode == 130 and said.startswith("01_one: ") and "Traceback" not in err
    assert err.endswith(
        "course: stopped in 02_two.ipynb; finished notebooks are kept, and the same command goes on from there\n"
    )
    assert children and not any(child.is_running() for child in children)
    assert [path.name for path in (out / "notebooks").iterdir()] == ["01_one.ipynb"]
    go.touch()
    assert finish(folder, out) == (0, "")


def test_a_second_run_in_the_same_folder_says_so_and_stops(waiting):
    process, folder, out, go = waiting
    status, err = finish(folder, out)
    assert status == 2 and err == f"course: {out}: another run is working there; wait for it, or give another --out\n"
    go.touch()
    process.communicate()
    assert process.returncode == 0 and finish(folder, out) == (0, "")


@pytest.fixture
def small_disk(tmp_path):
    """A file system of a megabyte; `grow` makes it large."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], capture_output=True).returncode:
        pytest.skip("mounting a small file system needs Linux and its administrator")
    yield disk, lambda: subprocess.run(["mount", "-o", "remount,size=100m", str(disk)], check=True)
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_is_named_and_the_next_run_with_room_ends_as_ever(course, undisturbed, small_disk):
    disk, grow = small_disk
    status, err = finish(course, disk / "out")
    assert status == 1 and "No space left on device" in err and "free some space" in err and "01_one.ipynb" in err
    assert_nothing_is_half_written(disk / "out")
    grow()
    assert finish(course, disk / "out") == (0, "")
    assert result(disk / "out") == undisturbed[1]


def test_a_folder_that_cannot_be_written_is_named_with_the_remedy(course, tmp_path):
    (tmp_path / "file").write_text("no folder")
    status, err = finish(course, tmp_path / "file" / "out")
    assert status == 2 and err.startswith(
        f"course: {tmp_path / 'file' / 'out'}: cannot be written (Not a directory); give another"
    )
