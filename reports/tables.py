"""Columns that several sections share: what tells a point from the others, and a metric under one unit."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from bench import points
from bench.axes import BY_NAME
from bench.kinds import Number
from bench.record import Metric, Record, Value
from bench.units import bracketed, digits, scale
from reports import labels
from reports.document import Cell, Column, Emphasis, Table
from reports.estimate import Ratio
from reports.study import Study, values

#: Value, low and high of a metric in SI.
Measured = tuple[float, float | None, float | None]


def measured(metric: Metric | None) -> Measured | None:
    """Value and bounds of a metric that has a value."""
    return None if metric is None or metric.value is None else (metric.value, metric.low, metric.high)


@dataclass(frozen=True)
class Identity:
    """The columns that tell the records of a study apart, without the axes `but` (constant in the table)."""

    study: Study
    but: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The varying axes that have a column of their own."""
        return tuple(n for n in self.study.varying if n not in self.but and n not in labels.VARIANT_AXES)

    @property
    def _has_variant(self) -> bool:
        return any(name in labels.VARIANT_AXES and name not in self.but for name in self.study.varying)

    @property
    def columns(self) -> tuple[Column, ...]:
        """Machine and run where there are several, then the axes, then the variant."""
        where = [Column("machine")] if len(self.study.hosts) > 1 else []
        where += [Column("run", "right")] if self.study.repeats else []
        heads = [axis_column(name) for name in self.names]
        return (*where, *heads, *([Column("precision, compression")] if self._has_variant else []))

    def cells(self, record: Record) -> tuple[Cell, ...]:
        """One cell for each of `columns`."""
        axes = values(record)
        where = [Cell(self.study.host(record).label)] if len(self.study.hosts) > 1 else []
        where += [Cell(str(self.study.run_number(record)))] if self.study.repeats else []
        named = [Cell("") if labels.says_nothing(name, axes) else axis_cell(name, axes[name]) for name in self.names]
        return (*where, *named, *([Cell(labels.variant(axes))] if self._has_variant else []))


def unsaid(records: Iterable[Record]) -> tuple[str, ...]:
    """The dimensions that none of `records` set: their column would be empty."""
    axes = [values(record) for record in records]
    return tuple(name for name, axis in BY_NAME.items() if all(axis.says_nothing(each[name]) for each in axes))


def constant(records: Iterable[Record]) -> tuple[str, ...]:
    """The axes in which all of `records` agree: what labels beside each other need not say."""
    vary = points.varying([values(record) for record in records])
    return tuple(name for name in BY_NAME if name not in vary)


def axis_column(name: str) -> Column:
    """The head of a column of an axis' values."""
    axis = BY_NAME[name]
    return Column(axis.label, "right" if isinstance(axis.kind, Number) else "left")


def axis_cell(name: str, raw: Value) -> Cell:
    """The value of an axis, sorted as the axis orders its values."""
    text = "" if BY_NAME[name].says_nothing(raw) else labels.value(raw)
    return Cell(text, sort=labels.rank(name, raw)[1])


def cells(
    values: Sequence[Measured | None], unit: str, emphases: Sequence[Emphasis], signs: Sequence[str] = ()
) -> tuple[str, list[Cell]]:
    """A column under one unit: the unit's name, and a cell for each value with its interval and sign of doubt."""
    factor, name = scale([value[0] for value in values if value], unit)
    drawn = zip(values, emphases, signs or [""] * len(values), strict=True)
    return name, [cell(value, factor, emphasis, sign) for value, emphasis, sign in drawn]


def cell(value: Measured | None, factor: float, emphasis: Emphasis, sign: str = "") -> Cell:
    """A value with its interval, both divided by `factor`, and its sign of doubt; an em dash where there is none.

    Why a value has no interval stands under the table (`reports.certainty.remarks`).
    """
    if value is None:
        return Cell("—", emphasis="muted")
    middle, low, high = value
    if low is None or high is None:
        text = digits(middle / factor)
    else:
        text = bracketed(middle / factor, low / factor, high / factor)
    return Cell(text + sign, sort=middle, emphasis=emphasis)


def best(
    records: Sequence[Record], groups: Callable[[Record], object], key: Callable[[Record], float | None]
) -> set[int]:
    """Places of the records with the greatest `key` in their group; a group of one has no best."""
    members: dict[object, list[tuple[float, int]]] = {}
    for place, record in enumerate(records):
        value = key(record)
        if value is not None:
            members.setdefault(groups(record), []).append((value, place))
    return {max(group)[1] for group in members.values() if len(group) > 1}


def league(record: Record) -> tuple[Value, ...]:
    """What two points must share for one to be called the faster: a size, and a profile, which is the work itself."""
    return values(record)["size"], values(record)["profile"]


def simple(caption: str, heads: Iterable[str], rows: Iterable[Iterable[str]], note: str = "") -> Table:
    """A table of plain text, aligned to the left."""
    return Table(caption, tuple(map(Column, heads)), tuple(tuple(map(Cell, row)) for row in rows), note)


def times(ratio: Ratio) -> str:
    """A ratio with its interval: `1.42× [1.38, 1.45]`."""
    if ratio.low is None or ratio.high is None:
        # Why there is no interval stands beside it: `Ratio.why_no_interval`.
        return f"{digits(ratio.value)}×"
    # A bound that is not 1 should not be printed as 1.00, which may be what decides; nor as the ratio itself.
    hidden = ("1.00", f"{ratio.value:.2f}")
    bounds = [bound for bound in (ratio.low, ratio.high) if bound not in (1, ratio.value)]
    places = 3 if any(f"{bound:.2f}" in hidden for bound in bounds) else 2
    return labels.unbroken(f"{ratio.value:.{places}f}× [{ratio.low:.{places}f}, {ratio.high:.{places}f}]")


def difference(metric: Metric | None) -> Cell:
    """A difference from 0 with its sign and half its interval, to at most four decimals: `+0.0123 ±0.0022`."""
    if metric is None or metric.value is None or not math.isfinite(metric.value):
        return Cell("—", emphasis="muted")
    if not any((metric.value, metric.low, metric.high)):
        return Cell("0", sort=0.0)
    places = min(max(2 - math.floor(math.log10(max(abs(metric.value), 1e-4))), 0), 4)
    text = signed(metric.value, places)
    if metric.low is not None and metric.high is not None:
        text += f" ±{(metric.high - metric.low) / 2:.{places}f}"
    return Cell(labels.unbroken(text), sort=metric.value)


def percent(metric: Metric | None) -> Cell:
    """A share in percent with its interval, where it has one."""
    return cell(measured(metric), 0.01, "plain")


def signed(value: float, places: int) -> str:
    """`value` with its sign, a true minus among them, and that many decimals; 0 has no sign.

    >>> signed(0.0123, 3), signed(-1.5, 1), signed(-0.0001, 2)
    ('+0.012', '−1.5', '0.00')
    """
    text = f"{value:+.{places}f}"
    return text[1:] if not float(text) else text.replace("-", "−")
