"""A run as notebook 04 leaves it, small, with a student of two layers: what split models are made of in tests."""

import dataclasses

import numpy as np

from utils import settings
from utils.course import stages, teachers
from utils.course.run import Run
from utils.data import catalogue
from utils.rank import models
from utils.shrink import recipe as recipes
from utils.shrink.distil import scored_pairs
from utils.shrink.prune import vocabulary
from utils.shrink.recipe import Recipe


class WordsInCommon:
    """A teacher whose scores are plain to see."""

    def score(self, pairs):
        return np.array([3.0 * len({*q.split()} & {*p.lower().split()}) for q, p in pairs], dtype=np.float32)


def make(folder, *, small_folder):
    """The run in a folder; its teacher and its student are one small model with the shop's vocabulary."""
    profile = dataclasses.replace(settings.profile("ci"), n_valid_queries=8, n_stop_queries=2, batch_size=8)
    shop = catalogue.load("synthetic", profile=profile)
    made = Run("11_edge", profile, "synthetic", 0, folder, shop, {"cores": 1, "architecture": "x86_64"})
    model, tokenizer = models.load(small_folder)
    texts = [*shop.products["text"][:], *shop.train_queries()]
    tokenizer = vocabulary.keep_tokens(model, tokenizer, keep=vocabulary.kept_tokens(tokenizer, texts))
    for name in ("teacher", "student"):
        with stages.whole(made.stage(name), notebook="04_distill") as partial:
            model.save_pretrained(partial)
            tokenizer.save_pretrained(partial)
    recipes.keep(Recipe(), folder=folder)
    pairs = scored_pairs.score(WordsInCommon(), scored_pairs.draw(shop, n_unlabelled=120, seed=0))
    hashes = {"teacher_hash": teachers.of_run(made).weights, "data_hash": shop.hash}
    scored_pairs.save(pairs, folder=folder / "scored_pairs", **hashes)
    return made
