"""Files handed over with --from: a folder, a zip, a mirror; each checked like a download, and no zip trusted."""

import os
import stat
import zipfile

import pytest
from public_files import LABELS, WANDS
from served import Page, serve

from utils.data.public import download, public_sets


def hand_over(folder, files=WANDS):
    for name, body in files.items():
        path = folder / "WANDS-main" / "dataset" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    return folder


def pack(path, files=WANDS, *, prefix="WANDS-main/dataset/"):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in files.items():
            archive.writestr(prefix + name, body)
    return path


def test_folder_and_zip_are_taken_as_they_are_handed_over(data, site, tmp_path):
    public_sets.fetch("wands", from_=str(hand_over(tmp_path / "copy")), into=tmp_path / "a", echo=str)
    public_sets.fetch("wands", from_=str(pack(tmp_path / "copy.zip")), into=tmp_path / "b", echo=str)
    for name in ("queries.csv", "products.csv", "labels.csv"):
        assert (tmp_path / "a" / "wands" / name).read_bytes() == (tmp_path / "b" / "wands" / name).read_bytes()
    assert site.asked == [] and (tmp_path / "copy" / "WANDS-main" / "dataset" / "label.csv").exists()
    assert os.listdir(tmp_path / "b" / "downloads") == [".wands.lock"]


def test_right_copy_is_found_beside_a_wrong_one_of_the_same_name(data, tmp_path):
    hand_over(tmp_path / "copy")
    (tmp_path / "copy" / "A").mkdir()
    (tmp_path / "copy" / "A" / "label.csv").write_text("another")
    assert public_sets.fetch("wands", from_=str(tmp_path / "copy"), echo=str).exists()


@pytest.mark.parametrize("put", [hand_over, lambda folder, files: pack(folder.with_suffix(".zip"), files)])
def test_handed_over_files_are_checked_like_a_download(data, tmp_path, put):
    place = str(put(tmp_path / "copy", WANDS | {"label.csv": LABELS.encode()}))
    with pytest.raises(ValueError, match="label.csv has .* bytes, not .*; get a fresh copy from https://a.page"):
        public_sets.fetch("wands", from_=place, echo=str)
    place = str(put(tmp_path / "few", {"query.csv": WANDS["query.csv"]}))
    with pytest.raises(ValueError, match="no file product.csv there or in a folder inside"):
        public_sets.fetch("wands", from_=place, echo=str)
    assert not (data / "wands").exists()


@pytest.mark.parametrize("name", ["../query.csv", "a/../../x", "/etc/x", "\\x", "C:\\x", "c:x", "a\\..\\..\\x"])
def test_zip_that_points_out_of_itself_is_refused_by_name_and_nothing_is_unpacked(data, tmp_path, name):
    place = pack(
        tmp_path / "copy.zip", {**{f"dataset/{file}": body for file, body in WANDS.items()}, name: b"x"}, prefix=""
    )
    with pytest.raises(ValueError) as failure:
        public_sets.fetch("wands", from_=str(place), echo=str)
    assert f"'{name}' points out of the archive" in str(failure.value)
    assert sorted(os.listdir(data)) == ["checksums.json", "downloads"]
    assert os.listdir(data / "downloads" / "wands") == []


def test_link_in_a_zip_is_not_followed(data, tmp_path):
    link = zipfile.ZipInfo("dataset/query.csv")
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    (tmp_path / "query.csv").write_bytes(WANDS["query.csv"])
    with zipfile.ZipFile(tmp_path / "copy.zip", "w") as archive:
        archive.writestr(link, str(tmp_path / "query.csv"))
    with pytest.raises(ValueError, match="dataset/query.csv has .* bytes, not"):
        public_sets.fetch("wands", from_=str(tmp_path / "copy.zip"), echo=str)


def test_damaged_zip_and_a_place_that_is_neither_are_named(data, tmp_path):
    damaged = pack(tmp_path / "copy.zip").read_bytes()
    (tmp_path / "copy.zip").write_bytes(damaged[:60] + b"\0" * 40 + damaged[100:])
    with pytest.raises(ValueError, match="query.csv cannot be read .*; make the archive again"):
        public_sets.fetch("wands", from_=str(tmp_path / "copy.zip"), echo=str)
    with pytest.raises(ValueError, match="no folder and no zip; --from takes a folder, a .zip, or the address"):
        public_sets.fetch("wands", from_=str(tmp_path / "nowhere"), echo=str)


def test_mirror_is_asked_for_the_files_by_their_names_and_its_host_is_allowed(data, site):
    with serve() as mirror:
        mirror.pages |= {f"/sets/{name}": Page(body) for name, body in WANDS.items()}
        address = f"http://localhost:{mirror.port}/sets/"
        assert public_sets.fetch("wands", from_=address, echo=str) == data / "wands"
        assert len(mirror.asked) == 3
    assert site.asked == []


def test_mirror_with_other_content_is_refused(data, site):
    site.pages["/bad/query.csv"] = Page(WANDS["query.csv"].replace(b"number", b"numbre"))
    with pytest.raises(download.DownloadError, match="query.csv as 127.0.0.1 sent it has another content"):
        public_sets.fetch("wands", from_=f"{site.url}/bad", echo=str)
