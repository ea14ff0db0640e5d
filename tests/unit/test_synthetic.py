"""The embedded shop keeps its contract; how hard it is to rank is asserted where a ranker is trained."""

from collections import Counter, defaultdict

from utils.data.shop import queries, rules, synthetic


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


def test_every_query_has_twenty_judged_products_and_an_exact_one():
    labels = defaultdict(list)
    for row in synthetic.tables()["labels.csv"]:
        labels[row["query_id"]].append(row["label"])
    assert {len(found) for found in labels.values()} == {queries.N_JUDGED}
    assert all("Exact" in found and len(set(found)) > 1 for found in labels.values())


def test_unseen_types_and_words_stay_out_of_training():
    judged = {row["query_id"]: row for row in synthetic.tables()["queries.csv"]}
    unseen = [kind.unseen_name for kind in rules.types().values()]
    hits = Counter(row["split"] for row in judged.values() for name in unseen if name in row["query"])
    assert hits["test"] > 50
    assert hits["train"] == hits["valid"] == 0


def test_new_products_are_judged_for_no_train_query_and_for_test_queries():
    tables = synthetic.tables()
    splits = {row["query_id"]: row["split"] for row in tables["queries.csv"]}
    judged = defaultdict(set)
    for row in tables["labels.csv"]:
        judged[splits[row["query_id"]]].add(row["product_id"])
    new = {row["product_id"] for row in tables["products.csv"][:: queries.NEW_PRODUCTS]}
    assert len(new) == 1_000 and not judged["train"] & new
    assert len(judged["test"] & new) > 900


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
