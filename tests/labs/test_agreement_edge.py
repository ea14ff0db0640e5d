"""What labs 11 and 12 call right is what the course itself computes, on the very inputs of their checks."""

import itertools

import numpy as np
import pytest
from scipy.stats import spearmanr

from utils.course.labs import checks, lab_07, lab_11, lab_12, ways_11
from utils.rank import models, ranker
from utils.speed import cache


def inputs(task):
    return [case.arguments for case in checks.find(task).cases(0)]


def test_a_late_join_is_that_of_vectors_one_by_one():
    for given in inputs("lab_11.late_scores"):
        found = lab_11.late_scores(**given)
        for product, score in enumerate(found):
            real = np.flatnonzero(given["mask"][product])
            vectors = [given["states"][product, one].astype(float) * given["scales"][product, one] for one in real]
            best = [max(float(token @ one) for one in vectors) for token in given["query"]]
            assert score == pytest.approx(float(np.dot(best, given["weights"])))


def test_keys_are_shared_where_those_of_the_courses_cache_are():
    for given in inputs("lab_11.key_of"):
        for one, other in itertools.combinations(given["requests"], 2):
            of_course = [cache.key_of(model_hash=m, catalogue_version=c, query=q) for m, c, q in (one, other)]
            assert (lab_11.key_of(*one) == lab_11.key_of(*other)) == (of_course[0] == of_course[1]), (one, other)


def test_a_cache_answers_as_the_courses_does(tmp_path):
    for number, given in enumerate(inputs("lab_11.cache")):
        now, sizes = [0.0], {"max_bytes": given["max_bytes"], "ttl_s": given["ttl_s"]}
        of_course = cache.Cache(tmp_path / f"{number}.sqlite", **sizes, clock=lambda now=now: now[0])
        of_lab = ways_11.Cache(**sizes)
        for place, (now_s, what, key, *n_bytes) in enumerate(given["events"]):
            now[0] = now_s
            if what == "put":
                value = bytes([place]) * n_bytes[0]
                of_course.put(key, value)
                of_lab.put(key, value, now_s)
            else:
                assert of_course.get(key) == of_lab.get(key, now_s), (number, place)
        of_course.close()


def test_tokens_that_stay_are_those_of_a_joined_pair_and_of_the_tokenizer():
    for given in inputs("lab_12.kept_tokens"):
        room, n_query = given["room"], given["n_query"]
        for n_product, kept in zip(given["n_products"].tolist(), lab_12.kept_tokens(**given).tolist(), strict=True):
            ids, types, _ = lab_07.join([7] * n_query, [8] * n_product, room + 3, room + 3)
            assert kept == [ids.count(7), ids.count(8)]
    tokenizer = models.open_tokenizer()
    for n_query, n_product in itertools.product((1, 4, 9, 30), repeat=2):
        (ids,) = ranker.encode(tokenizer, [("red " * n_query, "sofa " * n_product)], max_tokens=12)["input_ids"]
        counts = [ids.count(tokenizer.convert_tokens_to_ids(word)) for word in ("red", "sofa")]
        assert lab_12.kept_tokens(n_query, np.array([n_product]), 9).tolist() == [counts]


def test_the_gates_rank_correlation_is_spearmans():
    for given in inputs("lab_12.failed"):
        if np.isfinite(given["exported"]).all():
            both = zip(given["reference"], given["exported"], strict=True)
            correlation = float(np.mean([spearmanr(one, other).statistic for one, other in both]))
            for limit, fails in ((correlation + 1e-6, True), (correlation - 1e-6, False)):
                assert ("rank correlation" in lab_12.failed(**given | {"least_correlation": limit})) == fails
