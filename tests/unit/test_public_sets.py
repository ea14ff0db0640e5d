"""Fetching WANDS by name, from a server on this machine: converted, checked, whole or not there; and the command."""

import errno
import os

import pytest
from filelock import FileLock
from public_files import LABELS, WANDS, left_out, sha256, table, write_list
from test_cli import run

from utils import settings
from utils.data import catalogue
from utils.data.public import download, layout, public_sets, sources, wands


def test_wands_is_fetched_converted_and_read_by_its_name(data, site):
    told = []
    folder = public_sets.fetch("wands", echo=told.append)
    assert folder == data / "wands" and len(site.asked) == 3
    assert table(folder, "products.csv") == [
        {
            "product_id": "0",
            "title": "Red sofa, NA",
            "brand": "",
            "category": "Furniture / Sofas",
            "attributes": "colour : red, width :3",
            "description": 'soft "and" wide',
        },
        dict(zip(layout.PRODUCT_COLUMNS, ("1", "NULL", "", "Lamps", "", "bright"), strict=True)),
    ]
    assert table(folder, "queries.csv")[0] == {"query_id": "0", "query": "query number 0"}
    assert table(folder, "labels.csv")[0] == {"query_id": "0", "product_id": "0", "label": "Exact"}
    loaded = catalogue.load("wands", profile=settings.profile("gpu"))
    assert loaded.name == "wands" and sum(map(len, loaded.pairs.values())) == 80 and loaded.top_gain == 2


def test_what_the_layout_refuses_is_left_out_counted_and_written_down(data):
    told = []
    folder = public_sets.fetch("wands", echo=told.append)
    assert left_out(told) == {
        layout.NO_QUERY_TEXT: 1,
        layout.NO_TITLE: 1,
        layout.PAIR_TWICE: 1,
        layout.LABEL_ASTRAY: 2,
        layout.LABEL_LEFT: 2,
    }
    source = (folder / "SOURCE.md").read_text()
    assert f"- left out: {layout.NO_TITLE}: 1" in source and "https://a.page" in source and "Licence: MIT" in source
    for file, body in WANDS.items():
        assert f"- {file}, sha256 {sha256(body)}" in source


def test_fetch_leaves_only_the_set_and_its_lock(data):
    public_sets.fetch("wands", echo=str)
    assert sorted(os.listdir(data)) == ["checksums.json", "downloads", "wands"]
    assert os.listdir(data / "downloads") == [".wands.lock"]


def test_second_fetch_says_so_and_does_nothing(data, site):
    public_sets.fetch("wands", echo=str)
    site.asked.clear()
    before, told = (data / "wands" / "labels.csv").stat().st_mtime_ns, []
    assert public_sets.fetch("wands", echo=told.append) == data / "wands"
    assert "here already" in told[0] and len(told) == 1
    assert site.asked == [] and (data / "wands" / "labels.csv").stat().st_mtime_ns == before


def test_folder_in_the_way_is_not_touched(data, site):
    (data / "wands").mkdir()
    (data / "wands" / "queries.csv").write_text("mine")
    with pytest.raises(ValueError, match="wands is in the way and lacks products.csv; move it elsewhere"):
        public_sets.fetch("wands", echo=str)
    assert site.asked == [] and os.listdir(data / "wands") == ["queries.csv"]


def test_interrupted_fetch_goes_on_where_it_stopped(data, site):
    site.pages["/wands/label.csv"].cuts = [0] * download.N_TRIES
    with pytest.raises(download.Interrupted, match="label.csv; the same command goes on"):
        public_sets.fetch("wands", echo=str)
    assert not (data / "wands").exists()
    (data / ".wands.new").mkdir()  # what a kill during the conversion leaves
    (data / ".wands.new" / "stray.csv").touch()
    site.asked.clear()
    public_sets.fetch("wands", echo=str)
    assert [path for path, _ in site.asked] == ["/wands/label.csv"]
    assert sorted(os.listdir(data / "wands")) == ["SOURCE.md", "labels.csv", "products.csv", "queries.csv"]
    assert not (data / ".wands.new").exists()


@pytest.mark.parametrize(
    ("file", "body", "message"),
    [
        ("product.csv", b"product_id\tname\n1\tSofa\n", "product.csv: column 'product_name' is missing"),
        ("product.csv", b"product_id,product_name\n", "product.csv: column 'product_id' is missing"),
        ("product.csv", b"\x89PNG\xff\xfe", "product.csv: not a table of tab-separated text"),
        ("label.csv", LABELS.replace("Partial", "Fair").encode(), "labels.csv line 5: label 'Fair' is not one of"),
    ],
)
def test_conversion_that_fails_leaves_no_folder_and_keeps_the_downloads(data, site, file, body, message):
    write_list(data, {"wands": WANDS | {file: body}}, site=site)
    with pytest.raises(catalogue.DataError, match=message):
        public_sets.fetch("wands", echo=str)
    assert sorted(os.listdir(data)) == ["checksums.json", "downloads"]
    assert sorted(os.listdir(data / "downloads" / "wands")) == sorted(WANDS)


def test_full_disk_during_the_conversion_is_named(data, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(layout, "write_csv", full)
    with pytest.raises(sources.DiskFull, match=f"{data}: the disk is full"):
        public_sets.fetch("wands", echo=str)
    assert not (data / "wands").exists()


def test_second_process_is_refused_while_the_first_fetches(data, site):
    (data / "downloads").mkdir()
    with (
        FileLock(data / "downloads" / ".wands.lock"),
        pytest.raises(ValueError, match="wands is being fetched by another process; wait"),
    ):
        public_sets.fetch("wands", echo=str)
    assert site.asked == []
    public_sets.fetch("wands", echo=str)


def test_list_in_the_repository_names_every_public_set_and_https_files_of_listed_hosts():
    for name in settings.PUBLIC_SETS:
        listed = sources.public_set(name)
        for file in listed.files:
            host = file.url.removeprefix("https://").partition("/")[0]
            assert host in listed.hosts and file.url.endswith(f"/{file.name}")
            assert len(file.sha256) == 64 or len(file.git_object) == 40
    assert {file.name for file in sources.public_set("wands").files} == set(wands.COLUMNS)


def test_command_prints_what_it_did_and_the_next_command(data, tmp_path, capsys):
    status, out, err = run(capsys, "data", "fetch", "wands")
    assert (status, err) == (0, "")
    assert "label.csv: " in out and "queries.csv: 40 lines" in out and "queries by split: train" in out
    assert out.splitlines()[-1] == "next: course run --dataset wands"
    status, out, _ = run(capsys, "data", "fetch", "wands", "--into", str(tmp_path / "sets"))
    assert out.splitlines()[-1] == f"next: course run --dataset {tmp_path / 'sets' / 'wands'}"
    assert run(capsys, "data", "check", "wands")[0] == 0


def test_every_public_set_is_listed_and_has_a_converter_of_its_own():
    assert set(public_sets.CONVERTERS) == set(settings.PUBLIC_SETS)
    assert len(set(public_sets.CONVERTERS.values())) == len(settings.PUBLIC_SETS)
    for name in settings.PUBLIC_SETS:
        listed = sources.public_set(name)
        assert listed.files and all(file.url.startswith("https://") and file.hash for file in listed.files)
        assert all(file.url.endswith(f"/{file.name}") for file in listed.files)


def test_a_public_set_that_is_not_listed_is_named(data, monkeypatch):
    monkeypatch.setattr(settings, "PUBLIC_SETS", ("wands", "toys"))
    with pytest.raises(ValueError, match="data/checksums.json does not list 'toys'"):
        sources.public_set("toys")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("amazon",), "data set 'amazon' is not one of wands, esci"),
        (("wands", "--hub"), "--hub is for esci alone"),
        (("esci", "--hub", "--from", "x"), "--hub is for esci alone and excludes --from"),
        (("wands", "--from", "nowhere"), "nowhere: no folder and no zip"),
    ],
)
def test_wrong_call_exits_with_2_and_a_failure_with_1(data, site, capsys, arguments, message):
    status, _, err = run(capsys, "data", "fetch", *arguments)
    assert status == 2 and message in err and "Traceback" not in err
    site.pages.clear()
    status, _, err = run(capsys, "data", "fetch", "wands")
    assert status == 1 and "answered with HTTP status 404" in err and "Traceback" not in err
