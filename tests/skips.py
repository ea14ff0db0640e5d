"""Tests that may be skipped, each by its name with the reason; a hook makes any other skip a failure.

A skip hides a test for as long as nobody looks. So it is listed here, or it does not happen.
"""

import pytest

WINDOWS = "Windows has no such modes and limits"
LINUX = "reads what only Linux tells of a process"
COMPILER = "torch.compile needs a C++ compiler"
MOUNT = "mounting a small file system needs Linux and its administrator"
BROWSER = "Chromium is missing: apt-get install chromium, or name one in the variable CHROMIUM"
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
IN_CHROMIUM = (
    "test_scores_in_fp32_are_pythons_for_a_hundred_pairs_of_several_languages",
    "test_scores_in_int8_rank_as_pythons_do_on_the_same_batches",
    "test_pairs_are_cut_longest_first_and_an_empty_text_leaves_a_pair",
    "test_the_first_step_finds_what_bm25_finds_in_python",
    "test_words_are_pythons_in_every_script",
    "test_both_models_answer_as_one_types_each_with_its_time_and_weight",
    "test_the_page_searches_on_with_the_network_off",
    "test_nothing_is_asked_of_another_origin_and_no_query_is_sent",
    "test_no_string_becomes_code",
    "test_threads_are_used_where_the_page_is_isolated_and_one_elsewhere",
    "test_an_isolated_page_uses_as_many_threads_as_there_are_up_to_four",
    "test_a_model_that_is_damaged_on_the_way_is_refused_by_its_name",
    "test_a_faulty_new_version_is_refused_and_the_old_one_goes_on",
    "test_a_new_version_takes_over_and_only_what_changed_is_fetched",
    "test_a_new_page_is_shown_once_it_is_there",
    "test_an_answer_is_kept_for_its_version",
    "test_what_a_newer_query_has_overtaken_is_dropped",
    "test_a_query_without_a_known_word_finds_nothing_and_says_so",
    "test_keys_alone_are_enough",
    "test_a_screen_reader_hears_of_the_answer",
    "test_the_page_is_accessible_and_fits_its_window",
)
SKIPS |= {f"tests/web/test_page.py::{name}": BROWSER for name in IN_CHROMIUM}


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
