"""The report: one page that needs nothing beside it."""

import re

from made import RUN

from utils.course import report


def test_the_report_is_one_page_with_pictures_footnotes_and_escaped_text(rows, tmp_path):
    path = report.write(tmp_path, profile="ci", dataset="my shop/<x>", seed=3)
    page = path.read_text()
    assert path == tmp_path / "report.html" and list(tmp_path.iterdir()) == [path]
    assert "teacher &lt;b&gt;" in page and "<b>" not in page and "<x>" not in page
    assert page.count('src="data:image/png;base64,') == page.count("alt=") == 2
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    assert '<li id="note-1">No ndcg10, mrr10: random weights</li>' in page and 'href="#note-1"' in page
    assert (
        "2 cores, vector instructions avx2 avx512_vnni, 8 GiB of memory, no GPU" in page
        and "torch 2.13.0" in page
        and "0.812" in page
    )
    assert "course run --profile ci --dataset &#39;my shop/&lt;x&gt;&#39; --seed 3" in page


def test_a_report_before_any_row_says_so(tmp_path):
    assert "No rows yet" in report.write(tmp_path, **RUN).read_text()
