"""The boxes "On our machine": filled from what cells told, refused where they do not hold, held to the outputs."""

import nbformat
import pytest
from made import notebook

from authoring import boxes, committed_form, publish
from utils.course import execution, telling


def box(template="the student keeps {{kept:.1%}} at {{macs:.0%}} of the work.", holds="kept > labels"):
    cell = nbformat.v4.new_markdown_cell("> old")
    cell.metadata["rank_for_less"] = {"template": template, "holds": holds}
    return cell


def told(**values):
    cell = nbformat.v4.new_code_cell("tell()", execution_count=1)
    cell.outputs = [nbformat.v4.new_output("display_data", data={telling.VALUES: values, "text/plain": ""})]
    return cell


def of_cells(*cells):
    return nbformat.v4.new_notebook(cells=list(cells))


def test_a_box_is_filled_from_the_values_that_were_told_before_it_the_last_ones_of_a_name():
    nb = of_cells(told(kept=0.5, labels=0.93), told(kept=0.987, macs=0.064), box(), told(kept=0.1))
    assert not boxes.fill(nb)
    assert nb.cells[2].source == "> **On our machine** the student keeps 98.7% at 6% of the work."
    assert not list(boxes.problems(nb))


@pytest.mark.parametrize(
    ("holds", "problem"),
    [
        ("kept < labels", "does not hold: kept < labels (kept = 0.987, labels = 0.93)"),
        ("kept > 0.99 or labels > kept", "does not hold"),
        ("kept > students", "no cell before the box told 'students'"),
        ("kept.real > 0", "a condition cannot hold kept.real"),
        ("__import__('os')", "a condition cannot hold"),
        ("", "has no condition"),
    ],
)
def test_a_box_that_does_not_hold_is_refused_and_stays(holds, problem):
    nb = of_cells(told(kept=0.987, labels=0.93, macs=0.1), box(holds=holds))
    ((index, words),) = boxes.fill(nb)
    assert index == 1 and problem in words and nb.cells[1].source == "> old"
    assert [words for _, words in boxes.problems(nb)] == [words]


@pytest.mark.parametrize("holds", ["0 < kept - labels < 0.1", "not kept < labels and macs * 2 <= 0.2", "kept != -1"])
def test_conditions_compute_and_compare(holds):
    assert not boxes.fill(of_cells(told(kept=0.987, labels=0.93, macs=0.1), box(holds=holds)))


def test_a_box_edited_by_hand_or_older_than_its_outputs_is_seen():
    nb = of_cells(told(kept=0.987, labels=0.93, macs=0.064), box())
    boxes.fill(nb)
    nb.cells[1].source = nb.cells[1].source.replace("98.7", "99.7")
    assert [index for index, _ in boxes.problems(nb)] == [1]


def test_publishing_fills_boxes_and_refuses_one_that_does_not_hold(course):
    nb = notebook("from utils.course.telling import tell", "tell(kept=0.987, labels=0.93, macs=0.064)")
    nb.cells.append(box())
    course.write("01_good", nb)
    publish.publish(echo=lambda text: None)
    path = course.folder / "01_good.ipynb"
    after = nbformat.read(path, as_version=4)
    assert after.cells[-1].source.endswith("keeps 98.7% at 6% of the work.") and boxes.is_box(after.cells[-1])
    assert "kept 0.987, labels 0.93, macs 0.064" in after.cells[-2].outputs[0].data["text/plain"]
    after.cells[-1].metadata.rank_for_less["holds"] = "kept < labels"
    path.write_text(committed_form.text(after))
    with pytest.raises(execution.RunFailed, match="01_good.ipynb: cell 3: the box does not hold"):
        publish.publish(echo=lambda text: None)


@pytest.mark.parametrize("value", [float("nan"), None, [1.0]])
def test_a_value_that_no_sentence_can_say_is_refused(value):
    with pytest.raises(ValueError, match="kept is"):
        telling.tell(kept=value)
