"""The report: one page that needs nothing beside it."""

import re

from made import RUN
from priced import LEDGER

from utils.course import report
from utils.measure import ledger
from utils.measure.row_groups import Identity, Row


def test_the_report_is_one_page_with_pictures_footnotes_and_escaped_text(rows, tmp_path):
    path = report.write(tmp_path, profile="ci", dataset="my shop/<x>", seed=3)
    page = path.read_text()
    assert path == tmp_path / "report.html" and list(tmp_path.iterdir()) == [path]
    assert "teacher &lt;b&gt;" in page and "<b>" not in page and "<x>" not in page
    assert page.count('src="data:image/png;base64,') == page.count("alt=") == 1
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    assert '<li id="note-1">No NDCG@10, MRR@10: random weights.</li>' in page and 'href="#note-1"' in page
    assert (
        "2 cores, vector instructions avx2 avx512_vnni, 8 GiB of memory, no GPU" in page
        and "torch 2.13.0" in page
        and "0.812" in page
    )
    assert "course run --profile ci --dataset &#39;my shop/&lt;x&gt;&#39; --seed 3" in page


def test_a_report_before_any_row_says_so(tmp_path):
    assert "No rows yet" in report.write(tmp_path, **RUN).read_text()


def test_a_report_with_priced_rankers_opens_with_three_sentences_and_the_running_picture(monkeypatch, tmp_path):
    monkeypatch.setattr(ledger, "current", lambda path: LEDGER)
    page = report.write(tmp_path, **RUN).read_text()
    first, second = page.index("Ship &#39;student&#39;:"), page.index("data:image/png")
    assert page.index("<h1>") < first < second < page.index("<table>")
    assert page.count("data:image/png;base64,") == 2


def test_a_footnote_names_every_field_in_words():
    every = {name for group in Row.model_fields.values() for name in group.annotation.model_fields}
    outside = {*Identity.model_fields, "why_null"} - {"model_hash"}
    assert every - outside == report.IN_WORDS.keys()
