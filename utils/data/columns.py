"""The columns of the layout's files: which there are, and what a header must and may say.

A name is compared without regard to case, spaces around it and invisible characters. A name that is nearly one of the
layout's is a question to the writer of the file, never ignored. Reading rows lives in `csv_files`.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from utils.data.errors import DataError, shown

REQUIRED = {
    "queries.csv": ("query_id", "query"),
    "products.csv": ("product_id", "title"),
    "labels.csv": ("query_id", "product_id", "label"),
    "events.csv": ("time", "user_id", "query_id", "product_id", "event", "position"),
}
OPTIONAL = {
    "queries.csv": ("split", "kind"),
    "products.csv": ("brand", "category", "attributes", "description"),
}
TEXT_COLUMNS = ("title", *OPTIONAL["products.csv"])
NEARLY = 0.75  # of 1, difflib's ratio: 'splits', 'spilt' and 'catagory' are near, 'sorted' is not
ALIKE = 0.6  # where a column is missing, a name less near is worth a question
SEPARATORS = (";", "\t", "|")


def known(file: str) -> tuple[str, ...]:
    """All columns of a file that the course reads."""
    return (*REQUIRED[file], *OPTIONAL.get(file, ()))


def unused(file: str, names: Iterable[str]) -> list[str]:
    """Those of a file's columns that the course does not read."""
    return [name for name in names if name not in (*known(file), "line")]


def named(header: Sequence[str], *, file: str, line: int) -> list[str]:
    """The names of a file's columns as the rest of the code knows them.

    Raises:
        DataError: a column is missing, stands there twice, or is nearly one of the layout's that is not there.
    """
    names = [normal_name(name) for name in header]
    place, written = f"{file} line {line}", dict(zip(names, header, strict=True))
    doubled = next((name for name, n in Counter(names).items() if name and n > 1), None)
    if doubled is not None:
        raise DataError(f"{place}: column '{doubled}' stands there twice; keep one of them")
    _refuse_missing(written, file=file, place=place)
    _refuse_near(written, file=file, place=place)
    return names


def normal_name(name: str) -> str:
    """A name of a column without spaces around it, without invisible characters, in lower case."""
    plain = unicodedata.normalize("NFKC", name)
    return "".join(sign for sign in plain if unicodedata.category(sign) not in ("Cf", "Cc")).strip().lower()


def near(name: str, wanted: Iterable[str]) -> str | None:
    """The one of `wanted` that `name` nearly says; a name of several words, one of them right, means what it says."""
    parts = [part for part in re.split(r"[\W_]+", name) if part]
    wanted = [one for one in wanted if len(parts) < 2 or one not in parts]
    return next(iter(get_close_matches(name, wanted, n=1, cutoff=NEARLY)), None)


def _refuse_missing(written: dict[str, str], *, file: str, place: str) -> None:
    missing = next((column for column in REQUIRED[file] if column not in written), None)
    if missing is None:
        return
    separator = next((s for s in SEPARATORS if len(written) == 1 and s in "".join(written.values())), None)
    if separator is not None:
        raise DataError(f"{place}: the columns are separated by '{shown(separator)}'; save the file with commas")
    others = [name for name in unused(file, written) if name]
    meant = next(iter(get_close_matches(missing, others, n=1, cutoff=ALIKE)), None)
    if meant is not None:
        raise DataError(
            f"{place}: column '{missing}' is missing; is '{shown(written[meant])}' meant? call it '{missing}'"
        )
    found = ", ".join(shown(name) for name in written.values()) or "none"
    raise DataError(f"{place}: column '{missing}' is missing (found: {found}); add it to the header")


def _refuse_near(written: dict[str, str], *, file: str, place: str) -> None:
    absent = [column for column in OPTIONAL.get(file, ()) if column not in written]
    for name in unused(file, written):
        meant = near(name, absent)
        if meant is not None:
            raise DataError(
                f"{place}: column '{shown(written[name])}' is not known; is '{meant}' meant? call it '{meant}', "
                "or give it a name that is less alike"
            )
