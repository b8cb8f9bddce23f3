"""Two sides compared: the gate's answer, every change with its bounds, and what differs between the sides."""

from bench.gate import ALPHA, MARGIN
from bench.units import duration
from reports import gate_words
from reports.comparison import Comparison
from reports.document import Bullets, Notice, Paragraph, Part, Section
from reports.sections import _comparison_tables
from reports.sections._comparison_figures import forests
from reports.study import Study

ORDER = 12

_TITLES = {"fail": "What to do about the regression", "inconclusive": "How to get a clear answer"}


def build(study: Study) -> Section | None:
    """None where nothing was compared. The latest comparison is shown in full, earlier ones by their answer."""
    if not study.comparisons:
        return None
    *earlier, latest = study.comparisons
    parts = (
        *_advice(latest),
        Paragraph(_between(latest)),
        *_comparison_tables.sides(latest),
        *forests(latest.findings),
        *_comparison_tables.by_metric(latest.findings),
        *_comparison_tables.counts(latest.findings),
        *_notes(latest),
        *_comparison_tables.earlier(earlier),
    )
    return Section("What the change did", gate_words.answer(latest), parts)


def _advice(comparison: Comparison) -> list[Part]:
    remedy = gate_words.remedy(comparison)
    if not remedy:
        return []
    refused = comparison.refused is not None
    title = "How to compare them" if refused else _TITLES[comparison.outcome]
    return [Notice(title, _cause(comparison), remedy)]


def _cause(comparison: Comparison) -> str:
    if comparison.refused is not None:
        return "Figures of different machines or versions differ for reasons that have nothing to do with the change."
    if comparison.outcome == "inconclusive":
        open_ = [each for each in comparison.findings if each.outcome == "inconclusive"]
        if all(each.low is None for each in open_):
            return "What was measured is too little for any bound: the reason stands beside each figure."
        return "The bounds still reach from the margin to the limit, so neither a regression nor its absence is shown."
    if any(each.outcome == "fail" and each.low is not None for each in comparison.findings):
        chance = f"chance does that in {100 * ALPHA:g} % of runs at most"
        return f"The bounds of what got worse lie wholly beyond the margin, which is {MARGIN:g} of the limit; {chance}."
    return "No noise is in this: a benchmark has gone or fails, or a count has grown."


def _between(comparison: Comparison) -> str:
    how = "measured in turns" if comparison.how == "ab" else "read from two stores"
    spent = "" if comparison.spent_s is None else f" in {duration(comparison.spent_s)}"
    new, base = gate_words.side(comparison.new), gate_words.side(comparison.base)
    return f"{new} against {base}, {how}{spent}. Changes are of the new side against the base."


def _notes(comparison: Comparison) -> list[Part]:
    if not comparison.notes:
        return []
    return [Bullets(tuple(("Note", gate_words.sentence(note)) for note in comparison.notes))]
