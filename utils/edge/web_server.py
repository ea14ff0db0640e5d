"""A server of static files on this machine alone, with the headers under which a page may use threads and no more.

Cross-origin isolation gives WebAssembly shared memory, hence threads. The Content-Security-Policy lets the page load
from its own origin only; `wasm-unsafe-eval` is what compiling WebAssembly needs, and lets no string become code.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ADDRESS = "127.0.0.1"
POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self' 'wasm-unsafe-eval'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "worker-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
)
HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",  # kept, and asked for anew each time; the page keeps its own copies by version
}
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
    ".onnx": "application/octet-stream",
}


class Handler(SimpleHTTPRequestHandler):
    """Files of one folder; no listings, no names of other hosts, and nothing is logged."""

    extensions_map = TYPES
    protocol_version = "HTTP/1.1"

    def send_head(self):
        """The file asked for; 421 where the request is meant for another host, as after a DNS rebinding."""
        if (self.headers.get("Host") or "").partition(":")[0] not in (ADDRESS, "localhost"):
            self.send_error(421, "this server answers on 127.0.0.1 alone")
            return None
        return super().send_head()

    def list_directory(self, path: str) -> None:
        self.send_error(404, "no such file")

    def end_headers(self) -> None:
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing: what somebody opens is nobody's business."""


@contextmanager
def serve(folder: Path, *, port: int = 0) -> Iterator[str]:
    """Serve a folder for as long as the block lasts; gives the address.

    Args:
        port: 0 for a free one.

    Raises:
        FileNotFoundError: the folder holds no index.html.
        ValueError: the port is taken.
    """
    if not (Path(folder) / "index.html").is_file():
        raise FileNotFoundError(f"{folder}: holds no index.html; make it with web_bundle.make, or: course demo")
    try:
        server = ThreadingHTTPServer((ADDRESS, port), partial(Handler, directory=str(folder)))
    except OSError as error:
        raise ValueError(f"port {port}: {error.strerror}; give another one with --port, or 0 for a free one") from None
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://{ADDRESS}:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
