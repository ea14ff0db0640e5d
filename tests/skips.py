"""Tests that may be skipped, each by its name with the reason; a hook makes any other skip a failure.

A skip hides a test for as long as nobody looks. So it is listed here, or it does not happen.
"""

import pytest

WINDOWS = "Windows has no such modes and limits"
LINUX = "reads what only Linux tells of a process"
COMPILER = "torch.compile needs a C++ compiler"
MOUNT = "mounting a small file system needs Linux and its administrator"
UNIT, NOTEBOOKS = "tests/unit", "tests/notebooks"
SKIPS = {
    f"{UNIT}/test_cli.py::"
    "test_what_may_not_be_read_is_to_be_made_readable_and_what_may_not_be_written_writable": WINDOWS,
    f"{UNIT}/test_whole.py::test_a_folder_that_cannot_be_written_is_named_with_the_remedy": WINDOWS,
    f"{UNIT}/test_environment.py::"
    "test_a_command_may_open_more_files_than_its_shell_lets_it_and_too_few_are_said_with_the_remedy": WINDOWS,
    f"{UNIT}/test_memory.py::test_peak_of_a_child_is_its_own_and_leaves_out_its_parents_memory": LINUX,
    f"{UNIT}/test_tokens.py::test_memory_follows_the_token_limit_and_not_the_length_of_the_texts": LINUX,
    f"{UNIT}/test_ledger.py::test_row_with_a_forgotten_field_is_refused": "what was made from nothing has no parent",
    f"{UNIT}/test_compiled.py::"
    "test_it_compiles_when_opened_and_no_batch_of_any_size_or_length_compiles_it_again": COMPILER,
    f"{NOTEBOOKS}/test_survival.py::test_a_full_disk_is_named_and_the_next_run_with_room_ends_as_ever": MOUNT,
}


def refused(nodeid: str) -> str:
    """What is wrong with skipping the test; "" where it is listed. Its parameters, in brackets, do not count."""
    name = nodeid.partition("[")[0]
    return (
        "" if name in SKIPS else f"{name} was skipped and is not in tests/skips.py: list it with its reason, or run it"
    )


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A test that is skipped without being listed fails; one that is expected to fail is none of this."""
    report = (yield).get_result()
    if report.skipped and not hasattr(report, "wasxfail") and (wrong := refused(item.nodeid)):
        report.outcome, report.longrepr = "failed", wrong


@pytest.hookimpl(hookwrapper=True)
def pytest_make_collect_report(collector):
    """A file that is skipped whole fails: none is listed."""
    report = (yield).get_result()
    if report.skipped:
        report.outcome, report.longrepr = "failed", refused(collector.nodeid)
