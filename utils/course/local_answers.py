"""What a device answers by itself: from its cache, by its ranker, and with a new bundle; as notebook 11 asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from utils.course import releases
from utils.course.releases import Update
from utils.edge import delta, devices, placement
from utils.edge.installed import Place
from utils.measure import plots_placement
from utils.speed import cache_replay
from utils.speed.cache_replay import Search

SIZES = (2_000, 5_000, 20_000, 100_000, 1_000_000)  # bytes of a cache
ANSWER = b"x" * 500  # about the size of an answer of a hundred products
ROUND_TRIPS_MS = (1, 2, 5, 10, 20, 50, 100, 200)
SLOWDOWNS = (1, 2, 4, 8, 16, 32)


@dataclass(frozen=True)
class Replayed:
    """Hit rates by the size of the cache, in bytes, of the same searches.

    Attributes:
        shared: of one cache for all users; own: of a cache for each of the users who search most, all together.
        most_possible: of a cache that forgets nothing and serves all users.
    """

    shared: dict[int, float]
    own: dict[int, float]
    most_possible: float


def replay(found: Sequence[Search], *, n_devices: int) -> Replayed:
    """Play searches through one cache, and through a cache on each device; of fewer users there are fewer devices."""
    of_users = devices.of_devices(found, n_devices=min(n_devices, len(cache_replay.by_user(found))))
    shared = cache_replay.by_size(found, sizes=SIZES, value=ANSWER, ttl_s=None)
    return Replayed(
        {size: one.hit_rate for size, one in shared.items()},
        cache_replay.hit_rates_of_devices(of_users, sizes=SIZES, value=ANSWER),
        cache_replay.most_possible(found),
    )


def bring(place: Place, bundle: Path, *, work: Path) -> Update:
    """Bring a device to a new bundle by a delta: made, put onto the bundle in use, verified and installed.

    Args:
        work: an empty folder for the delta and the patched bundle.

    Raises:
        Refused: a bundle is damaged, or the patched one is not the new one bit for bit.
    """
    cost = releases.update(place.current(), bundle, folder=work / "delta")
    place.install(delta.apply(place.current(), work / "delta", folder=work / "patched"))
    return cost


def draw_places(*, server_ms: float, device_ms: float, round_trip_ms: float, title: str) -> Figure:
    """The map of when a device answers sooner than a server, with this machine and a device four times slower on it.

    Args:
        server_ms: of the server's work, and `device_ms` of the same work here.
    """
    grid = {"round_trips_ms": ROUND_TRIPS_MS, "slowdowns": SLOWDOWNS}
    sooner = placement.speedups(**grid, server_ms=server_ms, device_ms=device_ms)
    points = {"this machine": (round_trip_ms, 1), "four times slower": (round_trip_ms, 4)}
    return plots_placement.when_local_wins(sooner, **grid, points=points, title=title)
