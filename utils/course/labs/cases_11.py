"""The inputs that the functions of lab 11 are tried on, awkward ones among them."""

from __future__ import annotations

import json

import numpy as np

from utils.course.labs import ways_11 as ways
from utils.course.labs.checks import Case


def of_states(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    two = {
        "query": np.array([[1.0, 0.0], [0.0, 1.0]]),
        "weights": np.array([2.0, 1.0]),
        "states": np.array([[[100, 20], [-50, 80], [127, 127]], [[20, -10], [10, 30], [40, 10]]], dtype=np.int8),
        "scales": np.array([[0.01, 0.02, 1.0], [0.05, 0.01, 0.02]]),
        "mask": np.array([[1, 1, 0], [1, 1, 1]]),
    }
    far = {
        "query": np.array([[1.0, 0.5]]),
        "weights": np.array([1.0]),
        "states": np.array([[[-20, -40], [-60, -10], [0, 0]]], dtype=np.int8),
        "scales": np.array([[0.1, 0.1, 0.0]]),
        "mask": np.array([[1, 1, 0]]),
    }
    n_real = rng.integers(2, 9, 6)
    drawn = {
        "query": rng.normal(size=(4, 16)),
        "weights": rng.uniform(0.1, 1.5, 4),
        "states": rng.integers(-127, 128, (6, 8, 16)).astype(np.int8),
        "scales": rng.uniform(0.002, 0.02, (6, 8)),
        "mask": (np.arange(8) < n_real[:, None]).astype(int),
    }
    front = drawn | {"mask": drawn["mask"][:, ::-1].copy()}
    return [
        Case("two products", two),
        Case("one word that is unlike all of the product's", far),
        Case(
            "one token each",
            {name: one[:, :1] if one.ndim > 1 and len(one) == 6 else one for name, one in drawn.items()},
        ),
        Case("six products", drawn),
        Case("fillers in front", front),
    ]


def of_requests(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    words = rng.permutation(["sofa", "lamp", "brass", "oak", "rug", "chair"])
    one, other = f"{words[0]} {words[1]}", f"{words[2]} {words[3]}"

    def case(about: str, *requests: tuple[str, str, str]) -> Case:
        return Case(about, {"requests": list(requests)})

    return [
        case("the same query twice", ("a1", "c1", one), ("a1", "c1", one), ("a1", "c1", other)),
        case("another model", ("a1", "c1", one), ("b2", "c1", one)),
        case("another catalogue", ("a1", "c1", one), ("a1", "c2", one)),
        case("capitals and spaces", ("a1", "c1", "Red  Sofa"), ("a1", "c1", " red sofa "), ("a1", "c1", "redsofa")),
        case("a space at the end", ("a1", "c1", "sofa"), ("a1", "c1", "sofa ")),
        case("an é of one character and an é of two", ("a1", "c1", "caf\u00e9"), ("a1", "c1", "cafe\u0301")),
        case("an e is no é", ("a1", "c1", "caf\u00e9"), ("a1", "c1", "cafe")),
        case("the same words in another order", ("a1", "c1", "case for phone"), ("a1", "c1", "phone for case")),
        case(
            "parts that could run together", ("a1", "c1", "2 chairs"), ("a1", "c12", "chairs"), ("a1c", "1", "2 chairs")
        ),
        *(
            case(f"parts with {sign!r} in them", ("a1", f"c{sign}x", "sofa"), ("a1", "c", f"x{sign}sofa"))
            for sign in ways.SIGNS
        ),
    ]


def of_events(seed: int) -> list[Case]:
    """Events: (seconds, "get", key), or (seconds, "put", key, bytes of the value)."""
    rng = np.random.default_rng(seed)
    drawn, now_s = [], 0
    for _ in range(60):
        now_s += int(rng.integers(1, 6))
        key = str(rng.choice(list("abcdefgh"), p=[0.3, 0.2, 0.15, 0.1, 0.1, 0.05, 0.05, 0.05]))
        drawn.append((now_s, "get", key) if rng.random() < 0.6 else (now_s, "put", key, int(rng.integers(2, 9))))

    def case(about: str, *events: tuple, max_bytes: int = 12, ttl_s: float = 100) -> Case:
        return Case(about, {"max_bytes": max_bytes, "ttl_s": ttl_s, "events": list(events)})

    def put(now_s: int, key: str, n_bytes: int) -> tuple:
        return (now_s, "put", key, n_bytes)

    def get(now_s: int, *keys: str) -> list[tuple]:
        return [(now_s, "get", key) for key in keys]

    return [
        case("one entry", put(0, "a", 3), *get(1, "a", "b")),
        case("a get is a use", put(0, "a", 5), put(1, "b", 5), *get(2, "a"), put(3, "c", 5), *get(4, "a", "b", "c")),
        case("entries that just fit", put(0, "a", 5), put(1, "b", 5), *get(2, "a", "b")),
        case("keys take room", put(0, "a", 5), put(1, "b", 4), put(2, "c", 1), *get(3, "a", "b", "c")),
        case(
            "two have to go",
            put(0, "a", 3),
            put(1, "b", 3),
            put(2, "c", 3),
            put(3, "d", 6),
            *get(4, "a", "b", "c", "d"),
        ),
        case("one that is larger than the cache", put(0, "a", 3), put(1, "b", 40), *get(2, "a", "b")),
        case("an entry is replaced", put(0, "a", 3), put(1, "b", 3), put(2, "a", 5), *get(3, "a", "b")),
        case("a put is a use", put(0, "a", 3), put(1, "b", 3), put(2, "a", 3), put(3, "c", 7), *get(4, "a", "b", "c")),
        case("the time to live", put(0, "a", 3), *get(9, "a"), *get(10, "a"), *get(20, "a"), ttl_s=10),
        case("a put begins the time anew", put(0, "a", 3), put(8, "a", 3), *get(12, "a"), *get(18, "a"), ttl_s=10),
        Case("sixty events", {"max_bytes": 24, "ttl_s": 40, "events": drawn}),
    ]


def of_bundles(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    model = rng.bytes(12)

    def made(*, version: int = 10, model: bytes = model, states_of: bytes = model) -> dict:
        states = json.dumps({"model_sha256": ways.sha256(states_of)}).encode()
        files = {ways.MODEL: model, ways.STATES: states, "titles.csv": b"1,Oak chair\n2,Brass lamp\n"}
        digests = {name: ways.sha256(data) for name, data in files.items()}
        return {"manifest": {"format": ways.FORMAT, "version": version, "files": digests}, "files": files}

    def case(about: str, bundle: dict, *, installed: int | None = 9, **files: bytes | None) -> Case:
        changed = bundle["files"] | {name.replace("_", "."): data for name, data in files.items()}
        kept = {name: data for name, data in changed.items() if data is not None}
        return Case(about, bundle | {"files": kept, "installed": installed})

    good = made()
    other_format = good | {"manifest": good["manifest"] | {"format": "bundle 2"}}
    flipped = bytes([model[0] ^ 1]) + model[1:]
    return [
        case("a good bundle", good),
        case("the first bundle of a device", good, installed=None),
        case("the version that is installed", good, installed=10),
        case("a version of one digit after one of two", made(version=9), installed=10),
        case("another format", other_format),
        case("a file did not come", good, titles_csv=None),
        case("a file is cut short", good, titles_csv=b"1,Oak chair\n"),
        case("one bit of the model is another one", good, model_onnx=flipped),
        case("the states are those of another model", made(states_of=b"another")),
        case("a file that nobody names", good, notes_txt=b"hello"),
        case("older, and a file is cut short", made(version=3), titles_csv=b"1,Oak"),
        case("older, and mixed", made(version=3, states_of=b"another")),
        case("the states are cut short", good, states_json=b'{"model_sha'),
    ]


def of_installs(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)

    def files(n_files: int) -> dict[str, bytes]:
        return {name: rng.bytes(8) for name in ("model", "states", "titles", "prices")[:n_files]}

    def case(about: str, *, installed: int | None, version: int, n_old: int, n_new: int) -> Case:
        old = files(n_old)
        return Case(about, {"installed": installed, "old": old, "version": version, "files": files(n_new)})

    return [
        case("version 10 after version 9", installed=9, version=10, n_old=3, n_new=3),
        case("a bundle with a file more", installed=10, version=12, n_old=2, n_new=4),
        case("the first bundle of a device", installed=None, version=1, n_old=0, n_new=2),
    ]
