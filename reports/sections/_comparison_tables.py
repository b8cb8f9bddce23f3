"""The tables of a comparison: one a metric with every verdict and its reason, the counts that changed, the sides."""

from collections.abc import Sequence
from dataclasses import replace

from bench.units import quantity
from reports import gate_words, labels, tables
from reports.comparison import Comparison, Finding, Outcome, Side
from reports.document import Cell, Column, Emphasis, Paragraph, Part, Table
from reports.sections._comparison_figures import split

_EMPHASES: dict[Outcome, Emphasis] = {"fail": "bad", "inconclusive": "plain", "pass": "plain", "ungated": "muted"}
#: Facts that identify a host for a machine; their parts are listed by themselves.
_UNTOLD = ("fingerprint", "host_name", "git_commit")
_MOST_LETTERS = 120


def by_metric(findings: Sequence[Finding]) -> list[Table]:
    """One table a metric that was measured, in the order of what is worst in it."""
    measured = [each for each in gate_words.worst_first(findings) if not each.exact]
    metrics = dict.fromkeys(each.metric for each in measured)
    found = [_table([each for each in measured if each.metric == name]) for name in metrics]
    return [*(replace(table, note=_note(measured)) for table in found[:1]), *found[1:]]


def _note(measured: Sequence[Finding]) -> str:
    """What the brackets and the resolution are: said once."""
    sure = sorted({each.confidence for each in measured if each.low is not None})
    bounds = f"Each bound in brackets holds with {labels.listed([f'{100 * each:.4g} %' for each in sure])} confidence. "
    return (bounds if sure else "") + "Resolution: the change that so many measurements can tell from none."


def _table(ordered: Sequence[Finding]) -> Table:
    tests = any(split(gate_words.benchmark(each))[1] for each in ordered)
    columns = (
        Column("benchmark"),
        Column("base", "right"),
        Column("new", "right"),
        Column("change [bounds]", "right"),
        Column("limit", "right"),
        Column("verdict"),
        Column("resolution", "right"),
        Column("why"),
        *((Column("in"),) if tests else ()),
    )
    return Table(gate_words.heading(ordered[0].metric), columns, tuple(_row(each, tests) for each in ordered))


def _row(finding: Finding, tests: bool) -> tuple[Cell, ...]:
    name, where = split(gate_words.benchmark(finding))
    ratio, resolved = gate_words.usable(finding.ratio), gate_words.finite(finding.resolved)
    return (
        Cell(name),
        _value(finding.base, finding.unit),
        _value(finding.new, finding.unit),
        Cell("—", emphasis="muted") if ratio is None else Cell(gate_words.change(finding), sort=ratio),
        Cell("—", emphasis="muted") if finding.limit is None else Cell(gate_words.share(finding.limit), finding.limit),
        Cell(gate_words.verdict(finding), emphasis=_EMPHASES[finding.outcome]),
        Cell("—", emphasis="muted") if resolved is None else Cell(gate_words.share(resolved), sort=resolved),
        Cell(gate_words.reason(finding)),
        *((Cell(where, emphasis="muted"),) if tests else ()),
    )


def _value(value: float | None, unit: str) -> Cell:
    finite = gate_words.finite(value)
    return Cell("—", emphasis="muted") if finite is None else Cell(quantity(finite, unit), sort=finite)


def counts(findings: Sequence[Finding]) -> list[Part]:
    """How many counts are equal, and those that are not."""
    exact = [each for each in gate_words.worst_first(findings) if each.exact]
    if not exact:
        return []
    changed = [each for each in exact if each.code != "exact_equal"]
    kinds = labels.listed(sorted({gate_words.metric(each.metric) for each in exact}))
    if not changed:
        return [Paragraph(f"All {len(exact):,} exact counts are equal ({kinds}).")]
    equal = len(exact) - len(changed)
    others = f"Equal: {labels.count(equal, 'other')}." if equal else ""
    return [_changed(changed, f"{others} Counts have no noise, so any difference is one ({kinds}).".strip())]


def _changed(findings: Sequence[Finding], note: str) -> Table:
    rows = tuple(
        (
            Cell(gate_words.benchmark(each)),
            Cell(gate_words.metric(each.metric)),
            Cell(gate_words.counted(each.base, each.unit), sort=gate_words.finite(each.base)),
            Cell(gate_words.counted(each.new, each.unit), sort=gate_words.finite(each.new)),
            Cell(gate_words.difference(each) or "—"),
            Cell(gate_words.verdict(each), emphasis=_EMPHASES[each.outcome]),
        )
        for each in findings
    )
    numbers = (Column(name, "right") for name in ("base", "new", "difference"))
    columns = (Column("benchmark"), Column("count"), *numbers, Column("verdict"))
    return Table("Exact counts that changed", columns, rows, note)


def sides(comparison: Comparison) -> list[Table]:
    """The facts in which the two sides differ: what each is, and its libraries and machine."""
    base, new = comparison.base, comparison.new
    pairs = {
        "name": (base.label, new.label),
        "commit": (gate_words.commit_of(base), gate_words.commit_of(new)),
        "run": (base.run, new.run),
    }
    names = [name for name in dict.fromkeys((*base.facts, *new.facts)) if name not in _UNTOLD]
    pairs |= {name: (_fact(base, name), _fact(new, name)) for name in names}
    rows = [
        [labels.plain(name).replace("_", " "), *(labels.plain(text or "—")[:_MOST_LETTERS] for text in pair)]
        for name, pair in pairs.items()
        if pair[0] != pair[1]
    ]
    return [tables.simple("What differs between the sides", ["what", "base", "new"], rows)] if rows else []


def _fact(side: Side, name: str) -> str | None:
    raw = side.facts.get(name)
    unit = name.rpartition("_")[2] if name.endswith(("_B", "_W", "_Hz")) else ""
    if raw is None:
        return None
    return quantity(float(raw), unit) if unit and isinstance(raw, int | float) else labels.value(raw)


def earlier(comparisons: Sequence[Comparison]) -> list[Table]:
    """Those before the latest one, by their answer, the newest first."""
    rows = [
        [
            labels.plain(each.started_at)[:16].replace("T", " "),
            gate_words.side(each.base),
            gate_words.side(each.new),
            gate_words.answer(each),
        ]
        for each in reversed(comparisons)
    ]
    return [tables.simple("Earlier comparisons", ["started", "base", "new", "answer"], rows)] if rows else []
