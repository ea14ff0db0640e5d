"""Workers start together, their rates are added, and one that dies or hangs is an error and leaves nothing running."""

import io
import json
import sys
import threading
from pathlib import Path

import pytest

from utils.measure.variant import Variant
from utils.rank import runtimes
from utils.speed import processes
from utils.speed.processes import Way

VARIANT = Variant("student", "openvino", "int8")
PAIRS = [("sofa", "a couch"), ("sofa", "a bed"), ("lamp", "brass")]
LIMITS = {"max_tokens": 32, "batch_size": 8}


def rate(folder=Path("run"), *, variant=VARIANT, n_processes=2, pairs=PAIRS, seconds=0.1):
    given = {"n_processes": n_processes, "threads": 1, "pairs": pairs, "seconds": seconds}
    return processes.pairs_per_s(variant, folder, **given, **LIMITS)


@pytest.fixture
def workers(monkeypatch):
    """Makes workers of a few lines of Python; holds those that were started."""
    started, whole = [], processes._Worker.__init__

    def note(worker, start):
        whole(worker, start)
        started.append(worker)

    def make(code):
        monkeypatch.setattr(processes, "command", lambda: [sys.executable, "-c", code])
        return started

    monkeypatch.setattr(processes._Worker, "__init__", note)
    return make


def test_rates_of_all_workers_are_added_and_other_lines_that_they_print_are_passed_over(workers):
    started = workers(
        "input(); print('a library says hello'); print('ready ', flush=True); input(); print('done 21.5')"
    )
    assert rate(n_processes=3) == 64.5
    assert len(started) == 3 and all(worker.process.poll() is not None for worker in started)


def test_no_worker_goes_before_all_are_ready(workers, tmp_path):
    code = f"""
import os, sys
input()
folder = {str(tmp_path)!r}
open(os.path.join(folder, str(os.getpid())), "w").close()
print("ready ", flush=True)
input()
print("done", len(os.listdir(folder)), flush=True)
"""
    workers(code)
    assert rate(n_processes=3) == 9.0  # each saw the files of all three when it was told to go


def test_a_worker_that_dies_is_told_by_its_last_line_and_ends_the_others(workers, tmp_path):
    code = f"""
import os
input()
try:
    os.mkdir({str(tmp_path / "first")!r})
except FileExistsError:
    print("ready ", flush=True)
    input()
raise SystemExit("noise\\nno such model")
"""
    started = workers(code)
    with pytest.raises(RuntimeError, match="ended with status 1: no such model$"):
        rate(n_processes=2)
    assert all(worker.process.poll() is not None for worker in started)


def test_a_worker_that_hangs_is_an_error_after_the_deadline(workers, monkeypatch):
    monkeypatch.setattr(processes, "START_DEADLINE_S", 0.2)
    started = workers("import sys; sys.stdin.read()")  # waits for an end that does not come
    with pytest.raises(RuntimeError, match="not ready within 0.2 s"):
        rate()
    assert all(worker.process.poll() is not None for worker in started)


def test_a_worker_that_never_ends_its_work_is_an_error_too(workers, monkeypatch):
    monkeypatch.setattr(processes, "END_DEADLINE_S", 0.2)
    workers("import sys; input(); print('ready ', flush=True); sys.stdin.read()")
    with pytest.raises(RuntimeError, match="not done within 0.3 s"):
        rate(n_processes=1)


class Clocked:
    """Takes a second a pair."""

    def __init__(self):
        self.now, self.seen = 0.0, []

    def score(self, pairs):
        self.now += len(pairs)
        self.seen.append(len(pairs))


def test_a_worker_scores_query_after_query_until_the_time_is_over():
    ranker = Clocked()
    found = processes.work(ranker, queries=[PAIRS[:2], PAIRS[2:]], seconds=5, clock=lambda: ranker.now)
    assert found == 1.0 and ranker.seen == [2, 1, 2]


def test_the_process_opens_what_it_is_told_on_its_threads_warms_up_and_waits_for_the_word(monkeypatch, capsys):
    opened, seen = [], []

    class Ranker:
        def score(self, pairs):
            seen.append(pairs)

    monkeypatch.setattr(runtimes, "open_ranker", lambda folder, **given: opened.append((folder, given)) or Ranker())
    monkeypatch.setattr(processes, "work", lambda ranker, queries, seconds: (len(queries), seconds, len(seen)))
    task = {"run_folder": "run", "variant": vars(VARIANT), "engines": runtimes.MODULES, "threads": 2, **LIMITS}
    task |= {"seconds": 3, "pairs": PAIRS}
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(task) + "\ngo\n"))
    processes.main()
    assert opened == [(Path("run/student"), {"runtime": "openvino", "threads": 2, "device": "cpu", **LIMITS})]
    assert seen == [[tuple(pair) for pair in PAIRS[:2]], [tuple(PAIRS[2])]]
    assert capsys.readouterr().out.splitlines() == ["ready ", "done (2, 3, 2)"]


def test_ways_take_turns_and_the_first_changes(monkeypatch):
    asked = []

    def fake(variant, run_folder, *, n_processes, threads, **given):
        asked.append((n_processes, threads))
        return float(len(asked))

    monkeypatch.setattr(processes, "pairs_per_s", fake)
    one, two = Way(1, 2), Way(2, 1)
    found = processes.rates_by_turns(VARIANT, Path("run"), ways=[one, two], turns=2, pairs=PAIRS, seconds=1, **LIMITS)
    assert asked == [(1, 2), (2, 1), (2, 1), (1, 2)] and found == {one: (1.0, 4.0), two: (2.0, 3.0)}
    assert (str(one), str(two)) == ("1 process × 2 threads", "2 processes × 1 thread")


def test_two_real_processes_score_together_and_leave_no_thread(small_folder):
    n_threads = threading.active_count()
    assert rate(small_folder.parent, variant=Variant(small_folder.name, "onnxruntime"), seconds=0.2) > 0
    assert threading.active_count() == n_threads


def test_a_folder_that_does_not_open_is_an_error_in_the_worker_s_words(tmp_path):
    with pytest.raises(RuntimeError, match="is missing"):
        rate(tmp_path, variant=Variant("none", "pytorch"), n_processes=1)


@pytest.mark.parametrize("changed", [{"n_processes": 0}, {"pairs": []}, {"seconds": 0}])
def test_nothing_to_measure_is_refused(changed):
    with pytest.raises(ValueError, match="give some of each"):
        rate(**changed)
