"""Where the command `course` begins: it looks whether the package `utils` that Python finds is this course's.

Another one of that common name, on PYTHONPATH or installed, would come before ours and end in a traceback, here and in
the kernels of the notebooks.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

OURS = Path(__file__).resolve().with_name("utils")


def main() -> None:
    """Run the command line, or say which other `utils` is in its way and end with status 2."""
    if (found := _place_of_utils()) != OURS:
        sys.exit(_refuse(found))
    from utils.course import cli

    cli.main()


def _place_of_utils() -> Path | None:
    """The folder or file that `import utils` would read; None where there is none."""
    spec = find_spec("utils")
    if spec is None or not spec.origin:  # a folder without __init__.py has no origin, but places
        places = list(spec.submodule_search_locations or []) if spec else []
        return Path(places[0]).resolve() if places else None
    place = Path(spec.origin).resolve()
    return place.parent if place.name == "__init__.py" else place


def _refuse(found: Path | None) -> int:
    """Say what is in the way; returns the exit status."""
    other = f"another 'utils' comes before this course's: {found}" if found else "this course's 'utils' is not there"
    remedy = "take its folder out of PYTHONPATH, or install the course in an environment of its own"
    print(f"course: {other}; {remedy}, then run the same again", file=sys.stderr)
    return 2


if __name__ == "__main__":
    main()
