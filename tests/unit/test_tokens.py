"""Pairs have the tokens that the tokenizers' library gives them, however long their texts, and in little memory."""

import subprocess
import sys

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, pre_tokenizers, processors
from tokenizers import models as token_models
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from utils.rank import models, ranker, tokens

WORDS = ("red", "sofa", "washable", "x" * 150, "é", "e\u0301", "漢字", "ランニング", "👟", "👨\u200d👩\u200d👧")
WORDS += ("[SEP]", "[ MASK]", "it's", "a-b,c", "Σ", "\x00", "\x1c", "\xad")
SPACES = (" ", "  ", "\n", "\t", "\r\n", "\u00a0", "\u2003", "\u200b", "\x1c", "")
PIECES = st.tuples(st.sampled_from(WORDS), st.sampled_from(SPACES), st.integers(1, 40))
TEXTS = st.lists(PIECES, max_size=6).map(lambda pieces: "".join((word + space) * n for word, space, n in pieces))
SIDES = st.one_of(TEXTS, TEXTS.map(lambda text: f" \n{text}  "), st.text(max_size=30), st.just(""))


def by_library(tokenizer, pairs, *, max_tokens):
    """The ids and types of each pair, whole texts joined and truncated by the library."""
    backend = tokenizer.backend_tokenizer
    backend.no_padding()
    backend.enable_truncation(max_tokens, strategy="longest_first")
    joined = [backend.encode(*pair) for pair in pairs]
    return {
        "input_ids": [pair.ids for pair in joined],
        "token_type_ids": [pair.type_ids for pair in joined],
        "attention_mask": [pair.attention_mask for pair in joined],
    }


@pytest.fixture(scope="module")
def tokenizer():
    return AutoTokenizer.from_pretrained(models.resolve())


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(pairs=st.lists(st.tuples(SIDES, SIDES), min_size=1, max_size=4), max_tokens=st.integers(3, 300))
@example(pairs=[("red " * 500, "red " * 400), ("red " * 400, "red " * 500), ("red " * 400,) * 2], max_tokens=96)
@example(pairs=[("x" * 5000 + " red", "red " * 3000), ("x" * 150 + "\n" + "red " * 9, "sofa")], max_tokens=8)
@example(pairs=[("", ""), ("red", ""), ("", "red " * 900)], max_tokens=3)
def test_pairs_have_the_tokens_that_the_library_gives_them(tokenizer, pairs, max_tokens):
    assert ranker.encode(tokenizer, pairs, max_tokens=max_tokens) == by_library(tokenizer, pairs, max_tokens=max_tokens)


@settings(max_examples=30, deadline=None)
@given(pairs=st.lists(st.tuples(SIDES, SIDES), min_size=1, max_size=3), max_tokens=st.integers(4, 60))
def test_texts_of_a_tokenizer_whose_tokens_hold_their_white_space_are_not_cut(pairs, max_tokens):
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(token_models.BPE({letter: place for place, letter in enumerate(["<s>", *alphabet])}, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A <s>", pair="<s> $A <s> <s> $B <s>", special_tokens=[("<s>", 0)]
    )
    names = ["input_ids", "token_type_ids", "attention_mask"]
    bytes_ = PreTrainedTokenizerFast(tokenizer_object=backend, model_input_names=names)
    assert ranker.encode(bytes_, pairs, max_tokens=max_tokens) == by_library(bytes_, pairs, max_tokens=max_tokens)


def test_a_limit_without_room_for_the_special_tokens_is_refused(tokenizer):
    with pytest.raises(ValueError, match="max_tokens is 2; the special tokens of a pair alone are 3"):
        ranker.encode(tokenizer, [("red", "sofa")], max_tokens=2)


def test_a_long_text_is_cut_where_its_first_tokens_are_safe_and_a_short_one_is_whole(tokenizer):
    long, words, accents = "washable " * 2_000, "x" * 5_000 + " red " * 300, "\u0301 " * 4_000 + "red " * 50
    beginnings = tokens.cut(tokenizer, [long, "red", words, accents], at_most=20)
    assert [len(text) < 1_500 for text in beginnings] == [True, True, False, False] and beginnings[1] == "red"
    for text, beginning in zip([long, "red", words, accents], beginnings, strict=True):
        assert text.startswith(beginning)
        (ids,) = tokens.first_ids(tokenizer, [beginning], at_most=20)
        assert ids == tokenizer.backend_tokenizer.encode(text, add_special_tokens=False).ids[:20]


def test_counting_a_text_in_pieces_gives_the_tokens_of_the_whole(tokenizer):
    text = "\n".join(f"washable number {i} " for i in range(30_000))
    whole = len(tokenizer.backend_tokenizer.encode(text, add_special_tokens=False))
    assert tokens.count(tokenizer, [text, "red"]) == {text: whole, "red": 1} and whole > 90_000


MEMORY = """
from transformers import AutoTokenizer
from utils.rank import models, ranker

def peak_mb():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]) / 1024

words = "washable red steel handle with modern nickel finish drawer " * 40
texts = [(f"{i % 20} {words}"[:2000], f"{i} {words}"[:2000]) for i in range(1000)]
tokenizer = AutoTokenizer.from_pretrained(models.resolve())
ranker.encode(tokenizer, texts[:2], max_tokens=96)
before = peak_mb()
encoded = ranker.encode(tokenizer, texts, max_tokens=96)
assert all(len(ids) == 96 for ids in encoded["input_ids"])
print(before, peak_mb() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the peak memory of a process from /proc")
def test_memory_follows_the_token_limit_and_not_the_length_of_the_texts():
    said = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True).stdout
    before, more = map(float, said.split())
    assert 50 < before < 2_000 and more < 40  # MB; whole encodings of these texts take 1,800
