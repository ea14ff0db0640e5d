"""What authors of the course use and learners do not; a package of its own, which `utils` never imports.

`commands` adds it to `course`: `publish` (with `outputs`, `committed_form`, `restore`), `lint` (with `prose`,
`typed_numbers`), `new` and its template, `records` and `grid` for the slow studies; `gates` is what CI holds a
notebook to. A rule for notebooks is changed here, with a test that shows it refusing.
"""

from utils import environment as environment  # telemetry is off, and nothing foreign decides, before a library is read
