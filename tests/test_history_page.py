from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from bench.record import Record
from reports import page, render_html, render_markdown
from reports.document import Section
from reports.study import study
from tests import factories, pages
from tests.pages import cell, column, figures, tables, words

SVG = "{http://www.w3.org/2000/svg}"


def build(past: list[Record]) -> Section | None:
    return pages.load("history").build(study(past[-1:], past=past))


def points(count: int, factor: float = 1.1) -> list[Record]:
    sizes = [2**n for n in range(count)]
    return [r for n in sizes for r in factories.past(factories.step(8, 8, factor, seed=n), batch_size=n)]


def test_the_section_stands_only_where_a_point_has_three_runs_in_one_set_up():
    assert build(factories.past([3e-3] * 2)) is None
    assert build(factories.past([3e-3, 3e-3, None])) is None
    other = [replace(r, host=r.host | {"fingerprint": "other"}) for r in factories.past([3e-3] * 2, first=3)]
    assert build([*factories.past([3e-3] * 2), *other]) is None
    assert build(factories.past([3e-3] * 3)) is not None
    assert pages.load("history").build(study([factories.record()])) is None


def test_it_says_what_changed_and_draws_it():
    section = build(factories.past(factories.step(8, 8, 1.1)))
    assert section.lead == "Over 16 runs 1 point changed or drifts."
    assert "between run 20260108-030405-0008" in words(section)
    (figure,) = figures(section)
    drawn = ["".join(text.itertext()) for text in ET.fromstring(figure.svg).iter(f"{SVG}text")]
    assert any(text.startswith("+") and text.endswith(" %") for text in drawn)
    assert "change" in drawn
    assert "slower" in figure.alt


def test_the_table_under_a_figure_has_every_run_and_why_one_is_missing():
    section = build(factories.past([None, *factories.step(8, 8, 1.1)]))
    overview, data = tables(section)
    assert len(data.rows) == 17
    assert cell(data, 0, "time") == "out of memory: the kernel killed it"
    assert cell(data, 16, "commit") == "000000000011"
    assert column(overview, "runs") == ["16"]


def test_a_drift_is_drawn_as_a_line_that_rises():
    section = build(factories.past([3e-3 * 1.006**run * (1 + 0.002 * (-1) ** run) for run in range(20)]))
    assert "drift" in words(section)
    drawn = ["".join(text.itertext()) for text in ET.fromstring(figures(section)[0].svg).iter(f"{SVG}text")]
    assert "drift" in drawn
    assert "median of a level" not in drawn


def test_at_most_six_figures_are_drawn_and_the_table_has_all():
    section = build(points(8))
    assert len(figures(section)) == 6
    assert len(tables(section)[0].rows) == 8


def test_without_a_change_it_says_so_and_still_shows_the_times():
    section = build(points(3, factor=1.0))
    assert "no point changed its level and none drifts" in section.lead
    assert len(figures(section)) == 2


def test_too_few_runs_are_said_to_show_nothing_yet():
    section = build(factories.past(factories.step(2, 2, 2)))
    assert "4 runs" in section.lead
    assert column(tables(section)[0], "told") == ["4 of 9 runs"]


def test_memory_that_rose_is_told_too():
    records = factories.past([3e-3] * 16)
    for place in range(8, 16):
        metric = records[place].metrics["ram_above_start_B"]
        records[place].metrics["ram_above_start_B"] = replace(metric, value=metric.value * 1.02)
    section = build(records)
    assert "+2.0 %" in words(section)
    assert "worse" in words(section)


def test_two_set_ups_are_told_apart():
    other = [replace(r, host=r.host | {"fingerprint": "other"}) for r in factories.past([6e-3] * 4, first=5)]
    section = build([*factories.past([3e-3] * 4), *other])
    assert column(tables(section)[0], "set-up") == ["A", "B"]
    assert "A set-up is a machine" in words(section)


@pytest.mark.parametrize("hostile", ["<script>alert(1)</script>", "a\x1b[31m|b"])
def test_hostile_commits_and_runs_stay_text(hostile):
    past = [
        replace(r, run=f"{r.run}{hostile}", host=r.host | {"git_commit": hostile, "git_branch": hostile})
        for r in factories.past(factories.step(8, 8, 1.1))
    ]
    document = page.build(past[-1:], "t", past=past)
    html = render_html.render(document)
    assert "<script>alert" not in html
    assert "\x1b" not in html + render_markdown.render(document)
