"""`course demo`: a run's own page or a reader's model, made when something changed, served until it is ended."""

import shutil
import urllib.request
import webbrowser

import pytest

from utils import settings
from utils.course import cli, demo, stages
from utils.edge import web_bundle

RUN = {"profile": "ci", "dataset": "synthetic", "seed": 0}


@pytest.fixture
def made(monkeypatch, tmp_path):
    """Pages are 'made' of one file; holds what each was asked to show."""
    calls = []

    def make(folder, *, models, catalogue, max_tokens):
        calls.append((dict(models), len(catalogue.products), max_tokens))
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "index.html").write_text("the page")
        (folder / web_bundle.NAME).write_text('{"version": "1"}')
        return folder

    monkeypatch.setattr(settings, "ARTIFACTS", tmp_path)
    monkeypatch.setattr(web_bundle, "make", make)
    return calls


def model_folder(folder, weights="weights"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.safetensors").write_text(weights)
    return folder


def write_stage(folder):
    with stages.whole(folder, notebook="01") as partial:
        model_folder(partial)


def test_the_final_model_answers_first_and_the_teacher_beside_it(made, tmp_path):
    for stage in ("teacher", "quantized"):
        write_stage(tmp_path / "synthetic-ci-0" / stage)
    folder = demo.build(**RUN, echo=lambda _: None)
    ((models, n_products, max_tokens),) = made
    assert list(models) == ["Final model", "Teacher"] and models["Final model"].name == "quantized"
    assert (folder, n_products, max_tokens) == (tmp_path / "synthetic-ci-0" / "web", 5_000, 64)


def test_it_is_made_again_only_when_something_changed(made, tmp_path):
    own = model_folder(tmp_path / "own")
    for _ in range(2):
        demo.build(**RUN, model=own, echo=lambda _: None)
    assert [list(models) for models, *_ in made] == [["Your model"]]
    model_folder(own, weights="other weights")
    demo.build(**RUN, model=own, echo=lambda _: None)
    assert len(made) == 2


def test_a_missing_stage_is_named_with_the_command_that_makes_it(made, tmp_path):
    with pytest.raises(FileNotFoundError, match="stage 'quantized' is missing; make it with: course run --profile ci"):
        demo.build(**RUN)
    assert made == []


def test_it_is_served_until_it_is_ended_and_opened_unless_told_not_to(made, tmp_path, monkeypatch):
    folder = demo.build(**RUN, model=model_folder(tmp_path / "own"), echo=lambda _: None)
    opened, said, seen = [], [], []
    monkeypatch.setattr(webbrowser, "open", opened.append)

    def wait(_):
        seen.append(urllib.request.urlopen(said[-1].split()[0]).read())
        raise KeyboardInterrupt

    for opens in (True, False):
        demo.show(folder, opens=opens, echo=said.append, wait=wait)
    assert seen == [b"the page"] * 2 and len(opened) == 1 and opened[0] == said[0].split()[0]


def test_the_command_builds_and_shows(made, tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr(demo, "show", lambda folder, **how: shown.append((folder, how["port"], how["opens"])))
    own = model_folder(tmp_path / "own")
    with pytest.raises(SystemExit) as ended:
        cli.main(["demo", "--profile", "ci", "--model", str(own), "--port", "0", "--no-open"])
    assert ended.value.code == 0
    assert shown == [(tmp_path / "synthetic-ci-0" / "web", 0, False)]
    shutil.rmtree(own)
    with pytest.raises(SystemExit) as ended:
        cli.main(["demo", "--profile", "ci", "--model", str(own)])
    assert ended.value.code == 2
