import re
from functools import cache

from hypothesis import given
from hypothesis import strategies as st

from reports import page, render_markdown
from reports.document import Cell, Column, Document, Section, Table
from tests import factories


@cache
def rendered() -> str:
    return render_markdown.render(page.build(factories.troubled(factories.sweep()), "A sweep"))


def test_figures_stand_as_the_tables_of_their_numbers():
    text = rendered()
    assert "<svg" not in text
    assert "Training, nano: throughput by batch size" in text


def test_every_row_of_a_table_has_as_many_cells_as_its_head():
    width = None
    for line in rendered().splitlines():
        if not line.startswith("|"):
            width = None
            continue
        cells = len(re.findall(r"(?<!\\)\|", line))
        width = width or cells
        assert cells == width


@given(st.text())
def test_no_text_can_end_a_cell_open_a_tag_or_begin_a_line(text):
    escaped = render_markdown.escape(text)
    assert not re.search(r"(?<!\\)(\\\\)*[|<`\[]", escaped)
    assert len(escaped.splitlines()) <= 1


@given(st.text())
def test_unescaping_gives_the_text_back(text):
    shown = re.sub(r"\\(.)", r"\1", render_markdown.escape(text))
    assert shown == " ".join(text.split())


def test_a_cell_with_a_pipe_stays_one_cell_and_the_best_is_bold():
    table = Table("t", (Column("a"), Column("b", "right")), ((Cell("x|y"), Cell("1", emphasis="best")),))
    text = render_markdown.render(Document("T", "s", (Section("S", "l.", (table,)),)))
    assert "| --- | ---: |\n| x\\|y | **1** |" in text


def test_headings_are_the_sections_in_order():
    heads = re.findall(r"^## (.+)$", rendered(), re.MULTILINE)
    assert heads[0] == "What was found"
    assert "Results" in heads
