import re
from xml.etree import ElementTree as ET

import pytest

from reports import (
    canvas,
    plots,
    plots_forest,
    plots_history,
    plots_pareto,
    plots_procurement,
    plots_roofline,
    plots_walls,
)
from reports.plots_forest import Row, Rule
from reports.plots_history import Level, Past
from reports.plots_pareto import Disc
from reports.plots_procurement import Choice
from reports.plots_roofline import Mark, Roof
from reports.plots_walls import Bar, Pull

SVG = "{http://www.w3.org/2000/svg}"


def lines(label: str = "fp32", y: float = 1e4, title: str = "Training") -> str:
    series = [plots.Line(label, 0, (1.0, 8.0), (y, 3 * y), (0.9 * y, None), (1.1 * y, None))]
    return plots.lines(title, series, "batch size", "tokens/s")


def disc(label: str, x: float, y: float, size_B: float = 1e6, on_front: bool = True) -> Disc:
    return Disc(label, x, y, (0.9 * x, 1.1 * x), (y - 0.001, y + 0.001), size_B, on_front)


def pareto(discs: list[Disc], differences: bool = True) -> str:
    return plots_pareto.pareto("Decode", discs, "times as fast", "Δ ln perplexity", differences=differences)


def past(words: tuple[str, ...] = ("+9.0 %", "−5.0 %"), title: str = "nano: time") -> str:
    marks = tuple(plots_history.Mark(3.0 + place, each) for place, each in enumerate(words))
    levels = (Level((0.6, 2.4), (1e-3, 1e-3)), Level((2.6, 6.4), (1.1e-3, 1.1e-3)))
    values = (1e-3, 1.01e-3, 1.1e-3, 1.11e-3, 1.09e-3, 1.1e-3)
    x = tuple(float(run) for run in range(1, 7))
    low, high = (0.9e-3, *[None] * 5), (1.2e-3, *[None] * 5)
    return plots_history.past(title, Past(x, values, low, high, levels, marks, False), "s", 6)


def choices(count: int = 2) -> list[Choice]:
    return [
        Choice(f"Device {n}", (90.0 * n, 100.0 * n, 110.0 * n), (0.9 * n, 1.0 * n, 1.2 * n), n, True)
        for n in range(1, count + 1)
    ]


def drawings() -> dict[str, str]:
    return {
        "lines": lines(),
        "stacks": plots.stacks(
            "Memory", ["weights"], [plots.Stack("nano", (2e6,), 3e6), plots.Stack("b", (9e6,), None)]
        ),
        "forest": plots_forest.forest("Speed", [Row("nano", "bf16", 0, 1.5, 1.4, 1.6)], "times"),
        "gate": plots_forest.forest(
            "Time", [Row("a", "same", 0, 1, 0.99, 1.01)], "x", [Rule("limit 1.05×", 1.05, "--")]
        ),
        "dots": plots_forest.dots("Speed", [Row("nano", "1", 0, 9e3, 8e3, 9.5e3)], "tokens/s", "throughput", "more"),
        "pareto": pareto([disc("fp32", 1.0, 0.0), disc("bf16", 2.0, 0.001)]),
        "trade": plots_procurement.trade("Cost", choices(), "speed", "USD"),
        "costs": plots_procurement.costs("Cost", choices(), "USD"),
        "roofline": plots_roofline.roofline(
            "Speed",
            [Roof("fp32", 5e11), Roof("fp32", 6e11, promised=True), Roof("memory", 6e10, sloping=True)],
            [Mark("Decode", 2, 0.5, 1e10, 9e9, 1.1e10, "nano")],
            "FLOP per byte",
        ),
        "walls": plots_walls.walls("Decode", [Bar("nano", {"compute": 0.7, "unexplained": 0.3})], {"compute": 0}),
        "elasticities": plots_walls.elasticities("Time", [Pull("Decode", "memory", 0, 0.8, 0.7, 0.9)]),
        "loss": plots.loss_curve([5.0, 4.0], [5.1, 4.4]),
        "past": past(),
    }


def texts(svg: str) -> list[str]:
    return ["".join(element.itertext()).strip() for element in ET.fromstring(svg).iter(f"{SVG}text")]


@pytest.mark.parametrize("name", drawings())
def test_drawing_twice_gives_the_same_bytes(name):
    assert drawings()[name] == drawings()[name]


@pytest.mark.parametrize("name", drawings())
def test_a_drawing_brings_no_style_sheet_script_or_metadata_and_loads_nothing(name):
    root = ET.fromstring(drawings()[name])
    tags = {element.tag.removeprefix(SVG) for element in root.iter()}
    assert not tags & {"style", "script", "metadata", "image", "foreignObject"}
    links = [value for e in root.iter() for key, value in e.attrib.items() if key.endswith("href")]
    assert all(link.startswith("#") for link in links)


@pytest.mark.parametrize("name", drawings())
def test_text_stays_text_in_the_font_of_the_page(name):
    svg = drawings()[name]
    assert any(texts(svg))
    assert "DejaVu" not in svg


@pytest.mark.parametrize("name", drawings())
def test_every_sentinel_colour_is_replaced_by_one_of_the_page(name):
    svg = drawings()[name]
    assert "currentColor" in svg
    assert not re.search("#01010?1|#020202|#030303", svg)
    for colour in canvas.SERIES[:-1]:
        assert svg.count(colour) == len(re.findall(rf"var\(--series-\d, {colour}\)", svg))


def test_no_two_figures_share_an_id():
    ids = [value for svg in drawings().values() for value in re.findall(r'\bid="([^"]+)"', svg)]
    assert ids
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("name", drawings())
def test_every_reference_is_answered_in_its_own_figure(name):
    svg = drawings()[name]
    asked = set(re.findall(r'href="#([^"]+)"', svg)) | set(re.findall(r"url\(#([^)]+)\)", svg))
    assert asked
    assert asked == set(re.findall(r'\bid="([^"]+)"', svg))


@pytest.mark.parametrize(
    "label", ["<script>alert(1)</script>", "$\\frac{1}{0}$", "_hidden", 'a" onload="x', "&lt;", "#010101", 'id="x"']
)
def test_a_hostile_label_is_shown_letter_by_letter(label):
    svg = lines(label, title=label)
    shown = texts(svg)
    assert label in shown
    assert f"{label}, ktok/s" in shown
    assert "<script" not in svg


@pytest.mark.parametrize("y", [0.003, 1.0, 9.99, 1e4, 7.7e11])
def test_a_logarithmic_axis_always_has_at_least_three_ticks_with_short_labels(y):
    numbers = [text for text in texts(lines(y=y)) if re.fullmatch(r"[\d.,]+", text)]
    assert len(numbers) >= 2 + 3  # two batch sizes
    assert all(len(number) <= 6 for number in numbers)


def test_a_single_batch_size_can_be_drawn():
    svg = plots.lines("Decode", [plots.Line("fp32", 0, (4.0,), (10.0,), (None,), (None,))], "batch size", "tokens/s")
    assert "4" in texts(svg)


def test_a_missing_measurement_is_named_in_words():
    rows = [plots.Stack("nano", (2e6,), 3e6), plots.Stack("base", (9e9,), None, "out of memory")]
    assert "out of memory" in texts(plots.stacks("Memory", ["weights"], rows))


@pytest.mark.parametrize("values", [(0.99, 1.01), (0.5, 1.4), (0.75, 2.9), (0.01, 30), (1e-6, 1e6)])
def test_a_forest_plot_always_marks_one(values):
    rows = [Row(str(v), "bf16", 0, v, v * 0.99, v * 1.01) for v in values]
    ticks = [text for text in texts(plots_forest.forest("Speed", rows, "times")) if text.endswith("×")]
    assert "1×" in ticks
    assert len(ticks) <= 7


@pytest.mark.parametrize("values", [(3.0,), (3.0, 3.0), (1.0, 400.0), (1e-3, 1e6)])
def test_dots_always_have_ticks_however_near_or_far_their_values_lie(values):
    rows = [Row("lstm", str(place), 0, value, None, None) for place, value in enumerate(values)]
    ticks = [text for text in texts(plots_forest.dots("t", rows, "", "x", "less")) if re.fullmatch(r"[\d.,]+", text)]
    assert 3 <= len(ticks) <= 11


@pytest.mark.parametrize("worst", [0.0, 0.0004, 0.09, 0.5, 7.0, 600.0])
def test_quality_has_round_ticks_with_a_sign_and_0_among_them(worst):
    shown = texts(pareto([disc("fp32", 1.0, 0.0), disc("int4", 2.0, worst)]))
    ticks = [
        text for text in shown if re.fullmatch(r"[+−]?[\d.]+(e[+]\d+)?", text) and (text[0] in "+−" or text == "0")
    ]
    assert "0" in ticks
    assert 3 <= len(ticks) <= 9
    assert all(len(tick) <= 7 for tick in ticks)


def test_a_loss_of_quality_on_one_side_only_can_be_drawn_with_the_gains():
    assert {"better", "worse"} <= set(texts(pareto([disc("better", 1.0, -0.4), disc("worse", 2.0, 2.0)])))


def test_accuracies_are_drawn_to_scale_without_a_sign():
    shown = texts(pareto([disc("fp32", 1.0, 0.81), disc("int4", 2.0, 0.64)], differences=False))
    assert "0.7" in shown
    assert not [text for text in shown if text.startswith("+")]


def test_every_variant_of_a_crowded_panel_has_its_label():
    crowd = [disc(f"variant number {n}, structured", 1 + n / 50, n / 500) for n in range(plots_pareto.MOST_DISCS)]
    assert {f"variant number {n}, structured" for n in range(plots_pareto.MOST_DISCS)} <= set(texts(pareto(crowd)))


@pytest.mark.parametrize("label", ["<script>alert(1)</script>", "$\\frac{1}{0}$", "_hidden", "#010101"])
def test_a_hostile_variant_is_shown_letter_by_letter(label):
    assert label in texts(pareto([disc(label, 1.0, 0.0), disc("b", 2.0, 0.1)]))


def test_words_of_changes_that_lie_close_together_do_not_overlap():
    assert {"+9.0 %", "−5.0 %"} <= set(texts(past()))
    crowded = texts(past(("+9.0 % and more words than fit", "−5.0 %")))
    assert "−5.0 %" not in crowded
    assert "+9.0 % and more words than fit" in crowded


def test_colours_that_come_again_do_so_with_another_marker():
    looks = [plots.look(index)[::2] for index in range(3 * plots.MOST_SERIES)]
    assert len(set(looks)) == len(looks)


def test_a_row_label_that_is_too_long_keeps_both_its_ends():
    assert plots.row_labels(["lstm", "transformer, tiny, batch size 64"]) == ["lstm", "transformer…batch size 64"]


def test_losses_of_unequal_length_are_refused():
    with pytest.raises(ValueError, match="every epoch"):
        plots.loss_curve([1.0], [])
    with pytest.raises(ValueError, match="every epoch"):
        plots.loss_curve([], [])


def test_drawing_leaves_matplotlib_as_it_was():
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    lines()
    assert dict(mpl.rcParams) == before


def test_a_long_label_is_cut_with_an_ellipsis():
    assert canvas.shorten("nano, batch size 8, amp-bf16", 12) == "nano, batch…"
    assert canvas.shorten("nano", 4) == "nano"


def test_no_more_options_are_named_than_have_room_and_those_on_the_front_come_first():
    many = [Choice(each.label, each.speed, each.cost, each.rank, each.rank > 14) for each in choices(15)]
    named = [text for text in texts(plots_procurement.trade("Cost", many, "speed", "USD")) if text.startswith("Device")]
    assert len(named) == plots_procurement.MOST_LABELS
    assert "Device 15" in named
