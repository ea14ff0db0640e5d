"""The search page in Chromium: its scores are Python's, it works without a network, and it asks nobody else."""

from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pytest
from browsing import LANGUAGES, MAX_TOKENS, SHOTS, new_tab
from playwright.sync_api import expect
from scipy.stats import spearmanr

from utils.data import candidates
from utils.edge import web_bundle, web_server, web_vendor
from utils.rank import models, ranker, runtimes

SCORE = """async ([place, pairs, batchSize]) => {
  const engine = await import("/ranker.js");
  const manifest = await (await fetch("/manifest.json")).json();
  const bytesOf = async (path) => (await fetch("/" + path)).arrayBuffer();
  engine.prepare({ nThreads: 1 });
  const ranker = await engine.open(manifest.models[place], bytesOf);
  return Array.from(await ranker.score(pairs, { batchSize }));
}"""
ENCODE = """async ([pairs, maxTokens]) => {
  const { Tokenizer } = await import("/vendor/tokenizers.min.mjs");
  const { encode } = await import("/pairs.js");
  const { frame, folder } = (await (await fetch("/manifest.json")).json()).models[0];
  const read = async (name) => (await fetch(`/${folder}/${name}`)).json();
  const tokenizer = new Tokenizer(await read("tokenizer.json"), await read("tokenizer_config.json"));
  const idsOf = (text) => (text ? tokenizer.encode(text, { add_special_tokens: false }).ids : []);
  return pairs.map((pair) => encode(pair, { idsOf, frame, maxTokens }));
}"""
SEARCH = """async (queries) => {
  const { Bm25 } = await import("/bm25.js");
  const { products, stop_words: stopWords } = await (await fetch("/catalogue.json")).json();
  const index = new Bm25(products.map((product) => product[2]), stopWords);
  return queries.map((query) => index.top(query, 20).map((row) => products[row][0]));
}"""
WORDS = """async (texts) => {
  const { words } = await import("/bm25.js");
  return texts.map((text) => words(text, new Set()));
}"""
KEPT = """async () => {
  const found = {};
  for (const name of await caches.keys()) found[name] = (await (await caches.open(name)).keys()).length;
  return found;
}"""


@pytest.fixture(scope="module")
def pairs(shop):
    """100 pairs: short, longer than the limit on either side or both, empty, and of several languages."""
    texts = shop.products["text"][:40]
    queries = list(dict.fromkeys(shop.pairs["valid"]["query"][:]))[:40]
    long = " ".join(texts[:8])
    odd = [("", texts[0]), (queries[0], ""), ("", ""), (long, texts[1]), (queries[1], long), (long, long[9:])]
    foreign = [(query, product) for query in LANGUAGES[:9] for product in LANGUAGES[3:9]]
    return [*zip(queries, texts, strict=True), *odd, *foreign][:100]


@pytest.fixture(scope="module")
def opened(browser, address):
    """A tab with the page open and both models ready, which tests that leave nothing behind share."""
    page = new_tab(browser)
    ready(page, address)
    yield page
    page.context.close()


def ready(tab, address, *, n_models=2):
    """Open the page and wait until all of its models can rank."""
    tab.goto(address)
    expect(tab.locator("[data-ready]")).to_have_count(n_models, timeout=30_000)


def ask(tab, query, *, n_products=20):
    """Type a query and wait for every model's answer."""
    tab.fill("#query", query)
    expect(tab.locator(".stale")).to_have_count(0, timeout=30_000)
    expect(tab.locator(".product")).to_have_count(n_products)


def titles(tab):
    return tab.locator(".column").first.locator("h3").all_inner_texts()


def test_scores_in_fp32_are_pythons_for_a_hundred_pairs_of_several_languages(tab, exact_site, tiny_folders, pairs):
    folder = tiny_folders["Final model"]
    expected = runtimes.open_ranker(folder, runtime="pytorch", threads=1, max_tokens=MAX_TOKENS).score(pairs)
    with web_server.serve(exact_site) as address:
        tab.goto(address + "icon.svg")
        found = np.array(tab.evaluate(SCORE, [0, pairs, 32]))
    assert len(pairs) == 100 and np.ptp(expected) > 0.5
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_scores_in_int8_rank_as_pythons_do_on_the_same_batches(tab, site, address, tiny_folders, pairs):
    _, tokenizer = models.described(tiny_folders["Final model"])
    graph = site / "models" / "0" / "model.onnx"
    expected = runtimes.open_graph(graph, tokenizer=tokenizer, threads=1, max_tokens=MAX_TOKENS).score(pairs)
    tab.goto(address + "icon.svg")
    found = tab.evaluate(SCORE, [0, pairs, 32])
    assert spearmanr(found, expected).statistic >= 0.99


@pytest.mark.parametrize("max_tokens", [3, 12, 13])
def test_pairs_are_cut_longest_first_and_an_empty_text_leaves_a_pair(tab, address, tiny_folders, pairs, max_tokens):
    _, tokenizer = models.described(tiny_folders["Final model"])
    expected = ranker.encode(tokenizer, pairs, max_tokens=max_tokens)
    tab.goto(address + "icon.svg")
    found = tab.evaluate(ENCODE, [pairs, max_tokens])
    for name, rows in expected.items():
        assert [row[name] for row in found] == rows


def test_the_first_step_finds_what_bm25_finds_in_python(tab, address, shop):
    queries = [*dict.fromkeys(shop.pairs["valid"]["query"][:]), "", "no such words"]
    found = candidates.top(candidates.build(shop), queries, n_candidates=20)
    tab.goto(address + "icon.svg")
    assert tab.evaluate(SEARCH, queries) == [[product for product, _ in of_query] for of_query in found]


def test_words_are_pythons_in_every_script(tab, address):
    tab.goto(address + "icon.svg")
    found = tab.evaluate(WORDS, LANGUAGES)
    stopped = candidates.words(LANGUAGES)
    assert [[word for word in of_text if word in kept] for of_text, kept in zip(found, stopped, strict=True)] == stopped


def test_both_models_answer_as_one_types_each_with_its_time_and_weight(opened):
    ask(opened, "blue armchair")
    assert len(titles(opened)) == 10
    assert all(re.fullmatch(r"[\d.]+", text) for text in opened.locator(".ms").all_inner_texts())
    assert all("MB to load · int8" in text for text in opened.locator(".weight").all_inner_texts())
    assert opened.complaints == []


def test_the_page_searches_on_with_the_network_off(tab, address):
    ready(tab, address)
    ask(tab, "steel saucepan")
    before = titles(tab)
    tab.context.set_offline(True)
    tab.reload()
    expect(tab.locator("[data-ready]")).to_have_count(2, timeout=30_000)
    expect(tab.locator("#query")).to_have_value("steel saucepan")
    expect(tab.locator(".product")).to_have_count(20)
    assert titles(tab) == before
    ask(tab, "rattan armchair")
    expect(tab.locator("#network")).to_contain_text("Offline")
    SHOTS.mkdir(parents=True, exist_ok=True)
    tab.screenshot(path=SHOTS / "offline.png")


def test_nothing_is_asked_of_another_origin_and_no_query_is_sent(opened, address):
    ready(opened, address)
    ask(opened, "secretword armchair")
    assert opened.asked and all(url.startswith(address) for url in opened.asked)
    assert not any("secretword" in url.partition("#")[0] for url in opened.asked)


def test_no_string_becomes_code(tab, address):
    tab.goto(address + "icon.svg")
    with tab.expect_console_message(lambda message: "unsafe-eval" in message.text):
        tab.evaluate("() => { setTimeout('globalThis.wasRun = true'); }")
    assert tab.evaluate("() => globalThis.wasRun") is None


def test_threads_are_used_where_the_page_is_isolated_and_one_elsewhere(tab, changing, monkeypatch):
    _, address = changing
    for name in ("Cross-Origin-Opener-Policy", "Cross-Origin-Embedder-Policy"):
        monkeypatch.delitem(web_server.HEADERS, name)
    ready(tab, address)
    expect(tab.locator("#threads")).to_have_text("1 thread")
    ask(tab, "blue armchair")


def test_an_isolated_page_uses_as_many_threads_as_there_are_up_to_four(opened):
    n_threads = min(4, opened.evaluate("() => navigator.hardwareConcurrency"))
    expect(opened.locator("#threads")).to_have_text("1 thread" if n_threads == 1 else f"{n_threads} threads")


def test_a_model_that_is_damaged_on_the_way_is_refused_by_its_name(tab, changing):
    folder, address = changing
    damage(folder / "models/0/model.onnx")
    tab.goto(address)
    expect(tab.locator("#trouble")).to_contain_text("models/0/model.onnx is not the file that was made")
    expect(tab.locator("#trouble")).to_be_visible()
    expect(tab.locator("#query")).to_be_disabled()


@pytest.mark.parametrize("fault", ["damaged", "cut short", "missing", "other format"])
def test_a_faulty_new_version_is_refused_and_the_old_one_goes_on(tab, changing, fault):
    folder, address = changing
    ready(tab, address)
    ask(tab, "blue armchair")
    before = titles(tab)
    retitle(folder)
    spoil(folder, fault=fault)
    tab.reload()
    expect(tab.locator("#trouble")).to_contain_text("the one on this device goes on serving")
    expect(tab.locator(".product")).to_have_count(20)
    expect(tab.locator("#trouble")).to_be_visible()
    assert titles(tab) == before


def test_a_new_version_takes_over_and_only_what_changed_is_fetched(tab, changing):
    folder, address = changing
    ready(tab, address)
    ask(tab, "blue armchair")
    version = retitle(folder)
    tab.asked.clear()
    tab.reload()
    expect(tab.locator("h3").first).to_have_text(re.compile("^NEW "))
    fetched = {url.removeprefix(address).partition("?")[0] for url in tab.asked if url.endswith("?newest")}
    assert fetched == {"manifest.json", "catalogue.json"}
    assert {name.rsplit(" ", 1)[-1] for name in tab.evaluate(KEPT)} == {"pointer", version}


def test_a_new_page_is_shown_once_it_is_there(tab, changing):
    folder, address = changing
    ready(tab, address)
    page = folder / "index.html"
    page.write_text(page.read_text().replace("What are you looking for?", "A newer page"))
    web_bundle.renew(folder)
    tab.reload()
    expect(tab.locator("h1")).to_have_text("A newer page")
    expect(tab.locator("[data-ready]")).to_have_count(2)


def test_an_answer_is_kept_for_its_version(opened):
    ask(opened, "blue armchair")
    before = titles(opened)
    ask(opened, "steel saucepan")
    ask(opened, "Blue armchair ")
    expect(opened.locator(".note").first).to_have_text("An answer kept from before.")
    assert titles(opened) == before


def test_what_a_newer_query_has_overtaken_is_dropped(opened):
    before = answers(opened)
    opened.evaluate("""() => {
      const input = document.getElementById("query");
      for (const text of ["r", "ra", "red", "red c", "red chair"]) {
        input.value = text;
        input.dispatchEvent(new Event("input"));
      }
    }""")
    expect(opened.locator(".product")).to_have_count(20)
    expect(opened.locator(".stale")).to_have_count(0)
    assert answers(opened) - before == 2  # of the last query, one a model


def test_a_query_without_a_known_word_finds_nothing_and_says_so(opened):
    ask(opened, "qqqq zzzz", n_products=0)
    expect(opened.locator("#found")).to_contain_text("No product has a word of")


def test_keys_alone_are_enough(opened):
    opened.evaluate("() => document.activeElement.blur()")
    opened.keyboard.press("/")
    opened.keyboard.type("blue armchair")
    expect(opened.locator(".product")).to_have_count(20)
    for _ in range(4):
        opened.keyboard.press("Tab")
    opened.keyboard.press("Enter")
    expect(opened.locator("#query")).to_have_value(opened.locator("#examples button").nth(3).inner_text())
    opened.keyboard.press("Tab")
    opened.keyboard.press("Space")
    expect(opened.locator(".column:visible")).to_have_count(1)
    opened.keyboard.press("Space")
    expect(opened.locator(".column:visible")).to_have_count(2)
    opened.keyboard.press("/")
    opened.keyboard.press("Escape")
    expect(opened.locator("#query")).to_have_value("")
    expect(opened.locator("#answers")).to_be_hidden()


def test_a_screen_reader_hears_of_the_answer(opened):
    ask(opened, "blue armchair")
    expect(opened.locator("[role=status]")).to_contain_text("10 products for blue armchair")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("size", "width"), [("wide", 1280), ("narrow", 390)])
def test_the_page_is_accessible_and_fits_its_window(opened, scheme, size, width):
    opened.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    opened.set_viewport_size({"width": width, "height": 900})
    ask(opened, "blue armchair")
    SHOTS.mkdir(parents=True, exist_ok=True)
    opened.screenshot(path=SHOTS / f"{size}-{scheme}.png", full_page=True)
    assert opened.evaluate("() => document.documentElement.scrollWidth") <= width
    opened.evaluate((web_vendor.fetched() / "axe.min.js").read_text(encoding="utf-8"))
    found = opened.evaluate("async () => (await axe.run()).violations.map(({ id, nodes }) => [id, nodes[0].html])")
    assert found == []


def answers(tab):
    """How many answers the browser keeps."""
    return sum(n for name, n in tab.evaluate(KEPT).items() if "answers" in name)


def damage(path):
    """Change one byte in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)


def retitle(folder):
    """Give every product a new title, and the bundle a new version, which is returned."""
    path = folder / "catalogue.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["products"] = [[name, f"NEW {title}", text] for name, title, text in content["products"]]
    path.write_text(json.dumps(content), encoding="utf-8")
    return web_bundle.renew(folder)["version"]


def spoil(folder, *, fault):
    """Do to a bundle what may happen to it after its manifest was written."""
    path = folder / "catalogue.json"
    if fault == "damaged":
        damage(path)
    elif fault == "cut short":
        path.write_bytes(path.read_bytes()[:-100])
    elif fault == "missing":
        path.unlink()
    else:
        manifest = folder / web_bundle.NAME
        shutil.copyfile(manifest, folder / "kept.txt")
        manifest.write_text(manifest.read_text().replace(web_bundle.FORMAT, "of tomorrow"))
