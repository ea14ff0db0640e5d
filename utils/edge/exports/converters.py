"""Converters in environments of their own: LiteRT's and ExecuTorch's packages disagree with those of the course.

Each is a folder under artifacts/converters with a Python of its own, made once from a locked list and called as a child
process. What it makes runs in the course's own environment, with the small runtime packages alone.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from utils import disk, settings

DONE = "installed"  # in the environment's folder: the hash of the list that it was made from


@dataclass(frozen=True)
class Converter:
    """One environment.

    Attributes:
        locked: its list of packages, in the root of the course.
        script: what runs in it, beside this module.
        gigabytes: that it takes on disk with PyTorch for the CPU.
    """

    name: str
    locked: str
    script: str
    gigabytes: float

    @property
    def folder(self) -> Path:
        return settings.ARTIFACTS / "converters" / self.name

    @property
    def list_file(self) -> Path:
        return settings.ROOT / self.locked

    @property
    def is_installed(self) -> bool:
        """Whether the environment is whole and of the list as it is now."""
        done = self.folder / DONE
        return done.is_file() and done.read_text(encoding="utf-8").strip() == disk.sha256(self.list_file)


CONVERTERS = {
    "litert": Converter("litert", "requirements-litert.txt", "convert_litert.py", 2.2),
    "executorch": Converter("executorch", "requirements-executorch.txt", "convert_executorch.py", 1.2),
}


def require(name: str) -> Path:
    """The Python of a converter.

    Raises:
        ValueError: there is no such converter, or it is not installed; names the command that does it.
    """
    converter = named(name)
    if not converter.is_installed:
        raise ValueError(
            f"the converter to {name} is not installed in artifacts/converters/{name}; "
            f"make it once, {converter.gigabytes} GB: course converter {name}"
        )
    return _python(converter.folder)


def named(name: str) -> Converter:
    """The converter called `name`; ValueError naming those there are otherwise."""
    if name not in CONVERTERS:
        raise ValueError(f"converter '{name}' is not one of {', '.join(CONVERTERS)}")
    return CONVERTERS[name]


def install(name: str, *, echo: Callable[[str], object] = print) -> Path:
    """Make a converter's environment from its locked list, unless it is there, and give its Python.

    With TORCH_INDEX set, PyTorch comes from that index, such as one of builds for the CPU, which saves gigabytes.

    Raises:
        ValueError: pip failed; the message ends with what it said last.
    """
    converter = named(name)
    if converter.is_installed:
        return _python(converter.folder)
    echo(f"making artifacts/converters/{name} from {converter.locked}, about {converter.gigabytes} GB, once")
    shutil.rmtree(converter.folder, ignore_errors=True)
    converter.folder.parent.mkdir(parents=True, exist_ok=True)
    _run([sys.executable, "-m", "venv", str(converter.folder)], what=f"making {converter.folder.name}")
    pip = [str(_python(converter.folder)), "-m", "pip", "install", "--quiet"]
    if index := os.environ.get("TORCH_INDEX"):
        torch = next(line for line in converter.list_file.read_text().splitlines() if line.startswith("torch=="))
        _run([*pip, "--index-url", index, torch.split()[0]], what="pip install torch")
    _run([*pip, "-r", str(converter.list_file)], what=f"pip install -r {converter.locked}")
    disk.write_whole(converter.folder / DONE, disk.sha256(converter.list_file) + "\n")
    return _python(converter.folder)


def convert(name: str, *arguments: str | Path) -> None:
    """Run a converter's script with these arguments, in silence.

    Raises:
        ValueError: the converter is not installed, or it failed; the message ends with what it said last.
    """
    script = Path(__file__).with_name(named(name).script)
    _run([str(require(name)), str(script), *map(str, arguments)], what=f"the converter to {name}")


def _python(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def _run(command: list[str], *, what: str) -> None:
    quiet = {"PYTHONWARNINGS": "ignore", "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME")}
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", env=environment | quiet)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
        raise ValueError(f"{what} failed: {said}")
