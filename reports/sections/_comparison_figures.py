"""A forest plot a metric: ratios new / base with their bounds, the worst first, beside the limit and its margin."""

import math
import re
from collections.abc import Sequence
from typing import Literal

from bench.gate import Limit
from reports import gate_words, plots
from reports.comparison import Finding, Outcome
from reports.document import Cell, Column, Figure, Table
from reports.plots_forest import Row, Rule, forest

#: Words and look (marker, colour) of an outcome; those that must be told apart differ in both.
_LOOKS: dict[Outcome, tuple[str, int]] = {
    "fail": ("regression", 1),
    "inconclusive": ("cannot tell", 4),
    "pass": ("within its limit", 0),
    "ungated": ("has no limit", 6),
}
#: Logarithms of ratios beyond this are not drawn to scale with the others: a factor of 1000 is an error, not a change.
_DRAWN = (1e-3, 1e3)


def forests(findings: Sequence[Finding]) -> list[Figure]:
    """A figure for each metric that has a ratio, in the order of what is worst in it."""
    drawable = [each for each in gate_words.worst_first(findings) if _drawable(each)]
    metrics = dict.fromkeys(each.metric for each in drawable)
    return [_figure([each for each in drawable if each.metric == name]) for name in metrics]


def _drawable(finding: Finding) -> bool:
    ratio = gate_words.usable(finding.ratio)
    return ratio is not None and not finding.exact and _DRAWN[0] < ratio < _DRAWN[1]


def _figure(ordered: Sequence[Finding]) -> Figure:
    shown = ordered[: plots.MOST_ROWS]
    metric = gate_words.metric(ordered[0].metric)
    names = short_names([gate_words.benchmark(each) for each in shown])
    rows = [
        Row(name, *_LOOKS[each.outcome], each.ratio or 1.0, *_bounds(each))
        for name, each in zip(names, shown, strict=True)
    ]
    better = "further right is better" if ordered[0].direction > 0 else "further right is worse"
    title = f"{gate_words.heading(ordered[0].metric)}, new / base"
    said = "" if len(shown) == len(ordered) else f"The {len(shown)} worst of {len(ordered)}; all are in the table. "
    hollow = " A hollow mark has no bounds." if any(row.low is None for row in rows) else ""
    order = "The worst first; " if len(shown) > 1 else ""
    told = f"{order}{_marks(shown)}bars are the bounds.{hollow}"
    caption = f"{said}{told[:1].upper()}{told[1:]}"
    alt = f"Ratios of {metric}: " + "; ".join(
        f"{name} {gate_words.change(each)}" for name, each in zip(names, shown[:5], strict=False)
    )
    svg = forest(title, rows, better, _rules(shown))
    return Figure(svg, alt, caption, _data(names, shown, title))


def _bounds(finding: Finding) -> tuple[float | None, float | None]:
    """Both bounds, cut at what is drawn; None where one is missing."""
    low, high = gate_words.usable(finding.low), gate_words.usable(finding.high)
    return (None, None) if low is None or high is None else (max(low, _DRAWN[0]), min(high, _DRAWN[1]))


def _rules(findings: Sequence[Finding]) -> list[Rule]:
    """The limit and its margin, where all that have one have the same."""
    limits = {(each.limit, each.direction) for each in findings if each.outcome != "ungated" and each.limit}
    if len(limits) != 1:
        return []
    share, direction = limits.pop()
    limit = Limit(share or 0.0)
    sign = -1 if direction > 0 else 1
    return [
        _rule("margin", math.exp(limit.margin_log * sign), ":"),
        _rule("limit", math.exp(limit.log * sign), "--"),
    ]


def _rule(name: str, ratio: float, dashes: Literal["--", ":"]) -> Rule:
    return Rule(f"{name} {f'{ratio:.3f}'.rstrip('0')}×", ratio, dashes)


def _marks(findings: Sequence[Finding]) -> str:
    return "the dotted line is the margin, the dashed one the limit; " if _rules(findings) else ""


def short_names(names: Sequence[str]) -> list[str]:
    """Names for the margin of a figure: without files and classes of tests where that leaves them distinct.

    >>> short_names(["a/test_x.py::T::test_one[4]", "a/test_x.py::T::test_two[4]"])
    ['test_one[4]', 'test_two[4]']
    """
    tests = [split(name)[0] for name in names]
    for shortened in (tests, list(names)):
        if len(set(plots.row_labels(shortened))) == len(names):
            return shortened
    return [f"{place}. {test}" for place, test in enumerate(tests, start=1)]


def split(name: str) -> tuple[str, str]:
    """The test of a pytest id, and the file and class that it is in; any other name as it is.

    >>> split("a/test_x.py::T::test_one[x::4]")
    ('test_one[x::4]', 'a/test_x.py::T')
    """
    found = re.match(r"([^\[]*)::(?=.)", name)
    return (name[found.end() :], found[1]) if found else (name, "")


def _data(names: Sequence[str], findings: Sequence[Finding], caption: str) -> Table:
    rows = tuple(
        (Cell(name), Cell(gate_words.change(each), sort=each.ratio), Cell(_LOOKS[each.outcome][0]))
        for name, each in zip(names, findings, strict=True)
    )
    return Table(caption, (Column("benchmark"), Column("change [bounds]", "right"), Column("outcome")), rows)
