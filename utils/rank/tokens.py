"""Token ids of texts, as many as are needed: memory follows the number of tokens and not the length of the texts.

A long text is cut before it is tokenized, where that changes none of the tokens asked for. Texts are tokenized in
bounded batches, and ids are kept, not encodings, which take a hundred bytes a token and more. Pairs are in `ranker`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence

from tokenizers import Encoding, Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from transformers import PreTrainedTokenizerBase

CHARACTERS_AT_ONCE = 100_000
TEXTS_AT_ONCE = 4_096
CHARACTERS_A_TOKEN = 8  # with its white space; most tokens are shorter, so one look at a text is mostly enough
WHITE_SPACE = re.compile("[ \n\t]")


def first_ids(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], *, at_most: int) -> list[list[int]]:
    """Token ids of each text without special tokens: all of them, or the first `at_most`.

    The tokenizer is changed on the way, so two threads must not share it.
    """
    return _cut(tokenizer, texts, at_most=at_most)[1]


def cut(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], *, at_most: int) -> list[str]:
    """The beginning of each text that surely holds its first `at_most` tokens; a short text is whole."""
    return _cut(tokenizer, texts, at_most=at_most)[0]


def count(tokenizer: PreTrainedTokenizerBase, texts: Collection[str]) -> dict[str, int]:
    """The number of tokens of each whole text, without special ones."""
    backend = plain(tokenizer)
    pieces = {text: list(_pieces(text)) if _has_separate_words(backend) else [text] for text in texts}
    return {text: sum(len(encoding) for encoding in encodings(backend, of_text)) for text, of_text in pieces.items()}


def encodings(backend: Tokenizer, texts: Iterable[str]) -> Iterator[Encoding]:
    """The encoding of each text without special tokens, one after the other; a bounded number is in memory at a time.

    Args:
        backend: neither pads nor truncates.
    """
    for batch in _batches(texts):
        yield from backend.encode_batch_fast(batch, add_special_tokens=False)


def plain(tokenizer: PreTrainedTokenizerBase) -> Tokenizer:
    """The library's tokenizer underneath, set to neither pad nor truncate."""
    backend = tokenizer.backend_tokenizer
    backend.no_padding()
    backend.no_truncation()
    return backend


def _cut(
    tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], *, at_most: int
) -> tuple[list[str], list[list[int]]]:
    """The beginning of each text and its ids. A beginning with too few tokens is made longer and tokenized again."""
    backend = plain(tokenizer)
    beginnings, ids = list(texts), [[] for _ in texts]
    waiting, length = list(range(len(texts))), CHARACTERS_A_TOKEN * at_most
    is_cut = _has_separate_words(backend)
    while waiting:
        if is_cut:
            for place in waiting:
                beginnings[place] = _beginning(texts[place], length=length)
        for place, encoding in zip(waiting, encodings(backend, (beginnings[place] for place in waiting)), strict=True):
            ids[place] = encoding.ids[:at_most]
        waiting = [p for p in waiting if len(ids[p]) < at_most and len(beginnings[p]) < len(texts[p])]
        length *= 4
    return beginnings, ids


def _has_separate_words(backend: Tokenizer) -> bool:
    """Whether the tokens of a text are those of its parts between white space, as BERT's are; others stay whole."""
    parts = {BertNormalizer: backend.normalizer, BertPreTokenizer: backend.pre_tokenizer, WordPiece: backend.model}
    added = backend.get_added_tokens_decoder().values()
    return all(isinstance(part, kind) for kind, part in parts.items()) and not any(
        WHITE_SPACE.search(token.content) for token in added
    )


def _beginning(text: str, *, length: int) -> str:
    """The text up to the first white space from `length` on."""
    if len(text) <= length:
        return text
    space = WHITE_SPACE.search(text, length)
    return text[: space.start()] if space else text


def _pieces(text: str) -> Iterator[str]:
    """A text in pieces, cut at white space."""
    while text:
        piece = _beginning(text, length=CHARACTERS_AT_ONCE)
        yield piece
        text = text[len(piece) :]


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    batch, n_characters = [], 0
    for text in texts:
        if batch and (n_characters + len(text) > CHARACTERS_AT_ONCE or len(batch) == TEXTS_AT_ONCE):
            yield batch
            batch, n_characters = [], 0
        batch.append(text)
        n_characters += len(text)
    if batch:
        yield batch
