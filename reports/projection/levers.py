"""What the decision hangs on: the value of an assumption, a price or a speed at which another option would be best.

All by likely values. An option can be had in two ways, owned and rented; all others stand against the best way by the
criterion. Where the other kind of way is the cheaper one now, what would turn that round is told too.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bench import units
from reports.projection.answers import Assumptions, Draws, Lever, Option
from reports.projection.ranking import Criterion, figure
from reports.projection.ways import Ways, crossings, ways

MOST = 5
#: Assumption -> how a value of it is said, the least and the most that it may be (no site is at a PUE above 3).
_SAID: dict[str, tuple[str, float, float]] = {
    "utilization": ("{value} utilization", 0.0, 1.0),
    "electricity_per_kWh": ("{value} {currency} per kWh of electricity", 0.0, np.inf),
    "life_years": ("{value} years of life", 0.0, np.inf),
    "PUE": ("a PUE of {value}", 1.0, 3.0),
}
_ANY = (0.0, np.inf)
#: A smaller share of the doubt is not worth a sentence.
_TOLD = 0.05


def levers(
    options: Sequence[Option],
    assumptions: Assumptions,
    criterion: Criterion,
    demand_tokens_per_s: float | None = None,
) -> tuple[Lever, ...]:
    """At most five, the smallest relative change first; nothing where fewer than two can be compared.

    Of the options that meet what is asked. By energy and speed, no assumption of money decides.
    """
    able = [option for option in options if option.meets]
    if criterion in {"energy", "speed"}:
        found = _by_figure(able, criterion)
    else:
        known = ways(able, assumptions, demand_tokens_per_s)
        found = _by_cost(known, criterion == "owned cost") if known else []
    return tuple(sorted(found, key=lambda lever: abs(lever.change or 0.0))[:MOST])


def _by_cost(known: Ways, owning: bool) -> list[Lever]:
    now = known.costs(known.assumptions)
    same = np.flatnonzero(known.owned == owning)
    if not same.size:
        return []
    best = int(same[np.argmin(now[same])])
    dearer, cheaper = np.flatnonzero(now > now[best]), np.flatnonzero(now < now[best])
    found = _by_assumption(known, best, cheaper, wins=True) if cheaper.size else []
    if dearer.size:
        found += _by_assumption(known, best, dearer, wins=False)
        found += _by_price(known, best, dearer, now)
    others = dearer[~known.of(known.options[best])[dearer]]
    return found + (_by_speed(known, best, others, now) if others.size else [])


def _by_assumption(known: Ways, best: int, rivals: NDArray[np.intp], *, wins: bool) -> list[Lever]:
    found = []
    for name, (said, least, most) in _SAID.items():
        present = float(getattr(known.assumptions, name))
        if present <= 0:
            continue

        def costs(values: Draws, name: str = name) -> Draws:
            return known.at(name, values)

        for value, other in crossings(costs, present, (least, most), best, rivals):
            shown = said.format(value=_digits(value), currency=known.assumptions.currency)
            first, second = (best, other) if wins else (other, best)
            sentence = (
                f"{'Above' if value > present else 'Below'} {shown} {_way(known, first)} is cheaper than "
                f"{_way(known, second)} (now {_digits(present)})."
            )
            found.append(Lever(name, sentence, value / present - 1))
    return found


def _by_price(known: Ways, best: int, dearer: NDArray[np.intp], now: Draws) -> list[Lever]:
    """The price of the second best, were it lower, and that of the best, were it higher."""
    second = int(dearer[np.argmin(now[dearer])])
    found = []
    for way, rivals in ((second, np.array([second])), (best, dearer)):
        mask = known.priced_as(way)

        def costs(values: Draws, mask: NDArray[np.bool_] = mask) -> Draws:
            return known.costs(known.assumptions, price=_only(mask, values))

        for factor, other in crossings(costs, 1.0, _ANY, best, rivals):
            device = known.options[way].outlook.candidate.device.name
            price, per = known.unit_price[way], "to buy" if known.owned[way] else "an hour to rent"
            sentence = (
                f"If the {device} cost {'less' if factor < 1 else 'more'} than {_digits(price * factor)} "
                f"{known.assumptions.currency} {per} (now {_digits(price)}), {_way(known, other)} would be cheaper "
                f"than {_way(known, best)}."
            )
            found.append(Lever(f"price of {device}", sentence, factor - 1))
    return found


def _by_speed(known: Ways, best: int, others: NDArray[np.intp], now: Draws) -> list[Lever]:
    """The speed of the runner-up, were it higher, and that of the best, were it lower."""
    second = int(others[np.argmin(now[others])])
    doubts = _shares_of_doubt(known, best, second)
    found = []
    for way, doubt, rivals in ((second, doubts[1], np.array([second])), (best, doubts[0], others)):
        option = known.options[way]
        mask = known.of(option)

        def costs(values: Draws, mask: NDArray[np.bool_] = mask) -> Draws:
            return known.costs(known.assumptions, speed=_only(mask, values))

        label, speed = option.outlook.candidate.label, known.tokens_per_s[way]
        projected = units.quantity(speed, "tokens/s")
        for factor, other in crossings(costs, 1.0, _ANY, best, rivals):
            turned = f"{'less' if factor < 1 else 'more'} than {units.quantity(speed * factor, 'tokens/s')}"
            sentence = (
                f"If {_the(option)} generated {turned} (projected: {projected}), {_way(known, other)} would be "
                f"cheaper than {_way(known, best)}."
            )
            if doubt is not None and doubt >= _TOLD:
                sentence += f" Of the doubt about the difference, {doubt:.0%} comes from it."
            found.append(Lever(f"speed of {label}", sentence, factor - 1))
    return found


def _shares_of_doubt(known: Ways, best: int, second: int) -> tuple[float | None, float | None]:
    """Whose cost makes how much of the variance of the difference between the two: together 1.

    cov(a, a - b) and -cov(b, a - b) add up to var(a - b), also where the two depend on each other.
    """
    told = [figure(known.options[way], "owned cost" if known.owned[way] else "rented cost") for way in (best, second)]
    if not all(told) or len({each.draws.size for each in told if each}) > 1:
        return None, None
    one, other = (each.draws for each in told if each)
    difference = one - other
    variance = float(np.var(difference))
    if not variance > 0:
        return None, None
    share = float(np.mean((one - one.mean()) * (difference - difference.mean()))) / variance
    share = min(max(share, 0.0), 1.0)
    return share, 1 - share


def _by_figure(options: Sequence[Option], criterion: Criterion) -> list[Lever]:
    """Energy and speed: how wrong the projection of the first or the second would have to be."""
    told = [(figure(option, criterion), _the(option)) for option in options]
    known = [(each.likely, label) for each, label in told if each and each.kind == "estimate"]
    if len(known) <= 1:
        return []
    (first, best), (second, runner) = sorted(known, reverse=criterion == "speed")[:2]
    what, unit = ("generated", "tokens/s") if criterion == "speed" else ("used", "J")
    ahead = "faster" if criterion == "speed" else "more frugal"
    a_token = "" if criterion == "speed" else " a token"
    return [
        Lever(
            f"{criterion} of {label.removeprefix('the ')}",
            f"If {label} {what} {'less' if value < now else 'more'} than {units.quantity(value, unit)}{a_token} "
            f"(projected: {units.quantity(now, unit)}), {runner} would be {ahead} than {best}.",
            value / now - 1,
        )
        for label, now, value in ((best, first, second), (runner, second, first))
        if now > 0
    ]


def _way(known: Ways, way: int) -> str:
    """`owning the NVIDIA H100`, `renting 4 x NVIDIA L40S`."""
    return f"{'owning' if known.owned[way] else 'renting'} {_the(known.options[way])}"


def _the(option: Option) -> str:
    candidate = option.outlook.candidate
    return f"the {candidate.label}" if candidate.devices == 1 else candidate.label


def _only(mask: NDArray[np.bool_], values: Draws) -> Draws:
    """Factors, values x ways: the value in the columns of `mask`, 1 elsewhere."""
    return np.where(mask, values[:, None], 1.0)


def _digits(value: float) -> str:
    return units.digits(value, 2 if value < 1 else 3)
