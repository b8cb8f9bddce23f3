"""One row a variant, the plain model first: quality, bytes, memory, speed and energy beside each other."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from bench.record import Metric, Record
from bench.units import digits, scale
from reports import certainty, labels, tables
from reports.document import Cell, Column, Emphasis, Table
from reports.estimate import Ratio
from reports.study import MEMORY_METRICS, Pair, Study, memory, metric, values
from reports.tradeoffs import quality, stored

#: Shares of the held-out text, shown in percent, in the order of the columns.
_SHARES = {
    "same_top_1": "same top 1",
    "accuracy": "accuracy",
    "macro_precision": "precision",
    "macro_recall": "recall",
    "macro_f1": "F1",
}
_EMPHASES: dict[str, Emphasis] = {"faster": "best", "slower": "bad"}
_NOTE = (
    "Δ ln perplexity: how many nats a token of held-out text costs more than with the plain model in fp32, its parent; "
    "0.01 is 1 % of perplexity. A variant that was out of time was graded on fewer of the tokens, so it shows no "
    "perplexity; its difference is on the same tokens for both. Same top 1: how often the likeliest word is the "
    "parent's."
)

_Drawn = tuple[str, list[Cell]]


def tables_of(study: Study, compared: Sequence[tuple[Pair, Ratio]]) -> list[Table]:
    """A table a family, the plain model first; a column that would be empty is left out."""
    pairs = {id(pair.variant): (pair, ratio) for pair, ratio in compared}
    members = pairs.keys() | {id(pair.reference) for pair, _ in compared}
    families = [[record for record in family.records if id(record) in members] for family in study.families]
    made = [_table(study, records, pairs) for records in families if records]
    shown = [record for records in families for record in records]
    words = [_NOTE if any(map(quality, shown)) else "", _certainty(shown, [ratio for _, ratio in compared])]
    return [*made[:-1], replace(made[-1], note=" ".join(word for word in words if word))]


def _certainty(records: Sequence[Record], ratios: Sequence[Ratio]) -> str:
    """Why some figures have no interval, and what the signs mean."""
    whys = dict.fromkeys(why for ratio in ratios if (why := ratio.why_no_interval))
    speeds = [f"Speed without an interval: {'; '.join(whys)}."] if whys else []
    names = ("throughput_tokens_per_s", "joules_per_token", "perplexity", *_SHARES, *MEMORY_METRICS)
    remarks = certainty.remarks(records, names, (certainty.TIMES, certainty.POWER))
    return " ".join([*speeds, *([remarks] if remarks else [])])


def family_name(study: Study, record: Record) -> str:
    """What the variants of one family share, as far as it tells it from others."""
    axes = values(record)
    told = [name for name in study.varying if name != "workload" and name not in labels.VARIANT_AXES]
    machine = f"machine {study.host(record).label}" if len(study.hosts) > 1 else ""
    return ", ".join(word for word in (labels.workload(axes["workload"]), labels.point(axes, told), machine) if word)


def _table(study: Study, records: Sequence[Record], pairs: dict[int, tuple[Pair, Ratio]]) -> Table:
    identity = tables.Identity(study, but=tuple(name for name in study.varying if name not in labels.VARIANT_AXES))
    found = [pairs.get(id(record)) for record in records]
    columns = [
        ("perplexity", _perplexities(records)),
        ("Δ ln perplexity, nat", [_difference(record) for record in records]),
        *((f"{head}, %", [tables.percent(metric(r, name)) for r in records]) for name, head in _SHARES.items()),
        _stored(records, found),
        _measured("peak memory", records, memory, "B"),
        _measured("throughput", records, _throughput, "tokens/s", certainty.TIMES),
        ("speed", [_speed(pair) for pair in found]),
        _measured("energy per token", records, _energy, "J/token", certainty.POWER),
    ]
    columns = [(head, cells) for head, cells in columns if any(cell.sort is not None for cell in cells)]
    heads = tuple(Column(head, "right") for head, _ in columns)
    rows = tuple((*identity.cells(r), *(cells[i] for _, cells in columns)) for i, r in enumerate(records))
    # What the signs mean stands under every table that has some; the rest of the note under the last.
    note = certainty.remarks(records, (), (certainty.TIMES, certainty.POWER))
    return Table(f"{family_name(study, records[0])}: variants", (*identity.columns, *heads), rows, note)


def _nothing() -> Cell:
    return Cell("—", emphasis="muted")


def _number(found: Metric | None) -> Cell:
    return _nothing() if found is None or found.value is None else Cell(digits(found.value), sort=found.value)


def _perplexities(records: Sequence[Record]) -> list[Cell]:
    """Only of those that were graded on as many tokens as the most: on other tokens it is another perplexity."""
    found = [metric(record, "perplexity") for record in records]
    most = max((each.n for each in found if each), default=0)
    return [_number(each) if each and each.n == most else _nothing() for each in found]


def _difference(record: Record) -> Cell:
    found = quality(record)
    return tables.difference(found) if found is not None and found.unit == "nat" else _nothing()


def _stored(records: Sequence[Record], found: Sequence[tuple[Pair, Ratio] | None]) -> _Drawn:
    """Bytes of the weights, and of a variant the share of its reference's."""
    sizes = [stored(record) for record in records]
    factor, name = scale(sizes, "B")
    cells = []
    for size, pair in zip(sizes, found, strict=True):
        before = stored(pair[0].reference) if pair else None
        share = f" ({size / before:.2f}×)" if size and before else ""
        cells.append(Cell(labels.unbroken(f"{digits(size / factor)}{share}"), sort=size) if size else _nothing())
    return f"stored weights, {name}", cells


def _throughput(record: Record) -> Metric | None:
    return metric(record, "throughput_tokens_per_s")


def _energy(record: Record) -> Metric | None:
    return metric(record, "joules_per_token")


def _measured(
    head: str,
    records: Sequence[Record],
    pick: Callable[[Record], Metric | None],
    unit: str,
    doubt: certainty.Doubt | None = None,
) -> _Drawn:
    plain: list[Emphasis] = ["plain"] * len(records)
    signs = [doubt.sign(record) if doubt else "" for record in records]
    name, cells = tables.cells([tables.measured(pick(record)) for record in records], unit, plain, signs)
    return f"{head}, {name}", cells


def _speed(found: tuple[Pair, Ratio] | None) -> Cell:
    """Times as fast as the plain model: bold where certainly faster, in another colour where certainly slower."""
    if found is None:
        return Cell("1×", sort=1.0, emphasis="muted")
    pair, ratio = found
    text = tables.times(ratio) + certainty.TIMES.sign(pair.variant, pair.reference)
    return Cell(text, sort=ratio.value, emphasis=_EMPHASES.get(ratio.verdict, "plain"))
