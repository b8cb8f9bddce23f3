"""A comparison on a terminal, within 80 columns: the worst first, then a sentence for each that did not pass."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.units import digits, quantity, scale
from reports import gate_remedies, gate_words, labels
from reports.comparison import Comparison, Finding

#: A sign beside each verdict, so that nothing rests on colour.
_SIGNS = {"fail": "✗", "inconclusive": "?", "pass": "✓", "ungated": " "}
_STYLES = {"fail": "bold", "inconclusive": "", "pass": "", "ungated": "dim"}
#: More benchmarks with the same trouble share one sentence.
_MOST_ALONE = 3


def print_comparison(comparison: Comparison, console: Console) -> None:
    """Print the table, what the sentences of its rows are, and which counts are equal; a refusal is left to others."""
    if comparison.refused is not None:
        return
    rows = [each for each in gate_words.worst_first(comparison.findings) if not _quiet(each)]
    if rows:
        console.print(_table(rows))
    if told := _legend(comparison.findings):
        console.print(Text(told, style="dim"))
    for line in _sentences(rows):
        console.print(Text(line))
    for note in comparison.notes:
        console.print(Text(gate_words.sentence(note)))


def _quiet(finding: Finding) -> bool:
    """Whether it says nothing by itself: an equal count, or what is the same and not limited."""
    return finding.code == "exact_equal" or (finding.outcome == "ungated" and finding.verdict == "same")


def _table(rows: Sequence[Finding]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1), collapse_padding=True)
    table.add_column("benchmark", overflow="fold", min_width=12)
    table.add_column("metric", overflow="fold", min_width=8)
    table.add_column("base → new", justify="right", overflow="fold")
    table.add_column("change, %", justify="right", no_wrap=True)
    table.add_column("verdict", overflow="fold", min_width=9)
    for each in rows:
        cells = (
            gate_words.benchmark(each),
            "" if each.metric == "status" else gate_words.metric(each.metric),
            _values(each),
            _change(each),
            f"{_SIGNS[each.outcome]} {gate_remedies.word(each)}",
        )
        table.add_row(*(Text(cell, style=_STYLES[each.outcome]) for cell in cells))
    return table


def _values(finding: Finding) -> str:
    """Both values under one unit; of an exact count every digit."""
    base, new = gate_words.finite(finding.base), gate_words.finite(finding.new)
    if finding.exact:
        unit = "" if finding.unit == "FLOP" else finding.unit  # the metric's name says it
        return f"{gate_words.counted(base, '')} → {gate_words.counted(new, unit)}"
    if base is None or new is None:
        return "" if base is None and new is None else f"{quantity(base, finding.unit)} → {quantity(new, finding.unit)}"
    factor, name = scale([base, new], finding.unit)
    return labels.unbroken(f"{digits(base / factor)} → {digits(new / factor)} {name}".strip())


def _change(finding: Finding) -> str:
    """The change with its bounds, all in percent; of a count by how many."""
    if finding.exact:
        if finding.base is None or finding.new is None:
            return ""
        return f"{finding.new - finding.base:+,.10g}"
    ratio, low, high = (gate_words.usable(value) for value in (finding.ratio, finding.low, finding.high))
    if ratio is None:
        return ""
    if low is None or high is None:
        return _percent(ratio)
    return labels.unbroken(f"{_percent(ratio)} [{_percent(low)}, {_percent(high)}]")


def _percent(ratio: float) -> str:
    return gate_words.percent(ratio).removesuffix(" %")


def _legend(findings: Sequence[Finding]) -> str:
    """What the signs and bounds mean, and how many counts are equal."""
    measured = [each for each in findings if not each.exact and each.low is not None]
    equal = [each for each in findings if each.code == "exact_equal"]
    same = [each for each in findings if _quiet(each) and each not in equal]
    lines = ["✗ fails, ? cannot tell, ✓ passes; without a sign: not limited."] if findings else []
    if measured:
        lines.append(f"In brackets the bounds of the change, each sure at {100 * measured[0].confidence:.4g} %.")
    if told := [each.resolved for each in measured if each.limit is not None and each.resolved]:
        best, worst = gate_words.share(min(told)), gate_words.share(max(told))
        lines.append(f"Resolution: {best if best == worst else f'{best} to {worst}'}; smaller changes cannot be told.")
    if equal:
        lines.append(f"{labels.count(len(equal), 'exact count')} equal: {_names(equal)}.")
    if same:
        lines.append(f"{labels.count(len(same), 'figure')} without a limit the same: {_names(same)}.")
    return "\n".join(lines)


def _names(findings: Sequence[Finding]) -> str:
    return ", ".join(dict.fromkeys(gate_words.metric(each.metric) for each in findings))


def _sentences(rows: Sequence[Finding]) -> list[str]:
    """One for each that did not pass; one for all of those that have the same trouble, where they are many."""
    troubled = [each for each in rows if each.outcome in {"fail", "inconclusive"}]
    groups: dict[tuple[str, str], list[Finding]] = {}
    for each in troubled:
        groups.setdefault((each.metric, each.code), []).append(each)
    lines = []
    for members in groups.values():
        if len(members) <= _MOST_ALONE:
            lines += [gate_remedies.sentence(each) for each in members]
        else:
            lines.append(f"{gate_remedies.sentence(members[0])} (So are {len(members) - 1} others.)")
    return lines
