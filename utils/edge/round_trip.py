"""A ranking server on this machine, asked over HTTP: what a round trip costs, and what really arrives.

The network between is no network: loopback takes a fraction of a millisecond. What a real one adds is a stated delay
that the server waits before it answers. It is the same for every request, while real ones have a long tail.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from utils.edge import placement
from utils.measure.timing import Timing, no_garbage_collection

ADDRESS = "127.0.0.1"
TYPE = "application/json"


@dataclass(frozen=True)
class Received:
    """What one request brought: its fields, the bytes of its body, and those of its first line and headers."""

    fields: tuple[str, ...]
    n_bytes: int
    n_header_bytes: int


@dataclass
class Server:
    """A server under way; `received` grows with every request."""

    port: int
    delay_ms: float
    received: list[Received] = field(default_factory=list)


@contextmanager
def serve(
    answer: Callable[[dict], dict], *, delay_ms: float, wait: Callable[[float], None] = time.sleep
) -> Iterator[Server]:
    """A server on a free port of 127.0.0.1 for as long as the block lasts.

    Args:
        answer: from the request's JSON to the reply's; one request at a time, since tokenizers cannot be shared.
        delay_ms: what a round trip over the network is taken to cost.
        wait: takes seconds.

    Raises:
        ValueError: the delay is below 0.
    """
    if delay_ms < 0:
        raise ValueError(f"delay_ms is {delay_ms}; a network takes no time at best")
    state, turn = Server(0, delay_ms), threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # the connection is kept, as a browser does
        disable_nagle_algorithm = True  # or a reply in two writes waits 40 ms for the first one's receipt
        wbufsize = -1

        def do_POST(self) -> None:
            data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            wait(delay_ms / 1000)
            with turn:
                status, reply = _reply(self, data, answer=answer, state=state)
            written = placement.body(reply)
            self.send_response(status)
            self.send_header("Content-Type", TYPE)
            self.send_header("Content-Length", str(len(written)))
            self.end_headers()
            self.wfile.write(written)

        def log_message(self, *_: object) -> None:
            """Nothing: a server's log is one more place for queries."""

    server = ThreadingHTTPServer((ADDRESS, 0), Handler)
    server.daemon_threads, state.port = True, server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _reply(
    handler: BaseHTTPRequestHandler, data: bytes, *, answer: Callable[[dict], dict], state: Server
) -> tuple[int, dict]:
    try:
        asked = json.loads(data)
        headers = len(handler.raw_requestline) + len(str(handler.headers).encode())
        state.received.append(Received(tuple(asked), len(data), headers))
        return 200, answer(asked)
    except Exception as error:  # a server outlives a bad request, and says what was wrong with it
        return 400, {"error": f"{type(error).__name__}: {error}"}


@contextmanager
def connected(server: Server) -> Iterator[Callable[[dict], dict]]:
    """A function that asks the server over one kept connection, as `ask(request) -> reply`.

    It raises RuntimeError with the server's words where the request was refused.
    """
    connection = http.client.HTTPConnection(ADDRESS, server.port, timeout=60)

    def ask(request: dict) -> dict:
        connection.request("POST", "/", body=placement.body(request), headers={"Content-Type": TYPE})
        reply = connection.getresponse()
        found = json.loads(reply.read())
        if reply.status != 200:
            raise RuntimeError(f"the server refused the request: {found['error']}")
        return found

    try:
        yield ask
    finally:
        connection.close()


def measure(
    server: Server, requests: Sequence[dict], *, clock: Callable[[], float] = time.perf_counter, n_untimed: int = 3
) -> Timing:
    """Milliseconds of each request, one after the other over one connection, after some that are not counted.

    Raises:
        ValueError: no requests.
    """
    if not requests:
        raise ValueError("no requests; give at least one")
    samples = []
    with connected(server) as ask, no_garbage_collection():
        for asked in [*requests[:n_untimed], *requests]:
            start = clock()
            ask(asked)
            samples.append(1000 * (clock() - start))
    return Timing(tuple(samples[-len(requests) :]))
