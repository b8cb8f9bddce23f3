"""From records to a document: every file in `reports/sections/` that has something to say, in its order."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.errors import UserError
from bench.record import Record
from model import plugins
from reports import gate_words, labels
from reports.comparison import Comparison
from reports.document import Document, Section
from reports.study import Study, study

if TYPE_CHECKING:
    from reports.projection.answers import Answer


def build(
    records: list[Record],
    title: str,
    comparisons: Sequence[Comparison] = (),
    past: Sequence[Record] = (),
    answer: "Answer | None" = None,
) -> Document:
    """The report over `records`, comparisons of two sides, all runs of the `past`, and the `answer` of a projection.

    A comparison or an answer can stand alone: sections about records then have nothing to say. Raises `UserError` where
    there is none of them.
    """
    if not records and not comparisons and answer is None:
        raise UserError("There is no record to report.", "Run `pinchpoint sweep` first, or name another store.")
    return document(study(records, comparisons, past, answer), title)


def document(studied: Study, title: str) -> Document:
    """The report over what was studied."""
    modules = [plugins.load("reports.sections", name) for name in plugins.names("reports.sections")]
    built: list[Section | None] = [m.build(studied) for m in sorted(modules, key=lambda m: int(m.ORDER))]
    return Document(labels.plain(title), _subtitle(studied), tuple(section for section in built if section))


def _subtitle(studied: Study) -> str:
    if not studied.records and not studied.comparisons:
        assert studied.answer is not None
        return f"{labels.plain(studied.answer.workload.model.name)} on hardware to buy or rent"
    if not studied.records:
        latest = studied.comparisons[-1]
        day = f", {labels.plain(latest.started_at)[:10]}" if latest.started_at else ""
        return f"{gate_words.side(latest.new)} against {gate_words.side(latest.base)}{day}"
    days = sorted(labels.plain(record.started_at)[:10] for record in studied.records)
    when = days[0] if days[0] == days[-1] else f"{days[0]} to {days[-1]}"
    if len(studied.hosts) > 1:
        where = labels.count(len(studied.hosts), "machine")
    else:
        facts = studied.hosts[0].facts
        where = labels.plain(facts.get("accelerator") or facts.get("cpu") or "an unnamed machine")
    return f"{labels.count(len(studied.records), 'configuration')} on {where}, {when}"
