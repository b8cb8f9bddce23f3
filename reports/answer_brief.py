"""A projection's answer in short lines for a terminal: what to buy, what it costs, how sure; and what stands below."""

from collections.abc import Iterator

from bench.units import digits
from reports import answer_words, labels
from reports.answer_words import told
from reports.projection.answers import Answer, Estimate, Option, Workload

#: What would change the decision: so many, those nearest to it first.
_LEVERS = 3
#: Options that miss what was asked are told so many at a time.
_MISSES = 3


def headline(answer: Answer) -> str:
    """What to buy or rent; or that nothing can be recommended, with the nearest."""
    best = answer_words.chosen(answer)
    return answer_words.recommendation(answer) if best is None else answer_words.what(answer, best)


def facts(answer: Answer) -> list[tuple[str, str]]:
    """What it is for, does, costs and draws, and how sure that is; the first alone where nothing is recommended."""
    best, work = answer_words.chosen(answer), ("for", _work(answer.workload))
    if best is None:
        return [work]
    outlook, cost = best.outlook, best.cost
    fleet = Estimate(outlook.tokens_per_s.draws * cost.replicas, "tokens/s", outlook.tokens_per_s.kind)
    wanted = answer.workload.demand_tokens_per_s
    asked = f"; asked for: {answer_words.si(wanted, 'tokens/s')}" if wanted else ""
    found = [work, ("does", f"{told(fleet, 'tokens/s')}{asked}"), ("costs", _costs(answer, best))]
    if cost.power_kW is not None:
        a_month = "" if cost.energy_kWh_month is None else f"; {told(cost.energy_kWh_month, 'kWh')} a month"
        found.append(("draws", f"{told(cost.power_kW, 'kW')}{a_month}"))
    found.append(("sure", _sure(answer, best)))
    ties = [answer_words.name(each) for each in answer_words.tied(answer, best)]
    if ties:
        found.append(("tied", f"cannot be told apart from {answer_words.some(ties)}"))
    return found


def lists(answer: Answer) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Headings and their lines: what would change it, what misses the limits, what was refused, and the notes."""
    if answer.levers:
        yield "What would change it", tuple(answer_words.sentence(each.sentence) for each in answer.levers[:_LEVERS])
    best = answer_words.chosen(answer)
    missing = [option for option in answer.options if not option.meets]
    if missing and (best is not None or len(missing) > 1):
        yield "Misses what was asked", tuple(_missed(missing))
    if answer.refusals:
        reasons = answer_words.refused(answer)
        yield "Refused", tuple(f"{answer_words.some(names)}: {reason}" for reason, names in reasons.items())
    if answer.notes:
        yield "Notes", tuple(answer_words.sentence(note) for note in answer.notes)


def _missed(missing: list[Option]) -> Iterator[str]:
    for option in missing[:_MISSES]:
        misses = "; ".join(labels.plain(miss).rstrip(".") for miss in option.misses) or "what was asked"
        yield f"{answer_words.name(option)}: {misses}."
    if len(missing) > _MISSES:
        yield f"And {len(missing) - _MISSES} more."


def _work(workload: Workload) -> str:
    """`Llama-3.1-8B, weights fp16, cache fp16, vllm; 70 % chat (512x256), 30 % summarize (2048x128)`."""
    uses = [
        (f"{100 * use.share:.3g} % " if len(workload.uses) > 1 else "")
        + (
            f"{labels.plain(use.name)} ({lengths})"
            if (lengths := f"{use.prompt}x{use.output}") != use.name
            else lengths
        )
        for use in workload.uses
    ]
    parts = [
        labels.plain(workload.model.name),
        f"weights {labels.plain(workload.weights)}",
        f"cache {labels.plain(workload.kv)}",
        labels.plain(workload.engine or "any engine"),
    ]
    return f"{', '.join(parts)}; {', '.join(uses)} tokens"


def _costs(answer: Answer, best: Option) -> str:
    cost, currency = best.cost, labels.plain(answer.assumptions.currency)
    ways = answer_words.per_Mtoken(cost, currency)
    if not ways:
        return f"not known: {answer_words.why_no_price(best)}"
    parts = [f"{' or '.join(ways)} a million tokens"]
    if cost.capital is not None:
        parts.append(f"{labels.unbroken(f'{digits(cost.capital)} {currency}')} to buy")
    if cost.break_even_months is not None:
        parts.append(f"pays for itself in {told(cost.break_even_months, 'months')}")
    return "; ".join(parts)


def _sure(answer: Answer, best: Option) -> str:
    trust = best.outlook.trust
    reason = f" ({labels.plain(trust.reasons[0]).rstrip('.')})" if trust.reasons else ""
    percent = answer_words.percent_best(answer, best)
    chance = f"; the best in {percent} of the draws" if percent else ""
    return f"{trust.label}, {answer_words.CONFIDENCE[trust.label]}{reason}{chance}"
