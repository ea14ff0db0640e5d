"""What a reader sees of a Markdown page or of a notebook's markdown cells, and two checks of it: links lead somewhere,
and words are spelled as GLOSSARY.md says. Whether a web address answers is not looked up, for that needs a network.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
from markdown_it import MarkdownIt
from markdown_it.token import Token

from utils import settings

SPELLING = "How we write it"  # the section of GLOSSARY.md that holds the table of right and wrong spellings
FORMULA = re.compile(r"\$\$.+?\$\$|\$(?=[^\s\d])[^$]+\$")
BARE_LINK = re.compile(r"\w+:/+\w\S*|\bwww\.\w\S*|\]\(\S*")
HOST = re.compile(r"[\w-]+(\.[\w-]+)+(:\d+)?")
MARKDOWN = MarkdownIt("commonmark").enable("table")


@dataclass(frozen=True)
class Block:
    """A heading, a paragraph or a cell of a table.

    Attributes:
        tag: h1 to h6, p, th or td.
        heading: the heading that it stands under, or is.
        line: counted from 1 in its page or cell.
        text: all that is read.
        prose: the text less code spans, links and formulas.
        linked: the words of its links, bare addresses aside.
    """

    tag: str
    heading: str
    line: int
    text: str
    prose: str
    linked: str
    code: tuple[str, ...]
    links: tuple[str, ...]

    @property
    def is_reference(self) -> bool:
        """Whether it belongs to the list of papers, whose titles and numbers are others' words."""
        return self.heading.startswith("Papers") or self.text.startswith("Papers")


def page_problems(path: Path) -> list[str]:
    """Dead links and wrong spellings of a Markdown page, or of the markdown cells of a notebook."""
    wrong = vocabulary()
    found = []
    for place, text in _texts(path):
        for block in blocks(text):
            at = f"{place} line {block.line}" if path.suffix != ".ipynb" else place
            found += [f"{at}: {problem}" for problem in _link_problems(block, page=path)]
            found += [f"{at}: {problem}" for problem in _spelling_problems(block, wrong=wrong)]
    if path.name == "GLOSSARY.md" and not wrong:
        found.append(f"{place_of(path)}: no table under '{SPELLING}'; list there how words are written, and how not")
    return found


def blocks(text: str) -> list[Block]:
    """The blocks of a Markdown text in order; blocks of code and of HTML are none."""
    found: list[Block] = []
    tokens, heading = MARKDOWN.parse(text), ""
    for before, token in zip(tokens, tokens[1:], strict=False):
        if token.type == "inline":
            block = _block(token, tag=before.tag, heading=heading)
            heading = block.heading
            found.append(block)
    return found


def vocabulary() -> dict[str, str]:
    """Wrong spellings and the right one for each, from the table in GLOSSARY.md; wrong ones stand there as code."""
    glossary = settings.ROOT / "GLOSSARY.md"
    text = glossary.read_text(encoding="utf-8") if glossary.exists() else ""
    cells = [block for block in blocks(text) if block.tag == "td" and block.heading == SPELLING]
    pairs = zip(cells[::2], cells[1::2], strict=False)
    return {wrong: right.text for right, wrongs in pairs for wrong in wrongs.code}


def place_of(path: Path) -> str:
    """The file's name within the repository, or the path as given for one outside."""
    whole = path.resolve()
    return whole.relative_to(settings.ROOT).as_posix() if whole.is_relative_to(settings.ROOT) else str(path)


def _block(token: Token, *, tag: str, heading: str) -> Block:
    text, prose, linked, code, links = [], [], [], [], []
    into = prose
    for child in token.children or []:
        content = " " if child.type in ("softbreak", "hardbreak") else child.content
        if child.type == "link_open":
            into = [] if child.info == "auto" else linked
        if child.type == "link_close":
            into = prose
        if child.type in ("link_open", "image"):
            links.append(str(child.attrs.get("href") or child.attrs.get("src") or ""))
        elif child.type == "code_inline":
            code.append(content)
            text.append(content)
            prose.append("`")
        elif child.type != "html_inline":
            text.append(content)
            into.append(content)
    seen = "".join(text)
    heading = seen if tag.startswith("h") else heading
    line = token.map[0] + 1 if token.map else 1
    words = FORMULA.sub(" ", "".join(prose))
    return Block(tag, heading, line, seen, words, "".join(linked), tuple(code), tuple(links))


def _texts(path: Path) -> Iterator[tuple[str, str]]:
    """The place and the Markdown of a page, or of every markdown cell."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        yield place_of(path), text
        return
    for index, cell in enumerate(nbformat.v4.reads(text).cells):
        if cell.cell_type == "markdown":
            yield f"{place_of(path)} cell {index}", cell.source


def _link_problems(block: Block, *, page: Path) -> Iterator[str]:
    for link in block.links:
        if problem := _link_problem(link, page=page):
            yield f"link '{link}' {problem}"
    for bare in BARE_LINK.finditer(block.prose):
        yield f"'{bare.group()}' is no link that every reader can follow; write <https://...> or [words](address)"


def _link_problem(link: str, *, page: Path) -> str:
    """What is wrong with a link; empty when nothing is."""
    parts = urlsplit(link)
    if parts.scheme == "https":
        return "" if HOST.fullmatch(parts.netloc) else "names no host; correct the address"
    if parts.scheme == "http":
        return "" if parts.hostname in ("localhost", "127.0.0.1") else "is not encrypted; write https"
    if parts.scheme == "mailto":
        return ""
    target = (page.parent / unquote(parts.path)).resolve() if parts.path else page.resolve()
    if parts.scheme or parts.netloc or not target.is_relative_to(settings.ROOT):
        return "leads out of the repository; give a path within it"
    if not target.exists():
        return "leads nowhere; correct the path"
    if parts.fragment and target.suffix in (".md", ".ipynb") and unquote(parts.fragment) not in _anchors(target):
        return f"names no heading of {target.name}; take one of its headings, in lower case with hyphens"
    return ""


def _anchors(path: Path) -> set[str]:
    """The anchors that GitHub gives to the headings; the second of a name ends with -1."""
    anchors: list[str] = []
    names: list[str] = []
    for _, text in _texts(path):
        for block in blocks(text):
            if block.tag.startswith("h"):
                name = re.sub(r"[^\w\- ]", "", block.text.lower()).strip().replace(" ", "-")
                anchors.append(f"{name}-{names.count(name)}" if name in names else name)
                names.append(name)
    return set(anchors)


def _spelling_problems(block: Block, *, wrong: dict[str, str]) -> Iterator[str]:
    """Also with a capital in front, and with an ending."""
    if block.is_reference:
        return
    for spelling, right in wrong.items():
        first = f"[{spelling[0]}{spelling[0].upper()}]"
        pattern = rf"(?<![\w-]){first}{re.escape(spelling[1:])}\w*"
        for found in re.findall(pattern, f"{block.prose} {block.linked}"):
            if not right.startswith(found):  # nDCG with a capital is right again
                yield f"'{found}' is not how we write it; write '{right}' (GLOSSARY.md)"
