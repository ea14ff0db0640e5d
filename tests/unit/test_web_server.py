"""The page's server: isolated, of one folder, on this machine alone."""

import http.client
from urllib.parse import urlsplit

import pytest

from utils.edge import web_server

FILES = {"index.html": "<h1>here</h1>", "a.mjs": "1", "a.wasm": "2", "a.js": "3", "a.json": "{}", "a.onnx": "4"}


@pytest.fixture
def folder(tmp_path):
    """A folder to serve, with a file beside it that is none of its."""
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "site" / "inner").mkdir(parents=True)
    for name, text in FILES.items():
        (tmp_path / "site" / name).write_text(text)
    return tmp_path / "site"


def ask(address, path, *, method="GET", host=None):
    """(status, headers, body) of a request, sent as it is written."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=30)
    connection.request(method, path, headers={"Host": host} if host else {})
    reply = connection.getresponse()
    found = reply.status, reply.headers, reply.read()
    connection.close()
    return found


@pytest.fixture
def address(folder):
    with web_server.serve(folder) as found:
        yield found


def test_it_answers_on_this_machine_alone_with_what_isolates_a_page(address):
    assert address.startswith("http://127.0.0.1:")
    status, headers, body = ask(address, "/")
    assert (status, body) == (200, b"<h1>here</h1>")
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Embedder-Policy"] == "require-corp"


def test_the_policy_allows_its_own_origin_and_webassembly_and_nothing_more(address):
    policy = dict(part.split(" ", 1) for part in ask(address, "/")[1]["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'" and policy["script-src"] == "'self' 'wasm-unsafe-eval'"
    allowed = {word for words in policy.values() for word in words.split()}
    assert allowed == {"'none'", "'self'", "'wasm-unsafe-eval'"}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.mjs", "text/javascript"),
        ("a.js", "text/javascript"),
        ("a.wasm", "application/wasm"),
        ("a.json", "application/json"),
        ("a.onnx", "application/octet-stream"),
        ("index.html", "text/html"),
    ],
)
def test_every_kind_of_file_has_its_type(address, name, kind):
    status, headers, body = ask(address, f"/{name}?newest")
    assert status == 200 and headers["Content-Type"].partition(";")[0] == kind
    assert body.decode() == FILES[name]


@pytest.mark.parametrize("path", ["/../secret.txt", "/%2e%2e/secret.txt", "/inner/", "/missing.js"])
def test_nothing_outside_the_folder_and_no_list_of_it_is_given(address, path):
    status, headers, body = ask(address, path)
    assert status == 404 and b"secret" not in body
    assert headers["Content-Security-Policy"] == web_server.POLICY


def test_a_request_for_another_host_and_one_that_writes_are_refused(address):
    assert ask(address, "/", host="shop.example:80")[0] == 421
    assert ask(address, "/", host="localhost:1")[0] == 200
    assert ask(address, "/", method="POST")[0] == 501


def test_it_ends_with_its_block(folder):
    with web_server.serve(folder) as address:
        pass
    with pytest.raises(OSError):
        ask(address, "/")


def test_a_taken_port_and_an_empty_folder_are_named_with_the_remedy(folder, tmp_path):
    with (
        web_server.serve(folder) as address,
        pytest.raises(ValueError, match="give another one with --port"),
        web_server.serve(folder, port=urlsplit(address).port),
    ):
        pass
    with pytest.raises(FileNotFoundError, match="course demo"), web_server.serve(tmp_path):
        pass
