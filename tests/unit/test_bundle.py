"""A bundle says what it holds; damaged, foreign or mixed ones are refused with the file and what to do."""

import hashlib
import json
import shutil

import bundles
import pytest

from utils.edge import bundle, manifest, products
from utils.edge.manifest import Refused
from utils.edge.products import Facts


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return bundles.make(tmp_path_factory.mktemp("made") / "one", version=3)


@pytest.fixture
def copy(made, tmp_path):
    return shutil.copytree(made, tmp_path / "one")


def test_the_manifest_names_every_file_with_its_sum_and_size(made):
    found = manifest.verify(made)
    files = {name: data for name, data in bundles.contents(made).items() if name != "manifest.json"}
    assert {name: (file.sha256, file.bytes) for name, file in found.files.items()} == {
        name: (hashlib.sha256(data).hexdigest(), len(data)) for name, data in files.items()
    }
    assert found.n_bytes == sum(map(len, files.values())) and found.version == 3
    assert {name.split("/")[0] for name in files} == {"model", "states", "catalogue"}


def test_the_model_is_known_by_its_weights_and_the_catalogue_by_its_texts(made):
    found, (texts, _) = manifest.read(made), bundles.catalogue()
    assert found.model_hash == hashlib.sha256(bundles.WEIGHTS).hexdigest()[:16]
    assert found.catalogue_version == products.version_of(texts)
    assert found.catalogue_version != products.version_of(texts | {"p000": "another text"})
    assert products.version_of(dict(reversed(texts.items()))) == found.catalogue_version  # in whatever order


def test_only_the_named_files_of_a_model_are_shipped(tmp_path):
    parts = bundles.write_parts(tmp_path / "parts")
    (parts["model"] / "optimizer.bin").write_bytes(b"large")
    found = bundle.make(tmp_path / "b", version=1, files=["config.json"], **parts)
    assert {name for name in found.files if name.startswith("model/")} == {
        "model/config.json",
        "model/model.safetensors",
    }
    with pytest.raises(ValueError, match="tokenizer.json: no such file"):
        bundle.make(tmp_path / "c", version=1, files=["tokenizer.json"], **parts)
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize("name", ["model/model.safetensors", "states/states.npy", "catalogue/facts.json"])
def test_a_file_that_is_cut_changed_or_gone_is_refused_by_its_name(copy, name):
    path, data = copy / name, (copy / name).read_bytes()
    path.write_bytes(data[:-1])
    with pytest.raises(Refused, match=f"one: {name} has {len(data) - 1:,} bytes and must have {len(data):,}"):
        manifest.verify(copy)
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(Refused, match=f"one: {name} is not the file that was made, its sha256 differs; fetch it again"):
        manifest.verify(copy)
    path.unlink()
    with pytest.raises(Refused, match=f"one: {name} is missing"):
        manifest.verify(copy)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 3}', "null"])
def test_a_manifest_that_is_cut_or_none_is_refused(copy, text):
    (copy / "manifest.json").write_text(text)
    with pytest.raises(Refused, match="one: manifest.json is damaged or cut short"):
        manifest.verify(copy)
    (copy / "manifest.json").unlink()
    with pytest.raises(Refused, match="one: manifest.json is missing, so this is no whole bundle"):
        manifest.verify(copy)


def test_another_format_is_refused_before_anything_else_is_read(copy):
    (copy / "manifest.json").write_text(json.dumps({"format": "rank-for-less bundle 2", "whatever": 1}))
    with pytest.raises(
        Refused, match="format 'rank-for-less bundle 2', and this program reads 'rank-for-less bundle 1'"
    ):
        manifest.verify(copy)


@pytest.mark.parametrize("changes", [{"version": 0}, {"version": "4"}, {"version": True}, {"more": 1}], ids=str)
def test_a_manifest_with_other_fields_is_refused(copy, changes):
    bundles.rewrite_manifest(copy, **changes)
    with pytest.raises(Refused, match=f"one: manifest.json is damaged \\({next(iter(changes))}: "):
        manifest.verify(copy)


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "model/../../outside", "C:\\file", ""])
def test_a_name_that_leads_out_of_the_bundle_is_refused(copy, name):
    bundles.rewrite_manifest(copy, files={name: {"sha256": "0" * 64, "bytes": 0}})
    with pytest.raises(Refused, match="leads out of the bundle"):
        manifest.verify(copy)


def test_states_of_another_model_are_refused_when_the_bundle_is_made(tmp_path):
    with pytest.raises(Refused, match="^b: its states are of model 00ff, and its model is .*; make the states again"):
        bundles.make(tmp_path / "b", version=1, made_by="00ff")
    assert not (tmp_path / "b").exists()
    silent = bundles.write_parts(tmp_path / "silent")
    (silent["store"] / "store.json").write_text("{}")
    with pytest.raises(Refused, match="its states are of model None"):
        bundle.make(tmp_path / "b", version=1, **silent)


def test_a_mixed_pair_is_refused_even_where_every_sum_is_right(copy, tmp_path):
    other = bundles.make(tmp_path / "other", version=4, weights=b"another model")
    shutil.rmtree(copy / "states")
    shutil.copytree(other / "states", copy / "states")
    files = manifest.read(copy).model_dump()["files"] | {
        name: file for name, file in manifest.read(other).model_dump()["files"].items() if name.startswith("states/")
    }
    bundles.rewrite_manifest(copy, files=files)
    with pytest.raises(Refused, match="its states are of model"):
        manifest.verify(copy)


def test_weights_that_are_not_the_claimed_model_are_refused(copy):
    bundles.rewrite_manifest(copy, model_hash="0" * 16)
    with pytest.raises(Refused, match="model/model.safetensors is not the model 0000000000000000"):
        manifest.verify(copy)


def test_parts_of_two_catalogues_are_refused(copy, tmp_path):
    with pytest.raises(Refused, match="its parts are of catalogues yesterday and"):
        bundles.make(tmp_path / "b", version=1, catalogue_version="yesterday")
    bundles.rewrite_manifest(copy, catalogue_version="0" * 16)
    with pytest.raises(Refused, match="its parts are of catalogues .* and 0000000000000000"):
        manifest.verify(copy)


def test_price_and_stock_filter_an_answer_after_it_was_ranked(made):
    facts = products.read_facts(made / "catalogue")
    assert products.read_texts(made / "catalogue") == bundles.catalogue()[0] and facts == bundles.catalogue()[1]
    shown = products.to_show(["p005", "p004", "vanished", "p001", "p002"], facts=facts, limit=2)
    assert shown == [("p004", 14.0), ("p001", 11.0)]  # p005 is sold out


def test_a_product_with_a_text_and_no_price_is_refused(tmp_path):
    with pytest.raises(ValueError, match="product 'b' has a text and no facts, or facts and no text"):
        products.write(tmp_path / "c", texts={"a": "x", "b": "y"}, facts={"a": Facts(1.0, True)})


def test_a_model_may_be_known_by_a_file_that_names_it_so_that_its_graphs_travel_alone(tmp_path):
    parts = bundles.write_parts(tmp_path / "parts")
    model_hash = hashlib.sha256(bundles.WEIGHTS).hexdigest()[:16]
    for name, facts in {"ranker.json": {"model_hash": model_hash}, "other.json": {"model_hash": "0" * 16}}.items():
        (parts["model"] / name).write_text(json.dumps(facts))
    (parts["model"] / "sides.onnx").write_bytes(b"a graph")
    made = bundle.make(tmp_path / "one", version=1, weights="ranker.json", files=["sides.onnx"], **parts)
    assert made.model_hash == model_hash and "model/model.safetensors" not in made.files
    assert manifest.verify(tmp_path / "one") == made
    with pytest.raises(Refused, match="states are of model"):
        bundle.make(tmp_path / "two", version=1, weights="other.json", files=["sides.onnx"], **parts)
