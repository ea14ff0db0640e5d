"""The browser's bundle: whole, of one version, with what the page must know of each model."""

import json

import pytest
import small_shop

from utils import disk
from utils.data.terms import STOP_WORDS
from utils.edge import web_bundle, web_vendor
from utils.rank import models, ranker

PAIR = ("red sofa", "Sofa red Acme")


@pytest.fixture
def vendor(tmp_path, monkeypatch):
    """Other people's files, without npm."""
    folder = tmp_path / "vendor"
    folder.mkdir()
    for name in web_vendor.SHIPPED | web_vendor.TESTING:
        (folder / name).write_text(name)
    monkeypatch.setattr(web_vendor, "fetched", lambda: folder)
    return folder


@pytest.fixture
def shop(tmp_path):
    (tmp_path / "shop").mkdir()
    return small_shop.load(small_shop.write(tmp_path / "shop"))


@pytest.fixture
def made(small_folder, vendor, shop, tmp_path):
    return web_bundle.make(
        tmp_path / "site", models={"Mine": small_folder}, catalogue=shop, max_tokens=48, precision="fp32"
    )


def test_the_manifest_names_every_file_with_its_sum_but_the_service_worker(made):
    manifest = web_bundle.read(made)
    there = {path.relative_to(made).as_posix() for path in made.rglob("*") if path.is_file()}
    assert there - manifest["files"].keys() == {"manifest.json", "sw.js"}
    for name, file in manifest["files"].items():
        assert file == {"sha256": disk.sha256(made / name), "bytes": (made / name).stat().st_size}


def test_a_model_comes_with_all_that_makes_its_pairs(made, small_folder):
    (model,) = web_bundle.read(made)["models"]
    _, tokenizer = models.described(small_folder)
    encoded = ranker.encode(tokenizer, [PAIR], max_tokens=model["max_tokens"])
    sides = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in PAIR]
    parts = [([token] if side is None else sides[side], kind) for token, kind, side in model["frame"]]
    assert [token for part, _ in parts for token in part] == encoded["input_ids"][0]
    assert [kind for part, kind in parts for _ in part] == encoded["token_type_ids"][0]
    assert (model["name"], model["max_tokens"], model["precision"]) == ("Mine", 48, "fp32")
    assert model["pad"] == {"input_ids": tokenizer.pad_token_id, "token_type_ids": 0, "attention_mask": 0}
    assert model["bytes"] == sum(path.stat().st_size for path in (made / model["folder"]).iterdir())


def test_a_pair_is_never_longer_than_the_model_has_room_for(small_folder, vendor, shop, tmp_path):
    limits = {"max_tokens": 4_000, "precision": "fp32"}
    made = web_bundle.make(tmp_path / "site", models={"Mine": small_folder}, catalogue=shop, **limits)
    assert web_bundle.read(made)["models"][0]["max_tokens"] == 512


def test_the_catalogue_holds_what_a_ranker_reads_and_what_bm25_leaves_out(made, shop):
    content = json.loads((made / "catalogue.json").read_text(encoding="utf-8"))
    rows = (shop.products[name][:] for name in ("product_id", "title", "text"))
    assert content["products"] == [list(row) for row in zip(*rows, strict=True)]
    assert set(content["stop_words"]) == STOP_WORDS


def test_the_version_changes_with_any_file_and_is_the_same_for_the_same_files(made):
    before = web_bundle.read(made)["version"]
    assert web_bundle.renew(made)["version"] == before
    (made / "style.css").write_text("p { color: red }")
    after = web_bundle.renew(made)
    assert after["version"] != before and after == web_bundle.read(made)
    assert after["files"]["style.css"]["sha256"] == disk.sha256(made / "style.css")


def test_what_is_for_tests_alone_is_not_shipped_and_no_other_host_is_named(made):
    assert sorted(path.name for path in (made / "vendor").iterdir()) == sorted(web_vendor.SHIPPED)
    for path in made.iterdir():
        if path.suffix in (".js", ".css", ".html"):
            assert "https://" not in path.read_text(encoding="utf-8"), path.name


def test_a_page_that_cannot_be_made_leaves_the_old_one_whole(made, shop, tmp_path):
    before = web_bundle.read(made)
    (tmp_path / "empty").mkdir()
    with pytest.raises((ValueError, FileNotFoundError)):
        web_bundle.make(made, models={"Mine": tmp_path / "empty"}, catalogue=shop, max_tokens=48)
    with pytest.raises(ValueError, match="no models"):
        web_bundle.make(made, models={}, catalogue=shop, max_tokens=48)
    assert web_bundle.read(made) == before and web_bundle.renew(made) == before
