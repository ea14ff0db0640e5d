"""A browser, two tiny models and the pages made of them. The browser is Debian's Chromium; Playwright brings none."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from browsing import MAX_TOKENS, new_tab
from transformers import BertConfig

from utils import settings
from utils.data import catalogue
from utils.edge import web_bundle, web_server
from utils.rank import models

REMEDY = "Chromium is missing: apt-get install chromium, or name one in the variable CHROMIUM"


@pytest.fixture(scope="session")
def browser():
    """Chromium from the variable CHROMIUM or from PATH, closed at the end."""
    from playwright.sync_api import sync_playwright

    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if not path:
        pytest.skip(REMEDY)
    as_root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=as_root)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def tiny_folders(tmp_path_factory) -> dict[str, Path]:
    """Two model folders of two layers and 32 numbers a token, with weights large enough that scores differ."""
    folder, tokenizer = tmp_path_factory.mktemp("tiny"), models.open_tokenizer()
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    config = BertConfig(
        vocab_size=len(tokenizer), max_position_embeddings=64, num_labels=1, initializer_range=0.2, **sizes
    )
    return {
        name: models.save(
            models.build_untrained(config, seed=seed), tokenizer=tokenizer, folder=folder / name, max_tokens=MAX_TOKENS
        )
        for seed, name in enumerate(("Final model", "Teacher"))
    }


@pytest.fixture(scope="session")
def shop():
    return catalogue.load("synthetic", profile=settings.profile("ci"))


@pytest.fixture(scope="session")
def site(tiny_folders, shop, tmp_path_factory) -> Path:
    """The page with both models in int8."""
    return web_bundle.make(
        tmp_path_factory.mktemp("site") / "int8", models=tiny_folders, catalogue=shop, max_tokens=MAX_TOKENS
    )


@pytest.fixture(scope="session")
def exact_site(tiny_folders, shop, tmp_path_factory) -> Path:
    """The page with the first model in fp32."""
    name, folder = next(iter(tiny_folders.items()))
    limits = {"max_tokens": MAX_TOKENS, "precision": "fp32"}
    return web_bundle.make(tmp_path_factory.mktemp("site") / "fp32", models={name: folder}, catalogue=shop, **limits)


@pytest.fixture
def changing(site, tmp_path):
    """A copy of the page that a test may change, and its address."""
    folder = tmp_path / "site"
    shutil.copytree(site, folder)
    with web_server.serve(folder) as address:
        yield folder, address


@pytest.fixture(scope="session")
def address(site):
    with web_server.serve(site) as found:
        yield found


@pytest.fixture
def tab(browser):
    """A tab of a browser that has seen nothing yet."""
    page = new_tab(browser)
    yield page
    page.context.close()
