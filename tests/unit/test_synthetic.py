"""The embedded shop keeps its contract; how hard it is to rank is asserted where a ranker is trained."""

import random
from collections import Counter, defaultdict

import pytest

from utils.data.shop import judging, queries, rules, synthetic, words


def test_shop_has_the_promised_size_and_variety():
    tables = synthetic.tables()
    assert len(tables["products.csv"]) == 5_000
    assert Counter(row["split"] for row in tables["queries.csv"]) == queries.N_QUERIES
    assert len(rules.types()) >= 40
    assert len({kind.department for kind in rules.types().values()}) >= 8
    assert {row["kind"] for row in tables["queries.csv"]} == set(queries.KINDS)


def test_no_two_queries_share_their_text():
    texts = [row["query"] for row in synthetic.tables()["queries.csv"]]
    assert len(set(texts)) == len(texts)


def splits_of(tables):
    return {row["query_id"]: row["split"] for row in tables["queries.csv"]}


def test_few_train_queries_are_judged_and_the_others_are_a_long_log():
    tables = synthetic.tables()
    judged = {row["query_id"] for row in tables["labels.csv"]}
    counts = Counter((split, query_id in judged) for query_id, split in splits_of(tables).items())
    n_log = queries.N_QUERIES["train"] - judging.N_JUDGED_QUERIES
    assert counts == {("train", True): 400, ("train", False): n_log, ("valid", True): 500, ("test", True): 1_500}
    assert n_log >= 8_000


def test_every_judged_query_has_twenty_products_and_truly_an_exact_one():
    labels = defaultdict(list)
    for row in synthetic.tables()["labels.csv"]:
        labels[row["query_id"]].append(row)
    assert {len(found) for found in labels.values()} == {judging.N_JUDGED}
    for query_id, found in list(labels.items())[::10]:
        true = synthetic.shop().true_labels(query_id)
        assert "Exact" in {true[row["product_id"]] for row in found}


def test_judges_slip_by_one_grade_on_a_tenth_of_train_and_never_on_valid_and_test():
    tables, steps = synthetic.tables(), defaultdict(Counter)
    splits, place = splits_of(tables), rules.GRADES.index
    judged = {row["query_id"] for row in tables["labels.csv"]}
    true = {query_id: synthetic.shop().true_labels(query_id) for query_id in judged}
    for row in tables["labels.csv"]:
        off = abs(place(row["label"]) - place(true[row["query_id"]][row["product_id"]]))
        steps[splits[row["query_id"]]][off] += 1
    assert steps["train"].keys() == {0, 1}
    assert steps["train"][1] / steps["train"].total() == pytest.approx(judging.SLIPS, abs=0.01)
    assert steps["valid"].keys() == steps["test"].keys() == {0}


def test_a_slip_at_the_end_of_the_scale_moves_inward():
    rng = random.Random(0)
    slips = {grade: {judging.read_off(rng, grade, slips=1.0) for _ in range(50)} for grade in rules.GRADES}
    assert slips["Exact"] == {"Substitute"} and slips["Irrelevant"] == {"Complement"}
    assert slips["Substitute"] == {"Exact", "Complement"}


def test_more_judged_queries_change_no_text_and_no_label_of_those_judged_before():
    few, many = synthetic.tables(n_judged_queries=100), synthetic.tables(n_judged_queries=200)
    assert few["queries.csv"] == many["queries.csv"] and few["products.csv"] == many["products.csv"]
    few_labels, many_labels = (
        {(row["query_id"], row["product_id"]): row["label"] for row in tables["labels.csv"]} for tables in (few, many)
    )
    assert few_labels.items() <= many_labels.items() and len(many_labels) - len(few_labels) == 100 * judging.N_JUDGED


def test_rare_types_and_words_are_in_the_log_in_valid_and_in_test_but_in_no_query_that_may_be_judged_for_training():
    rows = synthetic.tables()["queries.csv"]
    of_train = [row["query_id"] for row in rows if row["split"] == "train"]
    may_be_judged = set(of_train[: queries.N_JUDGEABLE])
    unseen, hits = [kind.unseen_name for kind in rules.types().values()], Counter()
    for row in rows:
        part = "judged" if row["query_id"] in may_be_judged else row["split"]
        hits[part] += any(name in row["query"] for name in unseen)
        intent = synthetic.shop().queries_by_id[row["query_id"]].intent
        hits[f"{part}, type"] += intent.type.name in words.UNSEEN_TYPES
    assert hits["judged"] == hits["judged, type"] == 0
    for part, at_least in {"train": 200, "valid": 20, "test": 50}.items():
        assert hits[part] > at_least and hits[f"{part}, type"] > at_least
    shares = [hits[f"{split}, type"] / queries.N_QUERIES[split] for split in ("valid", "test")]
    assert shares[0] == pytest.approx(shares[1], abs=0.04)


def test_new_products_are_judged_for_no_train_query_and_for_test_queries():
    tables = synthetic.tables()
    splits, judged = splits_of(tables), defaultdict(set)
    for row in tables["labels.csv"]:
        judged[splits[row["query_id"]]].add(row["product_id"])
    new = {row["product_id"] for row in tables["products.csv"][:: rules.NEW_PRODUCTS]}
    assert len(new) == 1_000 and not judged["train"] & new
    assert len(judged["test"] & new) > 900


def test_events_are_of_the_log_alone():
    tables = synthetic.tables()
    judged = {row["query_id"] for row in tables["labels.csv"]}
    of_events = {row["query_id"] for row in tables["events.csv"]}
    assert len(of_events) > 1_000 and not of_events & judged
    assert {splits_of(tables)[query_id] for query_id in of_events} == {"train"}


def test_the_rule_grades_every_product_and_agrees_with_the_labels_of_test():
    tables = synthetic.tables()
    row = next(row for row in tables["labels.csv"] if splits_of(tables)[row["query_id"]] == "test")
    gains = synthetic.gains(row["query_id"])
    assert len(gains) == 5_000 and gains[row["product_id"]] == synthetic.GAINS[row["label"]]


def test_grade_follows_the_attributes():
    sofa, table = rules.types()["sofa"], rules.types()["coffee table"]
    intent = rules.Intent(sofa, {"colour": "blue"}, {"material": "leather"})
    blue = rules.Product("p", sofa, "Acme", {"colour": "blue", "material": "velvet"})
    leather = rules.Product("p", sofa, "Acme", {"colour": "blue", "material": "leather"})
    assert rules.grade(intent, blue) == "Exact"
    assert rules.grade(intent, leather) == "Substitute"
    assert rules.grade(intent, rules.Product("p", table, "Acme", {"colour": "blue"})) == "Complement"
    mug = rules.Product("p", rules.types()["mug"], "Acme", {"colour": "blue"})
    assert rules.grade(intent, mug) == "Irrelevant"


def test_case_for_another_phone_is_irrelevant():
    case = rules.types()["phone case"]
    intent = rules.Intent(case, {"fits": "A"}, {})
    assert rules.grade(intent, rules.Product("p", case, "Acme", {"fits": "B"})) == "Irrelevant"


def test_shop_is_the_same_when_made_again():
    first = synthetic.tables()
    again = synthetic.tables.__wrapped__()
    assert first["labels.csv"] == again["labels.csv"]
    assert first["products.csv"] == again["products.csv"]


def test_clicks_fall_with_the_position():
    clicks = Counter(r["position"] for r in synthetic.tables()["events.csv"] if r["event"] == "click")
    assert clicks["1"] > 1.5 * clicks["3"] > 1.5 * clicks["5"] > 0
