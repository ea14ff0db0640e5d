"""The workflows of GitHub and the development container: valid, careful with secrets, and true to Makefile, README.md
and the command line. Each gate is shown refusing a workflow that breaks its rule.

What the runners make of the workflows is not shown here; the schema and these rules are all that can be known offline.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
import typer
import yaml

from utils import settings
from utils.course import cli
from utils.data import identity

WORKFLOWS = ("pull-request", "weekly", "install")
FOLDER = settings.ROOT / ".github" / "workflows"
ADDRESSES = {"https://download.pytorch.org/whl/cpu", "http://localhost:8888/api"}
ALLOWED = {"contents": "read"}
WEEKLY = ALLOWED | {"issues": "write"}  # what breaks becomes an issue
SECRET = re.compile(
    r"secrets\.|github\.token|TOKEN|SECRET|PASSWORD|\bset -\w*x|\bprintenv\b|(^|[;&|]\s*)env\s*($|[;&|])", re.M
)


def text_of(name: str) -> str:
    return (FOLDER / f"{name}.yml").read_text(encoding="utf-8")


def makefile_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (settings.ROOT / "Makefile").read_text(encoding="utf-8"), re.M))


def course_commands() -> set[str]:
    return set(typer.main.get_command(cli.app).commands)


def steps(workflow: dict) -> Iterator[dict]:
    for job in workflow["jobs"].values():
        yield from job["steps"]


def scripts(workflow: dict) -> list[str]:
    return [step["run"] for step in steps(workflow) if "run" in step]


def named(script: str, *, program: str) -> set[str]:
    """The targets or commands that a script asks of `make` or `course`, options and variables aside."""
    calls = re.findall(rf"(?<![\w-]){program} +([^;&|\n]*)", script)
    words = [call.split() if program == "make" else call.split()[:1] for call in calls]
    return {word for call in words for word in call if "=" not in word and not word.startswith("-")}


def right_problems(workflow: dict, *, allowed: dict[str, str]) -> list[str]:
    """Rights beyond those that the workflow needs, and triggers that hand rights to other people's code."""
    triggers = workflow.get("on", workflow.get(True))  # YAML 1.1 reads `on` as true
    problems = [
        f"the trigger {name} is refused" for name in ("pull_request_target", "workflow_run") if name in triggers
    ]
    if workflow.get("permissions") != allowed:
        problems.append(f"permissions are {workflow.get('permissions')}, not {allowed}")
    return problems + [f"job {name} sets permissions" for name, job in workflow["jobs"].items() if "permissions" in job]


def job_problems(workflow: dict) -> list[str]:
    """Jobs that may hang, and actions that are not held to one major version or leave the token behind."""
    problems = [f"job {name} has no timeout" for name, job in workflow["jobs"].items() if "timeout-minutes" not in job]
    for step in steps(workflow):
        action = step.get("uses", "none@v0")
        if not re.fullmatch(r"[\w./-]+@v\d+", action):
            problems.append(f"{action} is not held to one major version")
        if action.startswith("actions/checkout") and step.get("with", {}).get("persist-credentials") is not False:
            problems.append("checkout keeps the token where later steps can read it")
    return problems


def script_problems(workflow: dict) -> list[str]:
    """Scripts that could print a secret or run what somebody typed on GitHub, and calls of what does not exist."""
    problems = []
    for script in scripts(workflow):
        if SECRET.search(script):
            problems.append(f"a script could show a secret: {SECRET.search(script)[0]}")
        if "${{" in script:
            problems.append("a script holds an expression; hand it over in env")
        problems += [f"no target: make {word}" for word in named(script, program="make") - makefile_targets()]
        problems += [f"no command: course {word}" for word in named(script, program="course") - course_commands()]
    return problems


def faults_of(text: str, *, allowed: dict[str, str] = ALLOWED) -> list[str]:
    workflow = yaml.safe_load(text)
    found = right_problems(workflow, allowed=allowed) + job_problems(workflow) + script_problems(workflow)
    addresses = set(re.findall(r"\w+://[^\s'\"]+", text)) - ADDRESSES
    return found + [f"the address {address} is not allowed" for address in sorted(addresses)]


def schema_status(text: str, *, folder) -> tuple[int, str]:
    path = folder / "workflow.yml"
    path.write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", str(path)]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def documented(readme: str) -> dict[str, list[str]]:
    """The commands of README.md's install, by the job of install.yml that runs them."""
    section = re.search(r"^## Two commands\n(.*?)^## ", readme, re.M | re.S)[1]
    blocks = [block.group().splitlines() for block in re.finditer(r"(?:^    .*\n)+", section, re.M)]
    make, plain = ([line.split("  #")[0].strip() for line in block] for block in blocks)
    inline = re.findall(r"`((?:make|conda) [^`=]+)`", section)
    return {
        "with-make": list(dict.fromkeys(make + [command for command in inline if command.startswith("make")])),
        "without-make": plain,
        "with-conda": [command for command in inline if command.startswith("conda")],
    }


def run_by_install(text: str) -> dict[str, list[str]]:
    """The commands of every job of install.yml; those that only look whether JupyterLab answers are left out."""
    jobs = yaml.safe_load(text)["jobs"]
    lines = {
        name: [line for script in scripts({"jobs": {name: job}}) for line in script.splitlines()]
        for name, job in jobs.items()
    }
    return {
        name: [line.removesuffix(" &") for line in found if not line.startswith(("curl ", "kill "))]
        for name, found in lines.items()
    }


def test_every_workflow_is_checked_here():
    assert sorted(path.name for path in FOLDER.iterdir()) == sorted(f"{name}.yml" for name in WORKFLOWS)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_is_valid_by_githubs_schema(name, tmp_path):
    status, words = schema_status(text_of(name), folder=tmp_path)
    assert status == 0, words


@pytest.mark.parametrize(
    ("old", "new"), [("runs-on:", "runs_on:"), ("steps:", "step:"), ("timeout-minutes: 60", "timeout-minutes: long")]
)
def test_the_schema_refuses_a_workflow_with_a_wrong_key_or_value(old, new, tmp_path):
    assert old in text_of("pull-request")
    status, words = schema_status(text_of("pull-request").replace(old, new), folder=tmp_path)
    assert status == 1 and "Schema validation errors" in words


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_keeps_the_rules(name):
    assert faults_of(text_of(name), allowed=WEEKLY if name == "weekly" else ALLOWED) == []


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("  pull_request:", "  pull_request_target:", "the trigger pull_request_target is refused"),
        ("permissions:\n  contents: read\n", "", "permissions are None"),
        ("contents: read", "contents: write", "permissions are {'contents': 'write'}"),
        ("    timeout-minutes: 60\n", "    permissions: write-all\n", "job test sets permissions"),
        ("    timeout-minutes: 60\n", "", "job test has no timeout"),
        ("actions/checkout@v7", "actions/checkout@main", "is not held to one major version"),
        ("persist-credentials: false", "fetch-depth: 0", "checkout keeps the token"),
        ("make test", "make tests", "no target: make tests"),
        ("make test", "make PYTHON=python3 lint test-all", "no target: make test-all"),
        ("course run", "course walk", "no command: course walk"),
        ("run: make test", "run: echo ${{ secrets.KEY }}", "could show a secret: secrets."),
        ("run: make test", "run: echo $GH_TOKEN", "could show a secret: TOKEN"),
        ("run: make test", "run: set -ex && make test", "could show a secret: set -ex"),
        ("run: make test", "run: env", "could show a secret: env"),
        ("run: make test", "run: echo '${{ github.event.pull_request.title }}'", "a script holds an expression"),
        ("download.pytorch.org/whl/cpu", "example.org/simple", "address https://example.org/simple is not allowed"),
    ],
)
def test_the_rules_refuse_a_workflow_that_breaks_one(old, new, problem):
    text = text_of("pull-request")
    assert old in text
    assert any(problem in found for found in faults_of(text.replace(old, new)))


def test_what_the_quick_run_keeps_lies_where_the_run_puts_it():
    (keep,) = [step for step in steps(yaml.safe_load(text_of("pull-request"))) if "upload" in step.get("uses", "")]
    folder = identity.run_folder(dataset="synthetic", profile_name="ci", seed=0).relative_to(settings.ROOT)
    kept = keep["with"]["path"].split()
    assert kept == [f"{folder}/{name}" for name in ("notebooks/", "ledger.jsonl", "report.html")]
    assert keep["if"] == "${{ !cancelled() }}"


def test_the_install_that_is_tested_is_the_one_that_readme_describes():
    readme = (settings.ROOT / "README.md").read_text(encoding="utf-8")
    assert documented(readme) == run_by_install(text_of("install"))
    assert all(documented(readme).values())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("course run\n", "course run --profile ci\n"),
        ("conda activate rank-for-less", "conda activate base"),
        ("make run ", "make setup run "),
        ("pip install -r requirements-dev.txt", "pip install pytest"),
        ("`make test`", "`make lint`"),
    ],
)
def test_the_comparison_refuses_a_readme_that_says_something_else(old, new):
    readme = (settings.ROOT / "README.md").read_text(encoding="utf-8")
    assert old in readme
    assert documented(readme.replace(old, new)) != run_by_install(text_of("install"))


def test_the_development_container_sets_itself_up_with_the_python_of_the_environment():
    container = json.loads((settings.ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))
    assert named(container["postCreateCommand"], program="make") == {"setup"} <= makefile_targets()
    environment = (settings.ROOT / "environment.yml").read_text(encoding="utf-8")
    assert re.search(r"python:([\d.]+)-", container["image"])[1] == re.search(r"python=([\d.]+)", environment)[1]
    python = container["customizations"]["vscode"]["settings"]["python.defaultInterpreterPath"]
    assert python == "${containerWorkspaceFolder}/.venv/bin/python"
