import base64
import hashlib
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from reports import page, render_html
from reports.document import Document, Paragraph, Section, Table
from tests import factories

HOSTILE = "<script>alert('x')</script>\"&$\\alpha$"
VOID = {"meta", "br", "path", "use", "rect"}


class Reader(HTMLParser):
    """Checks that tags nest, and collects them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self._open.pop() == tag

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def html() -> str:
    return render_html.render(page.build(factories.troubled(factories.sweep()), "A sweep"))


def test_the_page_nests_and_has_a_language_and_a_title(html):
    reader = Reader(html)
    assert reader.all("html") == [{"lang": "en"}]
    assert "<title>A sweep</title>" in html


def test_headings_go_down_one_step_at_a_time(html):
    levels = [int(tag[1]) for tag, _ in Reader(html).tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_every_id_is_unique_and_every_label_points_to_one(html):
    tags = Reader(html).tags
    ids = Counter(attributes["id"] for _, attributes in tags if "id" in attributes)
    assert set(ids.values()) == {1}
    assert {a["aria-labelledby"] for _, a in tags if "aria-labelledby" in a} <= set(ids)


def test_every_column_head_has_a_scope_and_every_figure_words(html):
    reader = Reader(html)
    assert all(attributes.get("scope") == "col" for attributes in reader.all("th"))
    images = [attributes for _, attributes in reader.tags if attributes.get("role") == "img"]
    assert len(images) == len(reader.all("figure")) > 0
    assert all(attributes["aria-label"] for attributes in images)
    assert len(reader.all("caption")) == len(reader.all("table"))


def test_the_page_names_no_address_but_the_namespaces_of_svg(html):
    addresses = set(re.findall(r"[a-z]+://[^\s\"'<]+", html))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert not re.search(r"url\((?!#)|@import|<link|<img|<iframe", html)


def test_the_policy_allows_our_own_script_and_style_and_nothing_else(html):
    policy = next(a["content"] or "" for a in Reader(html).all("meta") if "http-equiv" in a)
    assert policy.startswith("default-src 'none'")
    assert "script-src 'unsafe-inline'" not in policy
    for tag, source in (("script", "script-src"), ("style", "style-src-elem")):
        (inline,) = re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        assert f"{source} 'sha256-{digest}'" in policy


def test_hostile_text_is_shown_and_never_run():
    records = factories.troubled(factories.sweep(batches=[1, 8]))
    records = [
        replace(
            record,
            axes=record.axes | {"size": HOSTILE if record.axes["size"] == "nano" else "tiny"},
            reason=record.reason and HOSTILE,
            host=record.host | {"cpu": HOSTILE},
            facts=record.facts | {"text": HOSTILE},
            warnings=[replace(w, message=HOSTILE, remedy=HOSTILE, code=HOSTILE) for w in record.warnings],
        )
        for record in records
    ]
    html = render_html.render(page.build(records, HOSTILE))
    assert len(Reader(html).all("script")) == 1
    assert "alert" in html
    assert not re.search(r"<script>alert", html)


def test_the_same_records_give_the_same_bytes(html):
    again = render_html.render(page.build(factories.troubled(factories.sweep()), "A sweep"))
    assert again == html


def test_a_long_table_scrolls_in_its_own_box():
    rows = tuple(factories.sweep(sizes=["nano"], workloads=["train"], batches=[2**n for n in range(12)]))
    assert 'class="scroll long"' in render_html.render(page.build(list(rows), "Long"))


def test_parts_of_one_kind_stand_abreast_and_others_alone():
    table, words = Table("t", (), ()), Paragraph("p")
    assert [len(group) for group in render_html.runs((table, table, words, words, table))] == [2, 1, 1, 1]


def test_an_empty_section_is_its_heading_and_its_sentence():
    document = Document("T", "s", (Section("Energy", "No meter.", ()),))
    assert '<p class="lead">No meter.</p>' in render_html.render(document)
