"""The notebooks for the curious run with the ci profile from the stages of the others, and leave them as they were."""

import pytest
from made import CI

from utils.course import execution, runner

BUDGET_S = 240
OWN = ("notebooks", "logs")  # where a run keeps executed copies and the curves of its trainings


def kept(folder):
    """Every file of a run that later notebooks read, with its bytes."""
    paths = (path for path in folder.rglob("*") if path.is_file() and path.relative_to(folder).parts[0] not in OWN)
    return {path.relative_to(folder): path.read_bytes() for path in paths}


@pytest.mark.parametrize("path", runner.more(), ids=lambda path: path.stem)
def test_a_notebook_for_the_curious_runs_within_its_budget_and_changes_no_stage_and_no_row(out, path):
    before = kept(out)
    runner.run(**CI, out=str(out), only=path.stem, echo=lambda line: None)
    assert execution.stamp(out / "notebooks" / path.name)["seconds"] <= BUDGET_S
    assert kept(out) == before
