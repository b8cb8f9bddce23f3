"""Advice in words and tables: what would help, by how much as predicted and as proven, and what it costs. Pure.

A gain is the time of a token (or of a text that is labelled) before the change over that after it, less 1: +100 % is
twice as fast. A batch that is read in one go counts by its tokens.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench import points
from bench.axes import BY_NAME
from bench.record import Advice, Metric, Record, Value
from bench.units import change, quantity
from reports import labels, verdict
from reports.document import Cell, Column, Table
from reports.elasticity import Effect, effect
from reports.walls import DESCRIPTIONS

PREDICTED, PROVEN = "predicted gain", "proven gain"


@dataclass(frozen=True)
class Shown:
    """One piece of advice as words: the change, both gains with intervals (proven: empty if untried), and its costs."""

    change: str
    predicted: str
    proven: str
    memory: str
    quality: str
    at_wall: bool


def possible(advice: Sequence[Advice]) -> list[Advice]:
    """Those that can be made, in their order, with predictions that are numbers."""
    return [each for each in advice if each.log is not None and math.isfinite(each.log)]


def refused(advice: Sequence[Advice]) -> list[tuple[str, str]]:
    """Those that cannot be made, and why: changes that share a reason stand together."""
    found: dict[str, list[str]] = {}
    for each in advice:
        if each.reason is not None:
            found.setdefault(labels.plain(each.reason), []).append(name(each))
    return [(", ".join(names), reason) for reason, names in found.items()]


def name(advice: Advice) -> str:
    """The change in words: `batch size 4`, `int8-dynamic`."""
    return labels.plain(points.changes({axis: value for axis, value in advice.axes.items() if axis in BY_NAME}))


def outcome(advice: Advice) -> Effect | None:
    """What the change did where it was tried: ln(time of a token with / without)."""
    if advice.proof is None or not advice.proof.logs or not all(map(math.isfinite, advice.proof.logs)):
        return None
    return effect(advice.proof)


def gain(log: float, low: float | None, high: float | None) -> str:
    """`+110 % [+80 %, +140 %]`: the gain that a change of ln T by `log` is, whose bounds are those of the time."""
    shown = change(-log)
    if low is None or high is None:
        return shown
    return f"{shown} [{change(-high)[:-2]}, {change(-low)[:-2]}]"


def shown(advice: Advice, wall: str | None) -> Shown:
    """The words for one that can be made."""
    found, tried = outcome(advice), advice.proof
    proven = "" if found is None else gain(found.value, found.low, found.high)
    if found is None and tried is not None and tried.reason is not None:
        proven = labels.plain(tried.reason)
    return Shown(
        name(advice),
        gain(advice.log or 0.0, advice.low, advice.high),
        proven,
        _memory(advice.memory_B),
        _quality(advice),
        at_wall(advice, wall),
    )


def at_wall(advice: Advice, wall: str | None) -> bool:
    """Whether the change is among the remedies against the wall."""
    known = next((each for each in DESCRIPTIONS if each == wall), None)
    return known is not None and any(remedy.axis in advice.axes for remedy in DESCRIPTIONS[known].remedies)


def _memory(difference_B: int | None) -> str:
    if difference_B is None:
        return "unknown"
    if abs(difference_B) < 2**10:
        return "same"
    return f"{'+' if difference_B > 0 else '−'}{quantity(abs(difference_B), 'B')}"


def _quality(advice: Advice) -> str:
    found: Metric | None = advice.quality
    if found is None or found.value is None:
        return labels.plain(advice.quality_note) or "unknown"
    if found.unit == "nat":
        return f"{found.value:+.3f} nat"
    return f"{found.value:.1%}".replace("%", " %")


def rows(record: Record) -> list[Shown]:
    """All that can be made to the record's point, the most promising first."""
    wall = verdict.wall_of(record)
    return [shown(each, wall) for each in possible(record.advice)]


def table(record: Record, caption: str, most: int | None = None) -> Table | None:
    """The advice as a table for a page; None where there is none."""
    found = rows(record)[:most]
    if not found:
        return None
    tried = any(each.proven for each in found)
    heads = ["change", PREDICTED, *([PROVEN] if tried else []), "memory", "quality"]
    columns = tuple(Column(head, "left" if head == "change" else "right") for head in heads)
    lines = []
    for each in found:
        cells = [each.change + (" *" if each.at_wall else ""), each.predicted]
        cells += [each.proven or "—"] if tried else []
        lines.append(tuple(Cell(labels.unbroken(text)) for text in (*cells, each.memory, each.quality)))
    return Table(caption, columns, tuple(lines), note(found))


def note(found: Sequence[Shown]) -> str:
    """What the figures of these rows mean, and what is not known of them."""
    told = ["Gain: time of a token before / after - 1; predicted with a 90 % interval, proven with a 95 % one."]
    if any(each.at_wall for each in found):
        told.append("* aims at the wall.")
    if any(each.quality == "unknown" for each in found):
        told.append("Unknown quality: `pinchpoint sweep --train-budget 60s` with that variant measures it.")
    return " ".join(told)


def sentence(record: Record) -> str | None:
    """The first of the advice in a sentence, and how it turned out; None where there is none that gains."""
    best = next((each for each in possible(record.advice) if (each.log or 0.0) < 0), None)
    if best is None:
        return None
    found = outcome(best)
    said = f"What should help most: {name(best)}, with a predicted gain of {change(-(best.log or 0.0))}"
    return f"{said}." if found is None else f"{said}; tried, it gained {change(-found.value)}."


def in_short(record: Record) -> str | None:
    """The first change that should gain, and by how much: for a cell beside the wall. None where there is none."""
    best = next((each for each in possible(record.advice) if (each.log or 0.0) < 0), None)
    if best is None:
        return None
    found = outcome(best)
    proven = "" if found is None else f", {change(-found.value)} proven"
    return f"{name(best)}: {labels.unbroken(change(-(best.log or 0.0)))} predicted{labels.unbroken(proven)}"


def as_json(record: Record) -> list[dict[str, Any]]:
    """Each piece of advice: the axes, gains with bounds, costs, and the reason where it cannot be made."""
    wall = verdict.wall_of(record)
    return [_as_json(each, wall) for each in record.advice]


def _as_json(each: Advice, wall: str | None) -> dict[str, Any]:
    found = outcome(each)
    values: dict[str, Value] = each.axes
    return {
        "change": values,
        "predicted_gain": _gain_of(each.log),
        "predicted_low": _gain_of(each.high),
        "predicted_high": _gain_of(each.low),
        "assumed_share": each.assumed,
        "proven_gain": None if found is None else _gain_of(found.value),
        "proven_low": None if found is None else _gain_of(found.high),
        "proven_high": None if found is None else _gain_of(found.low),
        "not_proven": each.proof.reason if each.proof is not None else None,
        "memory_B": each.memory_B,
        "quality": None if each.quality is None else each.quality.value,
        "quality_note": each.quality_note,
        "note": each.note,
        "aims_at_the_wall": at_wall(each, wall),
        "reason": each.reason,
    }


def _gain_of(log: float | None) -> float | None:
    return None if log is None else math.expm1(-log)
