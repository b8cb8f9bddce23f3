"""Markdown for the summary of a GitHub Actions job ($GITHUB_STEP_SUMMARY), which also serves as a comment."""

from collections.abc import Sequence

from bench.units import duration, quantity
from reports import gate_words
from reports.comparison import Comparison, Finding
from reports.render_markdown import escape

DESCRIPTION = "Markdown for $GITHUB_STEP_SUMMARY: the answer, then the worst, then everything folded away"
#: Written behind what the file holds.
APPENDS = True

#: Rows that stand open, and rows in all: GitHub takes 1 MiB a step, and a row is less than 1 KiB.
_OPEN, _MOST = 20, 800
_HEADS = {"fail": "regression", "inconclusive": "cannot tell", "pass": "no regression", "ungated": "compared"}


def render(comparison: Comparison) -> str:
    """The summary: headline, what to do, the worst rows, and all rows in a folded part."""
    rows = [each for each in gate_words.worst_first(comparison.findings) if not _equal(each)]
    equal = len(comparison.findings) - len(rows)
    open_ = [each for each in rows if each.outcome in ("fail", "inconclusive") or each.verdict == "faster"][:_OPEN]
    refused = comparison.refused is not None or not comparison.findings
    head = "not compared" if refused else _HEADS[comparison.outcome]
    parts = [
        f"## pinchpoint: {head}",
        escape(gate_words.answer(comparison)),
        escape(gate_words.remedy(comparison)),
        _table(open_),
        *(f"> {escape(gate_words.sentence(note))}" for note in comparison.notes),
        _folded(rows, equal),
        _sides(comparison),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _equal(finding: Finding) -> bool:
    return finding.exact and finding.code == "exact_equal"


def _table(findings: Sequence[Finding]) -> str:
    if not findings:
        return ""
    lines = [
        "| benchmark | metric | base | new | change | limit | verdict | why |",
        "|---|---|--:|--:|--:|--:|---|---|",
    ]
    return "\n".join([*lines, *map(_row, findings)])


def _row(finding: Finding) -> str:
    said = gate_words.verdict(finding)
    cells = (
        escape(gate_words.benchmark(finding)),
        escape(gate_words.metric(finding.metric)),
        escape(_value(finding.base, finding)),
        escape(_value(finding.new, finding)),
        escape(gate_words.difference(finding) if finding.exact else gate_words.change(finding)),
        "" if not finding.limit or finding.exact else gate_words.share(finding.limit),
        f"**{escape(said)}**" if finding.outcome == "fail" else escape(said),
        escape(gate_words.reason(finding)),
    )
    return f"| {' | '.join(cells)} |"


def _value(value: float | None, finding: Finding) -> str:
    if finding.exact:
        return gate_words.counted(value, finding.unit)
    return quantity(gate_words.finite(value), finding.unit)


def _folded(rows: Sequence[Finding], equal: int) -> str:
    said = [f"Exact counts that are equal, such as FLOPs or bytes: {equal:,}." if equal else ""]
    said += [f"{len(rows) - _MOST:,} more are left out here." if len(rows) > _MOST else ""]
    below = "\n\n".join(text for text in (_table(rows[:_MOST]), " ".join(said).strip()) if text)
    return f"<details>\n<summary>Everything that was compared</summary>\n\n{below}\n\n</details>" if below else ""


def _sides(comparison: Comparison) -> str:
    spent = "" if comparison.spent_s is None else f", in {duration(comparison.spent_s)}"
    how = "measured in turns" if comparison.how == "ab" else "read from two stores"
    return (
        f"{escape(gate_words.side(comparison.new))} against {escape(gate_words.side(comparison.base))}, {how}{spent}."
    )
