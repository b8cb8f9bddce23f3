"""The drawings of the bottleneck page: what is written stands apart, and parts add up."""

import re
from itertools import combinations, pairwise
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from reports import canvas, placement, plots_roofline, plots_walls
from reports.plots_roofline import Mark, Roof
from reports.plots_walls import MOST_WALLS, OTHER, UNEXPLAINED, Bar, Pull

SVG = "{http://www.w3.org/2000/svg}"
MACHINE = [
    Roof("fp32", 522e9), Roof("bf16", 1036e9), Roof("fp16", 1000e9), Roof("int8", 2055e9),
    Roof("memory", 60e9, sloping=True), Roof("L1 cache", 357.5e9, sloping=True),
    Roof("L2 cache", 357.4e9, sloping=True), Roof("L3 cache", 197e9, sloping=True),
]  # fmt: skip
FEW = [
    Mark("Decode", 2, 0.45, 8e9, 7e9, 9e9, "nano, batch size 1"),
    Mark("Decode", 2, 3.3, 50e9, 45e9, 57e9, "nano, batch size 8"),
    Mark("Prefill", 1, 30, 200e9, 190e9, 230e9, "tiny, batch size 1"),
    Mark("Training", 0, 60, 20e9, None, None, "tiny, batch size 8"),
]
MANY = [Mark("Decode", 2, 0.3 * 1.11**n, 4e9 * 1.09**n, None, None, f"nano, batch size {n}") for n in range(60)]


def texts(svg: str) -> list[str]:
    return ["".join(element.itertext()).strip() for element in ET.fromstring(svg).iter(f"{SVG}text")]


def written(monkeypatch, draw) -> list[tuple[str, float, tuple[float, float, float, float]]]:
    """Every text of a drawing, its angle, and the corners of its box."""
    figures = []
    monkeypatch.setattr(canvas, "svg", lambda figure: figures.append(figure) or "")
    draw()
    drawn = FigureCanvasAgg(figures[0])
    drawn.draw()  # only then does the legend have its place
    renderer = drawn.get_renderer()
    found = [text for text in figures[0].findobj(Text) if text.get_text().strip() and text.get_visible()]
    return [(t.get_text(), t.get_rotation(), t.get_window_extent(renderer).extents) for t in found]


def overlapping(boxes):
    def apart(a, b):
        return a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]

    return [(a[0], b[0]) for a, b in combinations(boxes, 2) if not apart(a[2], b[2])]


@pytest.mark.parametrize("marks", [FEW, MANY, FEW[:1]], ids=["few", "many", "one"])
def test_no_two_level_texts_of_a_roofline_overlap(monkeypatch, marks):
    found = written(monkeypatch, lambda: plots_roofline.roofline("Speed", MACHINE, marks, "FLOP per byte"))
    assert overlapping([each for each in found if each[1] == 0]) == []


def test_few_points_all_have_their_names():
    shown = " ".join(texts(plots_roofline.roofline("Speed", MACHINE, FEW, "FLOP per byte")))
    assert shown.count("batch size") == len(FEW)


def test_a_crowd_keeps_only_the_names_for_which_there_is_room():
    shown = " ".join(texts(plots_roofline.roofline("Speed", MACHINE, MANY, "FLOP per byte")))
    assert 0 < shown.count("batch size") < len(MANY)


def test_caches_of_one_speed_share_a_label_and_every_number_format_has_its_own():
    shown = texts(plots_roofline.roofline("Speed", MACHINE, FEW, "FLOP per byte"))
    assert "L1, L2 cache" in shown
    assert {"fp32", "bf16", "fp16", "int8", "memory"} <= set(shown)


def test_only_a_promise_of_a_datasheet_is_dashed_and_the_legend_says_so():
    plain = plots_roofline.roofline("Speed", MACHINE, FEW, "FLOP per byte")
    promised = plots_roofline.roofline("Speed", [*MACHINE, Roof("fp32", 9e11, promised=True)], FEW, "FLOP per byte")
    assert "datasheet" not in texts(plain)
    assert "stroke-dasharray" not in plain
    assert "datasheet" in texts(promised)
    assert "stroke-dasharray" in promised


@pytest.mark.parametrize(("peak", "band", "y"), [(1e15, 3e12, 1e3), (1e9, 1e9, 1e8), (1e12, 1e6, 1e12)])
def test_a_roofline_has_readable_ticks_over_any_range(peak, band, y):
    marks = [Mark("Decode", 2, 1.0, y, None, None, "nano")]
    shown = texts(plots_roofline.roofline("Speed", [Roof("fp32", peak), Roof("memory", band, True)], marks, "x"))
    assert 2 <= sum(bool(re.fullmatch(r"[\d.,]+", text)) for text in shown) <= 14


@given(st.lists(st.floats(0, 500), min_size=1, max_size=12))
def test_spread_labels_keep_their_distance_and_their_order(wanted):
    placed = placement.spread(wanted, 11.0)
    ordered = sorted(placed)
    assert all(b - a >= 11 - 1e-6 for a, b in pairwise(ordered))
    for (a, pa), (b, pb) in combinations(zip(wanted, placed, strict=True), 2):
        assert a == b or (a < b) == (pa < pb)


WALLS = ["compute", "cache", "kernel", "dispatch", "input", "transfer", "parallelism", "communication", UNEXPLAINED]


@given(st.lists(st.dictionaries(st.sampled_from(WALLS), st.floats(0, 1), min_size=1), min_size=1, max_size=5))
def test_the_parts_of_a_bar_add_up_to_its_shares_with_few_colours(shares):
    bars = [Bar("nano", each) for each in shares]
    palette = plots_walls.palette(bars)
    assert len(set(palette.values())) == len(palette) <= MOST_WALLS
    for bar in bars:
        parts = plots_walls.parts_of(bar, palette)
        assert sum(parts.values()) == pytest.approx(sum(bar.shares.values()))
        assert parts.get(UNEXPLAINED, 0.0) == bar.shares.get(UNEXPLAINED, 0.0)


def test_small_walls_become_one_part_and_the_unexplained_one_is_hatched():
    bar = Bar("nano", {wall: 0.12 - 0.01 * place for place, wall in enumerate(WALLS)})
    svg = plots_walls.walls("Decode", [bar], plots_walls.palette([bar]))
    assert {OTHER, UNEXPLAINED} <= set(texts(svg))
    assert "<pattern" in svg


def test_a_point_has_its_name_above_its_resources_and_0_and_1_are_marked(monkeypatch):
    pulls = [Pull(f"Decode ({n})", name, 0, 0.5, -9.0, 9.0) for n in "ab" for name in ("compute", "memory")]
    shown = texts(plots_walls.elasticities("Time", pulls))
    assert [text for text in shown if text.startswith("Decode")] == ["Decode (a)", "Decode (b)"]
    assert {"0", "1"} <= set(shown)
    found = written(monkeypatch, lambda: plots_walls.elasticities("Time", pulls))
    assert overlapping(found) == []


@pytest.mark.parametrize("label", ["<script>alert(1)</script>", "$\\frac{1}{0}$", "_hidden", "#010101"])
def test_a_hostile_name_is_shown_letter_by_letter(label):
    svg = plots_walls.walls(label, [Bar(label, {"compute": 1.0})], {"compute": 0})
    assert label in texts(svg)
    marked = plots_roofline.roofline(label, MACHINE, [Mark(label, 0, 1.0, 1e10, None, None, "x")], "x")
    assert label in "".join(texts(marked))
    assert "<script" not in svg + marked
