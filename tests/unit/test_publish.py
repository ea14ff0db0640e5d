"""Publishing: outputs reach the masters and the ledger README.md, clean, and all of them or none."""

import base64
import io
import re

import nbformat
import numpy as np
import pytest
from made import RUN, notebook, published
from PIL import Image

from authoring import committed_form, outputs, publish
from utils import freshness, settings
from utils.course import execution, runner


def test_published_notebooks_keep_outputs_and_lose_what_is_papermills_and_a_default_run_injects_nothing(course):
    course.write("01_good", notebook("print(SEED + 1)"))
    path = course.folder / "01_good.ipynb"
    before = nbformat.read(path, as_version=4)
    assert publish.publish(echo=lambda text: None) == [path]
    after = nbformat.read(path, as_version=4)
    assert [cell.source for cell in after.cells] == [cell.source for cell in before.cells]
    assert after.cells[1].outputs[0].text == "1\n" and after.cells[1].execution_count == 2
    assert after.cells[1].metadata == {} and "papermill" not in path.read_text()
    stamp = after.metadata.rank_for_less
    assert (stamp.needs, stamp.cells) == ([], freshness.of_cells(after)) and committed_form.is_published(after)
    assert "artifacts" not in path.read_text() and runner.status(**RUN)[0].state == "fresh"


@pytest.mark.parametrize(("old", "new", "same"), [("1 + 1", "1 + 1  # two", True), ("1 + 1", "1 + 2", False)])
def test_published_outputs_stay_those_of_the_cells_when_a_comment_is_edited(old, new, same):
    nb = published()
    (cell,) = (cell for cell in nb.cells if cell.source == old)
    cell.source = new
    assert committed_form.is_published(nb) is same


@pytest.mark.parametrize(
    ("stream", "text", "problem"),
    [
        ("stderr", "a warning", "01_one.ipynb cell 1: standard error: a warning"),
        ("stdout", f"saved in {settings.ROOT}/artifacts/x", "01_one.ipynb cell 1: an output holds a path"),
        ("stdout", "x" * 500_000, "01_one.ipynb: the file has 50"),
    ],
)
def test_publishing_is_refused_whole_when_one_output_should_not_be_seen(course, executed, stream, text, problem):
    course.write("00_fine", notebook("a = 1"))
    nb = notebook("b = 1")
    nb.cells[1].outputs = [nbformat.v4.new_output("stream", name=stream, text=text)]
    course.write("01_one", nb)
    before = {path.name: path.read_bytes() for path in course.folder.iterdir()}
    with pytest.raises(execution.RunFailed, match=re.escape(problem)):
        publish.publish(echo=lambda text: None)
    assert {path.name: path.read_bytes() for path in course.folder.iterdir()} == before


def test_notebooks_for_the_curious_are_published_with_the_others_and_not_with_a_choice_of_them(course):
    (course.folder / "more").mkdir()
    course.write("01_one", notebook("print(1)"))
    course.write("more/01b_curious", notebook("print(2)"))
    paths = [course.folder / "01_one.ipynb", course.folder / "more" / "01b_curious.ipynb"]
    assert publish.publish(only="01", echo=lambda text: None) == paths[:1]
    assert publish.publish(echo=lambda text: None) == paths
    assert nbformat.read(paths[1], as_version=4).cells[1].outputs[0].text == "2\n"


def test_publishing_leaves_widgets_out(course, executed):
    nb = notebook("b = 1")
    shown = {outputs.WIDGET: {"model_id": "1"}, "text/plain": "VBox()"}
    nb.cells[1].outputs = [
        nbformat.v4.new_output("display_data", data=data) for data in (shown, {"text/plain": "kept"})
    ]
    course.write("01_one", nb)
    publish.publish(echo=lambda text: None)
    published = nbformat.read(course.folder / "01_one.ipynb", as_version=4).cells[1].outputs
    assert [output.data for output in published] == [{"text/plain": "kept"}]


def test_published_pictures_have_few_colours_and_look_the_same(course, executed):
    buffer, image = io.BytesIO(), np.zeros((60, 60, 3), dtype=np.uint8)
    image[..., 0] = np.arange(60)[:, None] * 4
    Image.fromarray(image).save(buffer, format="PNG", compress_level=0)
    nb = notebook("b = 1")
    data = {"image/png": base64.b64encode(buffer.getvalue()).decode()}
    nb.cells[1].outputs = [nbformat.v4.new_output("display_data", data=data)]
    course.write("01_one", nb)
    publish.publish(echo=lambda text: None)
    (output,) = nbformat.read(course.folder / "01_one.ipynb", as_version=4).cells[1].outputs
    with Image.open(io.BytesIO(base64.b64decode(output.data["image/png"]))) as published:
        assert published.mode == "P" and np.abs(np.asarray(published.convert("RGB")).astype(int) - image).max() <= 4
    assert len(output.data["image/png"]) < len(data["image/png"]) / 2
