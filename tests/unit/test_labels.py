"""Labels become gains: numbers in whatever way they are written, or a word with line, value and remedy."""

import pytest
import small_shop
from small_shop import LABELS, NUMBERS, load

from utils.data import catalogue, summary


@pytest.fixture
def folder(tmp_path):
    return small_shop.write(tmp_path, labels=NUMBERS)


def relabel(folder, **changes):
    """Write other labels for pairs named like `q1_p2`."""
    text = NUMBERS
    for pair, label in changes.items():
        was = f"{pair.replace('_', ',')},{'1' if pair[1] == pair[4] else '0'}\n"
        assert was in text
        text = text.replace(was, f"{pair.replace('_', ',')},{label}\n")
    small_shop.write(folder, labels=text)
    return folder


@pytest.mark.parametrize(
    ("label", "gains"),
    [("0.5", [10, 5, 0]), ("0.25", [100, 25, 0]), ("0.333", [1000, 333, 0]), ("0.30000000000000004", [10, 3, 0])],
)
def test_fractional_labels_become_whole_gains_in_the_same_proportion(folder, label, gains):
    assert load(relabel(folder, q1_p2=label)).pairs["train"]["gain"][:] == gains


@pytest.mark.parametrize(
    ("label", "problem"),
    [
        ('"0,5"', "'0,5' has a comma; write it with a point, as 0.5"),
        ("", "'' is not a number like the others; write one, or leave the line out if nobody judged the pair"),
        ("nan", "'nan' is not a number like the others; write one, or leave the line out"),
        ("N/A", "'N/A' is not a number like the others; write one, or leave the line out"),
        ("inf", "'inf' is not a number like the others; use one scale"),
        ("Exact", "'Exact' is not a number like the others; use one scale"),
        ("0.3333", "'0.3333' has more than three decimals; round it to 0.333"),
        ("-1", "'-1' is below 0 or above 1,000,000; use 0 for irrelevant"),
        ("2e6", "'2e6' is below 0 or above 1,000,000"),
    ],
)
@pytest.mark.parametrize(("pair", "line"), [("q1_p1", 2), ("q2_p3", 7), ("q3_p3", 10)])
def test_label_that_is_no_number_like_the_others_is_named_wherever_it_stands(folder, label, problem, pair, line):
    with pytest.raises(catalogue.DataError, match=f"labels.csv line {line}: label {problem}"):
        load(relabel(folder, **{pair: label}))


@pytest.mark.parametrize("label", ["2", "", "0.5", "Exat"])
def test_label_that_is_no_name_like_the_others_is_named_wherever_it_stands(folder, label):
    for line, old in ((2, "q1,p1,Exact"), (5, "q2,p1,Irrelevant"), (10, "q3,p3,Exact")):
        small_shop.write(folder, labels=LABELS.replace(old, f"{old.rpartition(',')[0]},{label}"))
        with pytest.raises(catalogue.DataError, match=f"line {line}: label '{label}' is not one of Exact, Substitute"):
            load(folder)


def test_decimal_commas_alone_are_numbers_with_a_comma(folder):
    small_shop.write(folder, labels=NUMBERS.replace(",1\n", ',"1,0"\n').replace(",0\n", ',"0,0"\n'))
    with pytest.raises(catalogue.DataError, match="line 2: label '1,0' has a comma; write it with a point, as 1.0"):
        load(folder)


def test_scale_counts_from_its_lowest_label_and_the_check_says_so(folder):
    small_shop.write(folder, labels=NUMBERS.replace(",1\n", ",3.0\n").replace(",0\n", ",1.0\n"))
    assert load(relabel_of_three(folder)).pairs["train"]["gain"][:] == [20, 15, 0]
    told = "\n".join(summary.lines(catalogue.read(folder)))
    assert "labels begin at 1.0, not at 0: 1.0 counts as irrelevant" in told
    small_shop.write(folder, labels=NUMBERS)
    assert "labels begin" not in "\n".join(summary.lines(catalogue.read(folder)))


def relabel_of_three(folder):
    small_shop.change(folder, "labels.csv", "q1,p2,1.0", "q1,p2,2.5")
    return folder


def test_names_of_a_scale_keep_their_gains_also_where_the_lowest_is_missing(folder):
    small_shop.write(folder, labels=LABELS.replace("Irrelevant", "Substitute"))
    assert load(folder).pairs["train"]["gain"][:] == [100, 10, 10]


@pytest.mark.parametrize("labels", [NUMBERS.replace(",0\n", ",1\n"), LABELS.replace("Exact", "Irrelevant")])
def test_labels_that_are_all_alike_are_refused(folder, labels):
    small_shop.write(folder, labels=labels)
    with pytest.raises(
        catalogue.DataError, match="labels.csv: every label is '(1|Irrelevant)', so nothing can be ranked"
    ):
        load(folder)


def test_gain_too_large_for_the_floats_of_training_is_refused_with_its_line(folder):
    assert max(load(relabel(folder, q1_p1="1000000")).pairs["train"]["gain"]) == 1_000_000
    relabel(folder, q1_p1="1000000", q1_p2="0.001")
    with pytest.raises(
        catalogue.DataError, match="line 2: label '1000000' is too large beside .* 1/1,000; round those"
    ):
        load(folder)


def test_check_counts_the_most_common_labels_and_says_how_many_others_there_are(tmp_path):
    labels = "query_id,product_id,label\n" + "".join(f"q{q},p{p},{p}\n" for q in (1, 2, 3) for p in range(20))
    products = "product_id,title\n" + "".join(f"p{p},Sofa {p}\n" for p in range(20))
    told = summary.lines(catalogue.read(small_shop.write(tmp_path, products=products, labels=labels)))
    assert told[-1].startswith("labels: 0 3, 1 3") and told[-1].endswith("and 8 other values")
