"""A delta holds what changed and nothing else, and makes the new bundle bit for bit or none."""

import hashlib
import shutil
import zlib

import bundles
import numpy as np
import pytest

from utils.edge import delta, manifest
from utils.edge.installed import Place
from utils.edge.manifest import Refused

CHANGED, GONE = ["p007", "p031"], ["p020", "p021", "p059"]


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """A day's bundle and the next one's, in which two texts changed and three products are gone."""
    folder = tmp_path_factory.mktemp("two")
    return bundles.make(folder / "old", version=1), bundles.make(
        folder / "new", version=2, changed=CHANGED, without=GONE
    )


@pytest.fixture(scope="module")
def made(two, tmp_path_factory):
    folder = tmp_path_factory.mktemp("delta") / "d"
    assert delta.make(*two, folder=folder) == delta.n_bytes(folder) > 0
    return folder


def test_old_bundle_and_delta_are_the_new_bundle_bit_for_bit(two, made, tmp_path):
    old, new = two
    before = bundles.contents(old)
    found = delta.apply(old, made, folder=tmp_path / "applied")
    assert bundles.contents(found) == bundles.contents(new) != before and bundles.contents(old) == before


def test_it_carries_the_rows_of_changed_products_alone(two, made):
    old, new = two
    number = list(manifest.read(new).files).index("states/states.npy")
    sent = zlib.decompress((made / f"{number}.new").read_bytes())
    texts, _ = bundles.catalogue(CHANGED, GONE)
    rows = b"".join(bundles.states(texts[one], bundles.WEIGHTS).tobytes() for one in CHANGED)
    assert sent.endswith(rows) and len(sent) == len(rows) + 128  # and the header, which says how many rows there are
    assert delta.n_bytes(made) < 0.5 * delta.n_bytes(new)


def test_a_model_that_did_not_change_is_not_sent(made):
    assert bundles.WEIGHTS not in b"".join(bundles.contents(made).values())
    assert delta.n_bytes(made) < len(bundles.WEIGHTS)


def test_a_replaced_model_is_sent_whole_with_its_states(two, tmp_path):
    old, weights = two[0], np.random.default_rng(0).bytes(len(bundles.WEIGHTS))
    new = bundles.make(tmp_path / "new", version=2, weights=weights)
    assert delta.make(old, new, folder=tmp_path / "d") > len(weights) + bundles.N_PRODUCTS * bundles.N_NUMBERS
    assert bundles.contents(delta.apply(old, tmp_path / "d", folder=tmp_path / "applied")) == bundles.contents(new)


def test_of_equal_days_nothing_but_the_manifest_is_sent(two, tmp_path):
    new = bundles.make(tmp_path / "new", version=2)
    delta.make(two[0], new, folder=tmp_path / "d")
    assert sorted(bundles.contents(tmp_path / "d")) == ["delta.json", "manifest.json"]
    assert bundles.contents(delta.apply(two[0], tmp_path / "d", folder=tmp_path / "applied")) == bundles.contents(new)


def test_a_delta_from_another_bundle_is_refused(two, made, tmp_path):
    with pytest.raises(Refused, match="leads from another bundle than the installed one; fetch the whole bundle"):
        delta.apply(two[1], made, folder=tmp_path / "applied")
    assert not (tmp_path / "applied").exists()


def test_a_delta_cut_short_tampered_or_of_another_format_is_refused_and_nothing_is_made(two, made, tmp_path):
    for name, data in bundles.contents(made).items():
        for wrong in (data[:-4], data[: len(data) // 2], data[:-3] + b"abc", None):
            bad = shutil.copytree(made, tmp_path / "bad", dirs_exist_ok=True)
            (bad / name).unlink() if wrong is None else (bad / name).write_bytes(wrong)
            try:
                found = delta.apply(two[0], bad, folder=tmp_path / "applied")
            except Refused:
                assert not (tmp_path / "applied").exists()
            else:  # a manifest without its last line break says the same
                assert manifest.verify(found) == manifest.read(two[1])
                shutil.rmtree(found)
    (bad / "delta.json").write_text('{"format": "rank-for-less delta 2"}')
    with pytest.raises(Refused, match="not of format 'rank-for-less delta 1'"):
        delta.apply(two[0], bad, folder=tmp_path / "applied")


def test_steps_that_make_other_bytes_are_refused_by_the_manifest(two, made, tmp_path):
    bad = shutil.copytree(made, tmp_path / "bad")
    text = (bad / "delta.json").read_text()
    assert '"model/config.json": "model/config.json"' in text
    swapped = text.replace('"model/config.json": "model/config.json"', '"model/config.json": "states/index.json"')
    (bad / "delta.json").write_text(swapped)
    with pytest.raises(Refused, match="^applied: model/config.json has .* bytes and must have"):
        delta.apply(two[0], bad, folder=tmp_path / "applied")


def test_what_comes_out_can_be_installed(two, made, tmp_path):
    place = Place(tmp_path / "device")
    place.install(two[0])
    place.install(delta.apply(place.current(), made, folder=tmp_path / "applied"))
    assert place.version == 2 and bundles.contents(place.current()) == bundles.contents(two[1])


@pytest.mark.parametrize("shape", [(40, 8), (1_000,), (30, 2, 5)])
@pytest.mark.parametrize("seed", range(3))
def test_whatever_happens_to_the_rows_of_an_array_it_comes_out_as_it_was(tmp_path, shape, seed):
    rng = np.random.default_rng(seed)
    before = rng.standard_normal(shape).astype(np.float32)
    order = rng.permutation(len(before))[: len(before) - 3]
    after = before[np.sort(order) if seed else order].copy()
    after[rng.integers(len(after), size=3)] = 7
    folders = []
    for version, array in enumerate((before, after), start=1):
        parts = bundles.write_parts(tmp_path / f"parts{version}")
        np.save(parts["store"] / "more.npy", array)
        folders.append(tmp_path / f"b{version}")
        bundles.bundle.make(folders[-1], version=version, **parts)
    delta.make(*folders, folder=tmp_path / "d")
    found = delta.apply(folders[0], tmp_path / "d", folder=tmp_path / "applied")
    assert bundles.contents(found) == bundles.contents(folders[1])


def test_a_file_is_never_asked_to_lie_outside(two, made, tmp_path):
    bad = shutil.copytree(made, tmp_path / "bad")
    files = manifest.read(bad).model_dump()["files"]
    empty = {"sha256": hashlib.sha256(b"").hexdigest(), "bytes": 0}
    bundles.rewrite_manifest(bad, files=files | {"../outside": empty})
    with pytest.raises(Refused, match="leads out of the bundle"):
        delta.apply(two[0], bad, folder=tmp_path / "applied")
