"""Pictures of a projection's options: cost against speed, and costs with their ties."""

from dataclasses import dataclass

from reports import answer_words, labels, plots_procurement, tables
from reports.document import Figure
from reports.plots_procurement import MOST_LABELS, Choice
from reports.projection.answers import Answer, Estimate, Option

#: Rows of the plot of costs; the table has them all.
_MOST_ROWS = 16


@dataclass(frozen=True)
class _Measure:
    """What is drawn as the cost: its name, and the option's estimate of it."""

    name: str
    of: str


def figures(answer: Answer) -> tuple[Figure, ...]:
    """Both pictures; none where fewer than two options have estimates that can be compared."""
    measure = _measure(answer)
    drawn = [each for each in answer.options if _cost(each, measure) and _is_estimate(each.outlook.tokens_per_s)]
    if len(drawn) < 2:
        return ()
    choices = [_choice(each, drawn, measure) for each in drawn]
    return _trade(choices, measure), _costs(choices, measure)


def _measure(answer: Answer) -> _Measure:
    """What the options are ranked by, where they have it; else money, else energy."""
    currency = labels.plain(answer.assumptions.currency)
    known = {
        "owned cost": _Measure(f"{currency} per million tokens, owned", "owned_per_Mtoken"),
        "rented cost": _Measure(f"{currency} per million tokens, rented", "rented_per_Mtoken"),
        "energy": _Measure("J per generated token", "joules_per_token"),
    }
    order = [known[key] for key in (answer.criterion, *known) if key in known]
    return max(order, key=lambda each: sum(_cost(option, each) is not None for option in answer.options) > 1)


def _cost(option: Option, measure: _Measure) -> Estimate | None:
    holder = option.outlook if measure.of == "joules_per_token" else option.cost
    found = getattr(holder, measure.of)
    return found if isinstance(found, Estimate) and _is_estimate(found) else None


def _is_estimate(found: Estimate) -> bool:
    return found.kind == "estimate" and found.low > 0 and found.high < float("inf")


def _choice(option: Option, among: list[Option], measure: _Measure) -> Choice:
    cost = _cost(option, measure)
    assert cost is not None
    speed = option.outlook.tokens_per_s
    beaten = not option.meets or any(other.meets and _beats(other, option, measure) for other in among)
    bounds = (speed.low, speed.likely, speed.high), (cost.low, cost.likely, cost.high)
    return Choice(answer_words.short(option), *bounds, option.rank, not beaten)


def _beats(one: Option, other: Option, measure: _Measure) -> bool:
    """No slower and no dearer by the medians, and better in one of them."""
    mine, theirs = _cost(one, measure), _cost(other, measure)
    assert mine is not None
    assert theirs is not None
    faster = one.outlook.tokens_per_s.likely - other.outlook.tokens_per_s.likely
    saves = theirs.likely - mine.likely
    return faster >= 0 and saves >= 0 and (faster > 0 or saves > 0)


def _trade(choices: list[Choice], measure: _Measure) -> Figure:
    title = "Cost against speed"
    svg = plots_procurement.trade(title, choices, "speed of a replica, tokens/s", measure.name)
    unnamed = len(choices) - MOST_LABELS
    words = (
        "Fast and cheap is below on the right. Lines through the marks are 90 % intervals. Blue, joined by steps: the "
        "Pareto front, those that no other option beats in both cost and speed, as far as the likely values tell."
    )
    words += f" {labels.count(unnamed, 'mark is', 'marks are')} unnamed, for room." if unnamed > 0 else ""
    rows = [[each.label, *_cells(each), "yes" if each.on_front else "no"] for each in choices]
    heads = ["device", "speed, tokens/s", measure.name, "on the front"]
    alt = f"Scatter plot of cost against speed for {labels.count(len(choices), 'option')}."
    return Figure(svg, alt, words, tables.simple(title, heads, rows))


def _costs(choices: list[Choice], measure: _Measure) -> Figure:
    title = "Costs and their ties"
    shown = sorted(choices, key=lambda each: (each.rank or len(choices) + 1, each.cost[1]))[:_MOST_ROWS]
    svg = plots_procurement.costs(title, shown, measure.name)
    words = (
        "Bars are 90 % intervals. Options of one colour and mark share a rank: they cannot be told apart. Dashed: the "
        "interval of the first."
    )
    left = len(choices) - len(shown)
    words += f" {labels.count(left, 'option')} of lower rank left out, for room." if left else ""
    rows = [[str(each.rank or "—"), each.label, _cells(each)[1]] for each in shown]
    alt = f"Costs of {labels.count(len(shown), 'option')} with their intervals."
    return Figure(svg, alt, words, tables.simple(title, ["rank", "device", measure.name], rows))


def _cells(choice: Choice) -> tuple[str, str]:
    (low, likely, high), (least, cost, most) = choice.speed, choice.cost
    return tuple(tables.cell((b, a, c), 1, "plain").text for a, b, c in ((low, likely, high), (least, cost, most)))  # type: ignore[return-value]
