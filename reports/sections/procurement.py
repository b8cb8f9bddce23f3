"""What to buy or rent: the recommendation, what each option does and costs, on which assumptions, and what decides."""

from reports import answer_words, labels
from reports.document import Bullets, Notice, Paragraph, Part, Section
from reports.projection.answers import Answer
from reports.sections import _procurement_figures, _procurement_inputs, _procurement_tables
from reports.study import Study

ORDER = 2

_TERMS = (
    "TTFT is the time to the first token of an answer, TPOT the time per output token after it. A replica is one copy "
    "of the model, on one device or on several that share the work; its speed counts generated tokens, with the time "
    "of the prompts in it. Batch is how many requests it serves at a time. In brackets: 90 % intervals, outside which "
    "one value in ten falls. Options of one rank cannot be told apart."
)
_COSTS = (
    "Owned: purchase, power and hosting over the device's life. Rented: by the hour. Break-even is how many months of "
    "use it takes until a purchase has cost less than renting. Power is of all devices with their servers, at work; "
    "energy is of the whole site, idle hours and cooling included."
)
_CONFIDENCE = (
    "Confidence says how far a figure reaches: measured (on this very device), interpolated (between devices that were "
    "measured), extrapolated (beyond them), bounds (limits of physics alone, marked ≤ and ≥)."
)


def build(study: Study) -> Section | None:
    """None where nothing was projected."""
    answer = study.answer
    if answer is None:
        return None
    return Section(_title(answer), answer_words.recommendation(answer), tuple(_parts(answer)))


def _title(answer: Answer) -> str:
    return "What to buy or rent" if answer_words.chosen(answer) is not None else "Nothing to recommend"


def _parts(answer: Answer) -> list[Part]:
    refused = _procurement_tables.refusals(answer)
    parts: list[Part] = [Paragraph(_procurement_tables.asked(answer.workload))]
    if answer.options:
        parts += [Paragraph(f"{_TERMS} {_CONFIDENCE}"), _procurement_tables.speeds(answer)]
    parts += [refused] if refused is not None else []
    parts += _procurement_figures.figures(answer)
    parts += _unpriced(answer)
    if answer.options:
        parts += [Paragraph(_COSTS), _procurement_inputs.inputs(answer)]
    if answer.levers:
        parts.append(Paragraph("What would change the decision, the smallest change first:"))
        parts.append(Bullets(tuple((_head(each.name), answer_words.sentence(each.sentence)) for each in answer.levers)))
    if answer.notes:
        parts.append(Bullets(tuple(("Note", answer_words.sentence(note)) for note in answer.notes)))
    return parts


def _head(name: str) -> str:
    """`Life years` for `life_years`."""
    clean = labels.plain(name).replace("_", " ")
    return clean[:1].upper() + clean[1:]


def _unpriced(answer: Answer) -> list[Part]:
    """Said once where no option has a price."""
    priced = any(option.cost.owned_per_Mtoken or option.cost.rented_per_Mtoken for option in answer.options)
    if priced or not answer.options:
        return []
    return [
        Notice(
            "No price is known",
            f"The options are ranked by {answer.criterion}, without their cost.",
            "Give prices in a catalogue of your own, with their currency, date and source.",
        )
    ]
