"""The hooks of git: `course tidy` asks git what is committed, and a commit of a broken notebook stops, restored."""

import json
import os
import re
import shutil
import subprocess
import sys

import nbformat
import pytest
import yaml
from made import published, run_cells

from authoring import committed_form, restore
from utils import settings
from utils.course import cli


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A git repository of one published notebook, committed, with the project's hook that tidies notebooks."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    for name in ("GIT_AUTHOR", "GIT_COMMITTER"):
        monkeypatch.setenv(f"{name}_NAME", "A. Author")
        monkeypatch.setenv(f"{name}_EMAIL", "author@example.org")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("PRE_COMMIT_HOME", str(tmp_path / "pre-commit"))
    monkeypatch.setenv("PYTHONPATH", str(settings.ROOT))
    folder = tmp_path / "repository"
    (folder / "notebooks").mkdir(parents=True)
    (folder / "notebooks" / "01_sums.ipynb").write_text(committed_form.text(published()))
    (folder / ".pre-commit-config.yaml").write_text(yaml.safe_dump(hook_alone()))
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "Begin")
    return folder


def hooks():
    return yaml.safe_load((settings.ROOT / ".pre-commit-config.yaml").read_text())["repos"]


def hook_alone():
    (hook,) = [hook for hook in hooks()[0]["hooks"] if hook["id"] == "tidy"]
    return {"repos": [{"repo": "local", "hooks": [hook | {"entry": f"{sys.executable} -m utils.course.cli tidy"}]}]}


def git(folder, *arguments):
    return subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


def broken(folder):
    path = folder / "notebooks" / "01_sums.ipynb"
    before = path.read_text()
    nb = nbformat.reads(before, as_version=4)
    run_cells(nb, start=17)
    path.write_text(json.dumps(nb))
    git(folder, "add", ".")
    return path, before


def status_of_tidy(path):
    with pytest.raises(SystemExit) as stop:
        cli.main(["tidy", str(path)])
    return stop.value.code


@pytest.mark.parametrize("hidden", [False, True], ids=["by hand", "with the variables of a hook"])
def test_the_command_names_what_it_changed_and_ends_with_1_once(repository, monkeypatch, capsys, hidden):
    path, before = broken(repository)
    if hidden:  # as git sets it for a hook in a linked worktree
        monkeypatch.setenv("GIT_DIR", str(repository / ".git"))
    assert status_of_tidy(path) == 1
    assert capsys.readouterr().out.startswith(f"{path}: tidied") and path.read_text() == before
    assert status_of_tidy(path) == 0 and capsys.readouterr().out == ""


def test_only_what_the_last_commit_has_counts_as_committed(repository, tmp_path):
    new = repository / "notebooks" / "02_new.ipynb"
    new.write_text(committed_form.text(published()))
    git(repository, "add", ".")
    assert restore.committed(new) is None
    assert restore.committed(repository / "notebooks" / "01_sums.ipynb") == committed_form.text(published())
    git(tmp_path, "init", "--quiet", "empty")
    assert restore.committed(tmp_path / "empty" / "01_sums.ipynb") is None


def test_no_notebook_is_taken_for_new_where_git_does_not_answer(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    path = tmp_path / "01_sums.ipynb"
    path.write_text(committed_form.text(published()))
    assert status_of_tidy(path) == 2 and path.read_text() == committed_form.text(published())
    assert "git does not say what is committed" in capsys.readouterr().err


def test_the_hook_stops_a_commit_of_a_broken_notebook_and_restores_it(repository):
    path, before = broken(repository)
    command = [sys.executable, "-m", "pre_commit", "run"]
    first = subprocess.run(command, cwd=repository, capture_output=True, text=True)
    assert first.returncode == 1 and "01_sums.ipynb: tidied" in first.stdout, first.stdout + first.stderr
    assert path.read_text() == before
    second = subprocess.run([*command, "--all-files"], cwd=repository, capture_output=True, text=True)
    assert second.returncode == 0 and "Passed" in second.stdout, second.stdout + second.stderr


def test_every_hook_is_local_and_runs_from_the_environment_of_the_repository():
    assert [repository["repo"] for repository in hooks()] == ["local"]
    entries = [(hook["language"], hook["entry"].split()[0]) for hook in hooks()[0]["hooks"]]
    assert entries and set(entries) == {("system", ".ci/venv")}


def test_a_hook_without_the_environment_says_which_target_makes_it(tmp_path):
    (tmp_path / ".ci").mkdir()
    shutil.copy(settings.ROOT / ".ci" / "venv", tmp_path / ".ci")
    done = subprocess.run([".ci/venv", "ruff", "check"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1 and ".venv/bin/ruff is missing: run 'make hooks' first" in done.stderr
    makefile = (settings.ROOT / "Makefile").read_text()
    assert all(re.search(rf"^{target}:", makefile, re.M) for target in re.findall(r"make (\w+)", done.stderr))


def test_a_hook_runs_the_tool_of_the_environment_with_its_arguments_and_status(tmp_path):
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    tool = tmp_path / ".venv" / "bin" / "course"
    tool.write_text('#!/bin/sh\necho "$#: $*"\nexit 3\n')
    tool.chmod(0o755)
    command = [str(settings.ROOT / ".ci" / "venv"), "course", "tidy", "a b.ipynb"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (3, "2: tidy a b.ipynb\n")
