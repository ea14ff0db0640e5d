"""A web server on this machine, for the tests of downloads: it serves bytes by path, and misbehaves when told to."""

import contextlib
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Page:
    """What stands under one path.

    Attributes:
        cuts: bytes to send of each of the next answers before the connection is closed.
        stalls: after these bytes nothing comes until the test ends; None for never.
        pieces: the body comes in so many, with a pause after each.
        ranges: whether Range is understood; `shifted` answers it with another part than was asked for.
    """

    body: bytes = b""
    type: str = "text/plain"
    status: int = 200
    location: str = ""
    cuts: list[int] = field(default_factory=list)
    pieces: int = 1
    stalls: int | None = None
    ranges: bool = True
    shifted: int = 0
    says_length: bool = True


@dataclass
class Site:
    """`asked` holds (path, Range) of every request, `sent` the number of bytes of every body."""

    url: str
    pages: dict[str, Page] = field(default_factory=dict)
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    sent: list[int] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def port(self):
        return int(self.url.rpartition(":")[2])


@contextlib.contextmanager
def serve():
    """A site without pages, whose address is `url`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            answer(self, site)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    site = Site(url=f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield site
    finally:
        site.over.set()
        server.shutdown()
        thread.join()
        server.server_close()


def answer(handler, site):
    page, asked = site.pages.get(handler.path, Page(status=404)), handler.headers.get("Range")
    site.asked.append((handler.path, asked))
    start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1]) - page.shifted if asked and page.ranges else None
    if page.location:
        headers = {"Location": page.location}
        return send(handler, status=302, headers=headers)
    if start is not None and page.status == 200:
        total = len(page.body)
        if start >= total:
            return send(handler, status=416, headers={"Content-Range": f"bytes */{total}"})
        headers = {"Content-Range": f"bytes {start}-{total - 1}/{total}", "Content-Type": page.type}
        return send(handler, status=206, headers=headers, body=page.body[start:], page=page, site=site)
    send(handler, status=page.status, headers={"Content-Type": page.type}, body=page.body, page=page, site=site)


def send(handler, *, status, headers, body=b"", page=None, site=None):
    handler.send_response(status)
    length = {"Content-Length": str(len(body))} if page is None or page.says_length else {}
    for name, value in (length | headers).items():
        handler.send_header(name, value)
    handler.end_headers()
    if page is None:
        return
    body = body[: page.cuts.pop(0)] if page.cuts else body[: page.stalls]
    site.sent.append(len(body))
    step = max(1, -(-len(body) // page.pieces))
    for start in range(0, len(body), step):
        handler.wfile.write(body[start : start + step])
        handler.wfile.flush()
        if page.pieces > 1:
            site.over.wait(0.06)
    if page.stalls is not None:
        site.over.wait(10)
    handler.close_connection = True
