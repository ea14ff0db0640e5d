"""One run of all notebooks, which several modules look at."""

import pytest
from made import CI

from authoring import gates
from utils.course import runner


@pytest.fixture(scope="session")
def out(tmp_path_factory):
    """The folder of one run of all notebooks with their CI parameters."""
    folder = tmp_path_factory.mktemp("course")
    parameters = {name: gate.parameters for name, gate in gates.read().items()}
    runner.run(**CI, out=str(folder), parameters=parameters, echo=lambda line: None)
    return folder
