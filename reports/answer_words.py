"""A projection's answer in words: what the page and the terminal say alike."""

import re
from collections.abc import Sequence
from typing import Final

import numpy as np

from bench.units import digits, scale
from reports import labels
from reports.projection import demand
from reports.projection.answers import Answer, Confidence, Cost, Draws, Estimate, Fit, Option

CONFIDENCE: Final[dict[Confidence, str]] = {
    "measured": "measured on this device",
    "interpolated": "between devices that were measured",
    "extrapolated": "beyond what was measured",
    "bounds": "limits of physics alone",
}
#: Before a value that is no estimate.
SIGNS: Final = {"estimate": "", "at_most": "≤ ", "at_least": "≥ "}
#: Units that take no prefix.
_UNSCALED = ("tokens/s", "kWh", "kW", "kg", "month", "months")
#: Owned and rented are told apart where so many of the draws agree.
_SURE = 0.95
#: How `reports.projection.memory` says that a model does not fit, and how a label counts devices.
_TOO_LITTLE = re.compile(r"(?P<size>[\d.,]+ [kMGTP]?i?B) too little")
_COUNTED = re.compile(r"^\d+ x ")
#: Names in a sentence; further ones are counted.
_MOST_NAMED = 4


def name(option: Option) -> str:
    """The candidate's label on one line."""
    return labels.plain(option.outlook.candidate.label)


def short(option: Option) -> str:
    """The label without the vendor's name, for pictures: `2 x L40S`."""
    candidate = option.outlook.candidate
    device = labels.plain(candidate.device.name)
    bare = device.removeprefix(f"{labels.plain(candidate.device.vendor)} ")
    return bare if candidate.devices == 1 else f"{candidate.devices} x {bare}"


def figure(estimate: Estimate, factor: float = 1.0) -> str:
    """`12.3 [11.9, 12.8]` with its 90 % interval, or `≤ 12.3`, divided by `factor`, without its unit."""
    likely, low, high = (value / factor for value in (estimate.likely, estimate.low, estimate.high))
    if not np.isfinite(likely):
        return "never"
    if estimate.kind != "estimate" or low == high:
        return SIGNS[estimate.kind] + digits(likely)
    return _bracketed(likely, low, high)


def _bracketed(likely: float, low: float, high: float) -> str:
    """Three digits each, four where a bound would else read as the value. A line may end before the bracket alone.

    Without an interval where even four digits do not tell its ends apart.
    """
    text = ""
    for significant in (3, 4):
        middle, *bounds = (digits(value, significant) for value in (likely, low, high))
        text = f"{middle} [{bounds[0]},\u00a0{bounds[1]}]"
        if middle not in bounds:
            break
    return middle if set(bounds) == {middle} else text


def scaled(values: Sequence[Estimate], unit: str) -> tuple[float, str]:
    """The divisor and the name of the unit under which all of `values` read well.

    Rates of tokens, money and kWh take no prefix: whoever decides thinks in thousands.
    """
    if unit in _UNSCALED or (unit.isupper() and len(unit) > 1):
        return 1.0, unit
    # a bound may be far from all that is estimated
    estimated = [value for value in values if value.kind == "estimate"]
    return scale([value.likely for value in estimated or values], unit)


def told(estimate: Estimate, unit: str) -> str:
    """A figure for a sentence, `12.3 ms [11.9 to 12.8]`; `unit` is SI or a currency."""
    factor, named = scaled([estimate], unit)
    middle, _, bounds = figure(estimate, factor).partition(" [")
    middle = middle.replace("≤", "at most").replace("≥", "at least")
    interval = labels.unbroken(f"[{bounds}".replace(",\u00a0", " to ")) if bounds else ""
    return f"{labels.unbroken(f'{middle} {named}')} {interval}".rstrip()


def si(value: float, unit: str) -> str:
    """What a user set, as round as it is, with its unit, unbroken: `50 ms`."""
    factor, named = scaled([Estimate(np.array([value]), unit)], unit)
    return labels.unbroken(f"{value / factor:,.6g} {named}")


def fits(fit: Fit) -> str:
    """`fits: 41.0 of 96.0 GiB`, or by how much it does not."""
    factor, unit = scale([fit.need_B], "B")
    if fit.fits:
        return labels.unbroken(f"{digits(fit.need_B / factor)} of {digits(fit.have_B / factor)} {unit}")
    return f"no: {labels.unbroken(f'{digits((fit.need_B - fit.have_B) / factor)} {unit}')} too little"


def some(names: Sequence[str]) -> str:
    """The first few of `names` as a list in a sentence."""
    shown = list(names[:_MOST_NAMED])
    rest = len(names) - len(shown)
    return labels.listed([*shown, *([f"{rest} more"] if rest else [])])


def refused(answer: Answer) -> dict[str, list[str]]:
    """What was refused, by reason. Devices that lack memory stand together, with how much, the nearest first."""
    found: dict[str, list[str]] = {}
    small: list[tuple[float, str]] = []
    for refusal in answer.refusals:
        label, reason = labels.plain(refusal.label), labels.plain(refusal.reason)
        lacking = _TOO_LITTLE.match(reason)
        if lacking:
            doubt = ", too close to tell" if "too close to tell" in reason else ""
            small.append((_size(lacking["size"]), f"{label} ({labels.unbroken(lacking['size'])}{doubt})"))
        else:
            # a reason that names its device would stand alone
            bare = _COUNTED.sub("", label)
            found.setdefault(sentence(reason.replace(bare, "it") if bare else reason), []).append(label)
    if small:
        found["Too little memory, by the amount in brackets."] = [name for _, name in sorted(small)]
    return found


def _size(text: str) -> float:
    number, unit = text.replace(",", "").split()
    return float(number) * 1000.0 ** " kMGTP".index(unit[0] if unit[0] in "kMGTP" else " ")


def chosen(answer: Answer) -> Option | None:
    """The first option that does what was asked; None where none does."""
    return next((option for option in answer.options if option.meets), None)


def tied(answer: Answer, best: Option) -> list[Option]:
    """Those that cannot be told apart from `best`."""
    return [each for each in answer.options if each is not best and each.meets and each.rank == best.rank]


def recommendation(answer: Answer) -> str:
    """What to buy or rent, what it does and costs, and how sure that is, in one paragraph."""
    best = chosen(answer)
    if best is None:
        return _nothing(answer)
    parts = [what(answer, best), _does(answer, best), *_costs(answer, best), _sure(answer, best)]
    parts += _ties(answer, best)
    hangs = [f"The decision hangs on this: {sentence(answer.levers[0].sentence)}"] if answer.levers else []
    return " ".join([*parts, *hangs])


def sentence(text: str) -> str:
    """One line with a full stop at its end."""
    clean = labels.plain(text)
    return clean if clean.endswith((".", "!", "?", "…")) else f"{clean}."


def _nothing(answer: Answer) -> str:
    if not answer.options:
        many = len(answer.refusals)
        return f"Nothing can be recommended: {f'all {many} devices are' if many > 1 else 'the device is'} refused."
    nearest = demand.nearest(answer.options, answer.workload)
    misses = "; ".join(labels.plain(miss).rstrip(".") for miss in nearest.misses) or "it misses the limits"
    return f"No device does what was asked. The nearest is {name(nearest)}, but: {misses}."


def what(answer: Answer, best: Option) -> str:
    """`Buy 2 × NVIDIA L40S, the best of 12 by owned cost.`"""
    count = best.cost.devices
    device = labels.plain(best.outlook.candidate.device.name)
    many = f"{count:,} × {device}" if count > 1 else f"one {device}"
    if best.outlook.trust.label == "bounds":
        return f"{many[:1].upper()}{many[1:]} may do, but only limits are known of it, no estimate."
    verb = {"buy": "Buy", "rent": "Rent", "either": "Buy or rent", "neither": "Take"}[way(best)]
    each = best.outlook.candidate.devices
    groups = f", {labels.count(best.cost.replicas, 'replica')} of {each:,}" if each > 1 and count > each else ""
    because = f", the best of {len(answer.options)} by {answer.criterion}" if len(answer.options) > 1 else ""
    return f"{verb} {many}{groups}{because}."


def way(option: Option) -> str:
    """`buy` or `rent`, whichever is cheaper in 95 % of the draws, else `either`; `neither` where no price is known."""
    owned, rented = option.cost.owned_per_Mtoken, option.cost.rented_per_Mtoken
    if owned is None or rented is None:
        return "buy" if owned is not None else "rent" if rented is not None else "neither"
    cheaper = float(np.mean(owned.draws < rented.draws))
    if cheaper >= _SURE:
        return "buy"
    return "rent" if cheaper <= 1 - _SURE else "either"


def _does(answer: Answer, best: Option) -> str:
    outlook = best.outlook
    fleet = Estimate(outlook.tokens_per_s.draws * best.cost.replicas, "tokens/s", outlook.tokens_per_s.kind)
    wanted_rate = answer.workload.demand_tokens_per_s
    wanted = f", where {si(wanted_rate, 'tokens/s')} are asked for" if wanted_rate else ""
    first = f"the first token of an answer comes after {told(outlook.ttft_s, 's')}{_limit(answer.workload.ttft_s)}"
    further = f"each further one after {told(outlook.tpot_s, 's')}{_limit(answer.workload.tpot_s)}"
    return (
        f"That generates {told(fleet, 'tokens/s')} with {labels.count(outlook.batch, 'request')} at a time on each "
        f"replica{wanted}; {first}, and {further}."
    )


def _limit(limit_s: float | None) -> str:
    return "" if limit_s is None else f" (limit: {si(limit_s, 's')})"


def _costs(answer: Answer, best: Option) -> list[str]:
    cost, currency = best.cost, labels.plain(answer.assumptions.currency)
    ways = per_Mtoken(cost, currency)
    if not ways:
        return ["What it costs is not known: " + why_no_price(best) + "."]
    purchase = (
        "" if cost.capital is None or way(best) == "rent" else labels.unbroken(f"{digits(cost.capital)} {currency}")
    )
    capital = f"; the purchase is {purchase}" if purchase else ""
    power = "" if cost.power_kW is None else f", and it draws {told(cost.power_kW, 'kW')}"
    text = [f"A million tokens cost {' or '.join(ways)}{capital}{power}."]
    if cost.break_even_months is not None:
        text.append(_break_even(cost.break_even_months))
    elif len(ways) > 1 and "break_even_months" in cost.missing:
        reason = labels.plain(cost.missing["break_even_months"])
        text.append(sentence(reason[:1].upper() + reason[1:]))
    return text


def _break_even(months: Estimate) -> str:
    if not np.isfinite(months.likely):
        return "Buying never pays for itself against renting."
    return f"Buying pays for itself against renting after {told(months, 'months')}."


def per_Mtoken(cost: Cost, currency: str) -> list[str]:
    """What a million tokens cost, owned and rented, as far as either is known."""
    return [
        f"{told(each, currency)} {verb}"
        for each, verb in ((cost.owned_per_Mtoken, "owned"), (cost.rented_per_Mtoken, "rented"))
        if each is not None
    ]


def why_no_price(option: Option) -> str:
    """Why neither buying nor renting has a cost."""
    told = (option.cost.missing.get(name) for name in ("owned_per_Mtoken", "rented_per_Mtoken"))
    return "; ".join(labels.plain(reason).rstrip(".") for reason in told if reason) or "no price is known"


def _sure(answer: Answer, best: Option) -> str:
    trust = best.outlook.trust
    reasons = "; ".join(labels.plain(reason).rstrip(".") for reason in trust.reasons[:2])
    percent = percent_best(answer, best)
    chance = f" In {percent} of the draws it is the best by {answer.criterion}." if percent else ""
    return f"How sure: {trust.label}, that is {CONFIDENCE[trust.label]}{f' ({reasons})' if reasons else ''}.{chance}"


def percent_best(answer: Answer, best: Option) -> str:
    """`share_best` in words; empty where it is None."""
    share = share_best(answer, best)
    return "" if share is None else "over 99 %" if share > 0.995 else f"{100 * share:.0f} %"


def share_best(answer: Answer, best: Option) -> float | None:
    """The share of draws in which none that does what was asked is better than `best` by the criterion.

    None where it has no rival, or where only bounds are known.
    """
    rivals = [_loss(answer, each) for each in answer.options if each.meets and each is not best]
    known = [each for each in rivals if each is not None]
    mine = _loss(answer, best)
    if mine is None or not known:
        return None
    return float(np.mean(np.all([mine <= rival for rival in known], axis=0)))


def _loss(answer: Answer, option: Option) -> Draws | None:
    """What the criterion makes small, as draws."""
    found = {
        "owned cost": option.cost.owned_per_Mtoken,
        "rented cost": option.cost.rented_per_Mtoken,
        "energy": option.outlook.joules_per_token,
        "speed": option.outlook.tokens_per_s,
    }[answer.criterion]
    if found is None or found.kind != "estimate":
        return None
    return -found.draws if answer.criterion == "speed" else found.draws


def _ties(answer: Answer, best: Option) -> list[str]:
    others = tied(answer, best)
    if not others:
        return []
    names = some([name(other) for other in others])
    return [f"It cannot be told apart from {names}: none is better than another in 95 % of the draws."]
