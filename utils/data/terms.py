"""The words of a text that BM25 counts, in any of the world's scripts.

A word is letters, marks and digits, two characters and more, in lower case. Where a script puts no spaces between
words, each character a reader sees (a letter with its marks) counts as one.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import regex
from bm25s.stopwords import STOPWORDS_EN

UNSPACED = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f\ua9e0-\ua9ff\uaa60-\uaa7f"  # Myanmar
    "\u1780-\u17ff"  # Khmer
    "\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff"  # kana, and marks that repeat a character
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # ideographs
)
SEEN = rf"(?=[\p{{L}}\p{{N}}])(?=[{UNSPACED}])\X"  # one character of such a script, with its marks
SPACED = rf"(?:(?![{UNSPACED}])[\p{{L}}\p{{N}}_])(?:(?![{UNSPACED}])[\p{{L}}\p{{M}}\p{{N}}_])+"
WORD = regex.compile(f"{SEEN}|{SPACED}")
# East Asian letters of full width and kana of half width, as the ordinary ones; nothing for what is not seen in a word.
WIDTHS = {code: unicodedata.normalize("NFKC", chr(code)) for code in range(0xFF01, 0xFFEF)}
UNSEEN = dict.fromkeys([0x00AD, 0x200C, 0x200D, *range(0xFE00, 0xFE10)])  # soft hyphen, joiners, variants of a form
PLAIN = WIDTHS | UNSEEN
STOP_WORDS = frozenset(STOPWORDS_EN)


def words(texts: Sequence[str]) -> list[list[str]]:
    """The words of each text, without English stop words; a letter with an accent is the same however it was typed."""
    return [[word for word in WORD.findall(_plain(text)) if word not in STOP_WORDS] for text in texts]


def _plain(text: str) -> str:
    lower = text.lower()
    return lower if lower.isascii() else unicodedata.normalize("NFC", lower.translate(PLAIN))
