"""A text's words for BM25: as ever in ASCII, whole in every script, one by one where a script has no spaces."""

import unicodedata

import bm25s
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from utils import settings
from utils.data import candidates, catalogue
from utils.data.terms import words

AS_EVER = r"\w{2,}"  # what was a word before scripts other than Latin were thought of


@given(st.text(st.characters(max_codepoint=127)))
def test_words_of_ascii_are_runs_of_two_letters_digits_and_underscores_and_more(text):
    expected = bm25s.tokenize([text], token_pattern=AS_EVER, return_ids=False, show_progress=False)
    assert words([text]) == expected


@given(st.text(st.sampled_from("abcßäöüéñçøåœłşđ 0123-.,/'&²½°™®€")))
def test_words_of_composed_latin_are_those_too(text):
    expected = bm25s.tokenize([text], token_pattern=AS_EVER, return_ids=False, show_progress=False)
    assert words([text]) == expected


@given(st.text())
def test_any_text_has_words_and_each_is_found_again_in_itself(text):
    for word in words([text])[0]:
        assert word and word == word.strip() and words([word]) == [[word]]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("A 2-seater Sofa_bed, größe 12", ["seater", "sofa_bed", "größe", "12"]),
        ("红色皮沙发 IKEA", ["红", "色", "皮", "沙", "发", "ikea"]),
        ("iPhone手机壳", ["iphone", "手", "机", "壳"]),
        ("ランニング靴", list("ランニング靴")),
        ("ﾗﾝﾆﾝｸﾞ ＩＫＥＡ", [*"ランニング", "ikea"]),
        ("빨간 소파", ["빨간", "소파"]),
        ("लाल जूते की घड़ी", ["लाल", "जूते", "की", "घड़ी"]),
        ("লাল জুতা", ["লাল", "জুতা"]),
        ("சிவப்பு காலணி", ["சிவப்பு", "காலணி"]),
        ("ශ්‍රී ලංකා", ["ශ්රී", "ලංකා"]),
        ("กางเกงขายาว", ["ก", "า", "ง", "เ", "ก", "ง", "ข", "า", "ย", "า", "ว"]),
        ("กี่ผ้าที่", ["กี่", "ผ้", "า", "ที่"]),
        ("ស្បែកជើង", ["ស្បែ", "ក", "ជើ", "ង"]),
        ("ເກີບ", ["ເ", "ກີ", "ບ"]),
        ("ဖိနပ်", ["ဖိ", "န", "ပ်"]),
        ("حذاء أحمر", ["حذاء", "أحمر"]),
        ("me\u200cta so\u00adfa", ["meta", "sofa"]),
        ("A ♥️ B", []),
    ],
)
def test_words_of_every_script_keep_their_marks(text, tokens):
    assert words([text]) == [[unicodedata.normalize("NFC", token) for token in tokens]]


@pytest.mark.parametrize("text", ["größe crème brûlée", "đèn bàn phím", "ガラス", "빨간"])
def test_accents_count_the_same_whether_composed_or_not(text):
    apart = unicodedata.normalize("NFD", text)
    assert apart != unicodedata.normalize("NFC", text) and words([apart]) == words([text])


def shop(*titles, queries=("लाल जूते", "!!!", "a")):
    """Every title is judged for every query; the first one is the best."""
    tables = {
        "queries.csv": [
            {"query_id": f"q{i}", "query": text, "split": split}
            for i, (text, split) in enumerate(zip(queries, ("test", "train", "valid"), strict=True))
        ],
        "products.csv": [{"product_id": f"p{i}", "title": title} for i, title in enumerate(titles)],
        "labels.csv": [
            {"query_id": f"q{q}", "product_id": f"p{p}", "label": str(int(not p))}
            for q in range(3)
            for p in range(len(titles))
        ],
    }
    return catalogue.build(tables, name="made", profile=settings.profile("gpu"))


def test_bm25_finds_hindi_by_its_words_and_nothing_where_a_query_has_no_word():
    made = shop("लाल जूते", "नीला टोपी", "?")
    bm25 = candidates.build(made)
    first, second, third = candidates.score_judged(bm25, made.pairs["test"])
    assert first > 0 == second == third
    assert [len(found) for found in candidates.top(bm25, ["लाल जूते", "!!!", ""], n_candidates=5)] == [1, 0, 0]


def test_catalogue_in_which_no_title_has_a_word_finds_nothing_and_scores_nothing():
    made = shop("?", "!", "7")
    bm25 = candidates.build(made)
    assert np.array_equal(candidates.score_judged(bm25, made.pairs["test"]), np.zeros(3, dtype=np.float32))
    assert candidates.top(bm25, ["लाल", "!!!"], n_candidates=5) == [[], []]
