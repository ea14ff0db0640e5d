"""One file from a server on this machine: what goes wrong is named, what has come is kept, what is wrong is not."""

import errno
import hashlib
import io
import os
import socket
from pathlib import Path

import pytest
import requests
from requests import exceptions
from served import Page, serve

from utils.data.public import download, sources

CHUNK = download.CHUNK_BYTES
BODY = b"query_id\tquery\n" + bytes(range(256)) * 400
HALF = 3 * CHUNK  # a connection that ends keeps whole chunks


@pytest.fixture
def site(site):
    site.pages["/query.csv"] = Page(BODY)
    return site


def query_file(site, *, path="/query.csv", **changes):
    wanted = {"name": "query.csv", "bytes": len(BODY), "sha256": hashlib.sha256(BODY).hexdigest()} | changes
    return sources.PublicFile(url=site.url + path, **wanted)


def fetch(site, folder, *, hosts=("127.0.0.1",), stall_s=5, n_tries=1, **changes):
    return download.download(query_file(site, **changes), folder, hosts=hosts, stall_s=stall_s, n_tries=n_tries)


def refused(site, folder, message, **options):
    """The download fails with `message`, and nothing stands in the file's place."""
    with pytest.raises(download.DownloadError, match=message) as failure:
        fetch(site, folder, **options)
    assert not (folder / "query.csv").exists()
    return failure.value


def test_file_is_put_in_place_and_not_asked_for_again(site, tmp_path):
    assert fetch(site, tmp_path).read_bytes() == BODY
    fetch(site, tmp_path)
    assert site.asked == [("/query.csv", None)] and os.listdir(tmp_path) == ["query.csv"]


def test_file_known_by_its_git_object_alone_is_checked_against_it(site, tmp_path):
    right = {"bytes": None, "sha256": "", "git_object": "ce013625030ba8dba906f756967f9e9ca394464a"}
    site.pages["/query.csv"].body = b"hello\n"  # git hash-object gives this id for it
    assert fetch(site, tmp_path, **right).read_bytes() == b"hello\n"
    site.pages["/query.csv"].body = b"Hello\n"
    refused(site, tmp_path / "other", "has another content", **right)


def test_next_call_asks_for_the_rest_alone(site, tmp_path):
    site.pages["/query.csv"].cuts = [HALF]
    refused(site, tmp_path, f"stopped after {HALF:,} of {len(BODY):,} bytes of query.csv; the same command goes on")
    assert fetch(site, tmp_path).read_bytes() == BODY
    assert site.asked == [("/query.csv", None), ("/query.csv", f"bytes={HALF}-")]
    assert site.sent == [HALF, len(BODY) - HALF]


def test_one_call_goes_on_by_itself_as_long_as_something_comes(site, tmp_path):
    site.pages["/query.csv"].cuts = [CHUNK] * 5 + [0]
    assert fetch(site, tmp_path, n_tries=3).read_bytes() == BODY
    assert [asked for _, asked in site.asked[1:3]] == [f"bytes={CHUNK}-", f"bytes={2 * CHUNK}-"]


def test_server_that_does_not_know_ranges_sends_it_all_again(site, tmp_path):
    site.pages["/query.csv"].cuts, site.pages["/query.csv"].ranges = [HALF], False
    assert fetch(site, tmp_path, n_tries=2).read_bytes() == BODY
    assert site.sent == [HALF, len(BODY)]


def test_end_of_an_answer_that_says_no_length_is_not_taken_for_the_end_of_the_file(site, tmp_path):
    site.pages["/query.csv"].cuts, site.pages["/query.csv"].says_length = [HALF], False
    assert fetch(site, tmp_path, n_tries=2).read_bytes() == BODY
    assert site.sent == [HALF, len(BODY) - HALF]


def test_server_that_always_stops_at_the_same_byte_is_given_up(site, tmp_path):
    site.pages["/query.csv"].cuts, site.pages["/query.csv"].ranges = [HALF] * 9, False
    refused(site, tmp_path, "stopped after", n_tries=3)
    assert len(site.asked) == 3


def test_answer_with_another_part_than_was_asked_for_is_not_appended(site, tmp_path):
    site.pages["/query.csv"].cuts, site.pages["/query.csv"].shifted = [HALF], 1
    assert fetch(site, tmp_path, n_tries=3).read_bytes() == BODY
    assert [asked for _, asked in site.asked] == [None, f"bytes={HALF}-", None]


@pytest.mark.parametrize("known", [{}, {"bytes": None}], ids=["size known", "size unknown"])
def test_part_that_is_complete_is_put_in_place(site, tmp_path, known):
    (tmp_path / "query.csv.part").write_bytes(BODY)
    assert fetch(site, tmp_path, **known).read_bytes() == BODY
    assert site.sent == []


def test_part_longer_than_the_file_is_started_over(site, tmp_path):
    (tmp_path / "query.csv.part").write_bytes(BODY + b"more")
    assert fetch(site, tmp_path, n_tries=2, bytes=None).read_bytes() == BODY
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "query.csv.part").write_bytes(BODY + b"more")
    assert fetch(site, tmp_path / "other").read_bytes() == BODY


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (BODY[:-1], "has .* bytes, not"),
        (BODY.replace(b"q", b"Q"), "has another content: its hash is"),
        (b"\n<!DOCTYPE html><title>Log in</title>", "is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "is a Git LFS pointer"),
    ],
)
def test_other_content_is_refused_and_removed(site, tmp_path, body, message):
    site.pages["/query.csv"].body = body
    refused(site, tmp_path, f"query.csv as 127.0.0.1 sent it {message}")
    assert os.listdir(tmp_path) == []


def test_web_page_is_refused_before_it_replaces_what_has_come(site, tmp_path):
    (tmp_path / "query.csv.part").write_bytes(BODY[:HALF])
    site.pages["/query.csv"] = Page(b"<p>Log in</p>", type="text/HTML; charset=utf-8", ranges=False)
    refused(site, tmp_path, "127.0.0.1 sent a web page instead of query.csv")
    assert (tmp_path / "query.csv.part").read_bytes() == BODY[:HALF]


@pytest.mark.parametrize(("status", "n_asked"), [(404, 1), (407, 1), (503, 2)])
def test_status_is_named_and_only_a_passing_one_is_tried_again(site, tmp_path, status, n_asked):
    site.pages["/query.csv"] = Page(b"no", status=status)
    refused(site, tmp_path, f"127.0.0.1 answered with HTTP status {status}", n_tries=2)
    assert len(site.asked) == n_asked


def test_stall_is_named_with_its_seconds_and_keeps_what_has_come(site, tmp_path):
    site.pages["/query.csv"].stalls = HALF
    refused(site, tmp_path, "127.0.0.1 stalled: nothing came for 0.2 seconds; the same command goes on", stall_s=0.2)
    assert (tmp_path / "query.csv.part").stat().st_size == HALF


def test_slow_server_that_keeps_sending_is_waited_for(site, tmp_path):
    site.pages["/query.csv"].pieces = 6  # a pause of 0.06 s after each, together more than a stall
    assert fetch(site, tmp_path, stall_s=0.25).read_bytes() == BODY


def test_redirect_to_a_host_that_is_not_listed_is_refused_and_the_host_never_asked(site, tmp_path):
    with serve() as other:
        other.pages["/query.csv"] = Page(BODY)
        site.pages["/query.csv"].location = f"http://localhost:{other.port}/query.csv"
        refused(site, tmp_path, "localhost was not asked, for it is not one of 127.0.0.1")
        assert other.asked == []
    assert len(site.asked) == 1


def test_redirect_to_a_listed_host_is_followed_and_resumed(site, tmp_path):
    with serve() as other:
        other.pages["/store/1"] = Page(BODY, cuts=[HALF])
        site.pages["/query.csv"].location = "/moved"
        site.pages["/moved"] = Page(location=f"http://localhost:{other.port}/store/1")
        assert fetch(site, tmp_path, n_tries=2, hosts=("127.0.0.1", "localhost")).read_bytes() == BODY
        assert other.asked == [("/store/1", None), ("/store/1", f"bytes={HALF}-")]


def test_redirects_in_a_circle_end_after_five(site, tmp_path):
    site.pages["/query.csv"].location = "/query.csv"
    refused(site, tmp_path, "more than 5 redirects")
    assert len(site.asked) == 6


def test_redirect_from_https_to_http_is_refused(site, monkeypatch):
    def to_http(url, **_):
        answer = download.requests.Response()
        answer.status_code, answer.headers["Location"], answer.raw = 302, f"{site.url}/query.csv", io.BytesIO()
        return answer

    monkeypatch.setattr(download, "_get", to_http)
    with pytest.raises(download.DownloadError, match="not over https any more"):
        download._open("https://127.0.0.1/query.csv", hosts=("127.0.0.1",), headers={}, stall_s=1)
    assert site.asked == []


def test_first_host_must_be_listed_too(site, tmp_path):
    refused(site, tmp_path, "127.0.0.1 was not asked", hosts=("raw.githubusercontent.com",))
    assert site.asked == []


def test_no_network_is_named_at_once_with_the_way_out(site, tmp_path):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # taken, and nobody listens
        address = f"http://127.0.0.1:{closed.getsockname()[1]}/query.csv"
        file = sources.PublicFile(name="query.csv", url=address, sha256="0")
        with pytest.raises(download.Unreachable, match="127.0.0.1 cannot be reached; .*goes on .*--from"):
            download.download(file, tmp_path, hosts=("127.0.0.1",), stall_s=1)
    assert os.listdir(tmp_path) == []


def test_full_disk_is_named_and_what_was_written_stays(site, tmp_path, monkeypatch):
    written = []

    class FullAfterOne(io.BufferedWriter):
        def write(self, chunk):
            if written:
                raise OSError(errno.ENOSPC, "No space left on device")
            written.append(len(chunk))
            return super().write(chunk)

    def small_disk(path, mode="r", **options):
        return FullAfterOne(io.FileIO(path, mode)) if mode == "wb" else open(path, mode, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", small_disk)
        with pytest.raises(sources.DiskFull, match="the disk is full; free some space, then the same command goes on"):
            fetch(site, tmp_path)
    assert (tmp_path / "query.csv.part").stat().st_size == written[0]
    assert fetch(site, tmp_path).read_bytes() == BODY
    assert site.asked[-1] == ("/query.csv", f"bytes={written[0]}-")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            "Missing dependencies for SOCKS support.",
            "127.0.0.1: a SOCKS proxy is set, .*pip install PySocks, or unset ALL",
        ),
        (
            "No connection adapters were found for 'ftp:'",
            "127.0.0.1: No connection adapters .*hand over a copy with --from",
        ),
    ],
)
def test_a_kind_of_proxy_or_address_that_cannot_be_spoken_is_said_with_the_remedy(
    site, tmp_path, monkeypatch, words, message
):
    def refuse(*_, **__):
        raise exceptions.InvalidSchema(words)

    monkeypatch.setattr(requests, "get", refuse)
    refused(site, tmp_path, message)
