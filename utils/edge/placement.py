"""Where a query is answered: how long that takes, from which round trip on the device wins, and what leaves the device.

The times are arithmetic over parts that were measured, `round_trip` measures the parts. What leaves is counted in the
requests themselves, which are the ones that are sent.

Source: Morris, Kuleshov, Shmatikov, Rush, "Text Embeddings Reveal (Almost) As Much As Text", EMNLP 2023,
https://arxiv.org/abs/2310.06816, for why states of a query count as the query.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SERVER = "ranked at the server"
VECTOR = "states of the query sent"
FETCHED = "states of products fetched"
DEVICE = "ranked on the device"
PLACEMENTS = (SERVER, VECTOR, FETCHED, DEVICE)
TELLS = {"query": "the query", "states": "the query (its words can be read off)", "history": "the history"}
TELLS |= {"user": "who asks", "product_ids": "the query's candidates"}


def at_server_ms(*, round_trip_ms: float, server_ms: float) -> float:
    """Until an answer of the server is there."""
    return round_trip_ms + server_ms


def on_device_ms(*, here_ms: float, slowdown: float) -> float:
    """Until the device has its own answer.

    Args:
        here_ms: of the same work on this machine.
        slowdown: how many times slower the device is.
    """
    return here_ms * slowdown


def break_even_round_trip(*, server_ms: float, device_ms: float, slowdown: float = 1.0) -> float:
    """The round trip, in ms, above which the device answers sooner; 0 where it does so without any network.

    Args:
        device_ms: of the device's work on this machine.
    """
    return max(0.0, on_device_ms(here_ms=device_ms, slowdown=slowdown) - server_ms)


def speedups(
    *, round_trips_ms: Sequence[float], slowdowns: Sequence[float], server_ms: float, device_ms: float
) -> np.ndarray:
    """How many times sooner the device answers, (n_slowdowns, n_round_trips); below 1 the server is the quicker one."""
    at_server = np.asarray(round_trips_ms, dtype=float) + server_ms
    return at_server[None, :] / (device_ms * np.asarray(slowdowns, dtype=float)[:, None])


def request(
    placement: str,
    *,
    query: str,
    history: Sequence[str],
    user: str,
    states: np.ndarray | None = None,
    product_ids: Sequence[str] = (),
) -> dict | None:
    """What the device asks for one query; None where it asks nothing.

    Args:
        states: of the query, for the placement that sends them.
        product_ids: of the candidates, for the placement that fetches their states.

    Raises:
        ValueError: an unknown placement, or one whose states or ids are not given.
    """
    if placement == SERVER:
        return {"user": user, "query": query, "history": list(history)}
    if placement == VECTOR and states is not None:
        return {"states": np.asarray(states, dtype=np.float32).round(4).tolist()}
    if placement == FETCHED and product_ids:
        return {"product_ids": list(product_ids)}
    if placement == DEVICE:
        return None
    if placement not in PLACEMENTS:
        raise ValueError(f"placement '{placement}' is not one of {'; '.join(PLACEMENTS)}")
    raise ValueError(f"'{placement}' needs states of the query, or ids of its candidates; give them")


def body(request: dict) -> bytes:
    """The JSON that is sent."""
    return json.dumps(request, ensure_ascii=False, separators=(",", ":")).encode()


@dataclass(frozen=True)
class Sent:
    """What left the device for one query."""

    fields: tuple[str, ...]
    n_bytes: int

    @property
    def tells(self) -> str:
        """What somebody who reads it learns, in words."""
        return ", ".join(TELLS.get(field, field) for field in self.fields) or "nothing"


def sent(placement: str, query: str, history: Sequence[str], **parts: object) -> Sent:
    """The fields and bytes that leave the device for one query, of the request itself.

    Args:
        parts: as `request` takes them.
    """
    asked = request(placement, query=query, history=history, **parts)
    return Sent((), 0) if asked is None else Sent(tuple(asked), len(body(asked)))
