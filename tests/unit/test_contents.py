"""The map of the course says what the notebooks themselves say."""

import nbformat

from utils import settings
from utils.course import contents, runner


def test_the_map_has_a_line_for_every_notebook_with_its_title_and_promise(tmp_path, monkeypatch):
    monkeypatch.setattr(settings, "NOTEBOOKS", tmp_path)
    for number, name in (("01", "Build it"), ("02", "Price it")):
        text = f"# {number} {name}\n\n**Promise:** you {name.lower()}.\n\n| a |\n|---|\n| b |"
        nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(text)])
        nbformat.write(nb, tmp_path / f"{number}_x.ipynb")
    frame = contents.table()
    assert list(frame.index) == ["01 Build it", "02 Price it"]
    assert list(frame.iloc[:, 0]) == ["you build it.", "you price it."]


def test_no_notebook_of_the_course_is_without_a_promise():
    frame = contents.table()
    assert len(frame) == len(runner.notebooks()) and all(frame.iloc[:, 0])
