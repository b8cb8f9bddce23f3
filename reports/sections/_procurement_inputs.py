"""What each option costs, beside the assumptions that a reader may change."""

from collections.abc import Sequence
from dataclasses import dataclass

from reports import labels
from reports.document import Cell, Column, Field, Inputs, Table
from reports.prices import Price
from reports.projection.answers import Answer, Assumptions, Estimate, Option
from reports.sections._procurement_formulas import NOT_IN_ITS_LIFE, buying, formulas, renting
from reports.sections._procurement_tables import NOTHING, cell, cells, identity

_NOTE = "Change any value: your browser computes the costs anew from a sample of the projection's draws."
_RANKS = (
    "It sorts and ranks the options by their likely cost: those not cheaper in 95 % of pairs of draws share a rank."
)
_REST = "What has only bounds stays as it is. Nothing is sent anywhere."
_MOST_REASONS = 4


@dataclass(frozen=True)
class _Assumed:
    """One of `Assumptions`: its name there, in words, its unit, the factor to it, and its bounds in that unit."""

    name: str
    label: str
    unit: str
    factor: float = 1
    low: float = 0
    high: float | None = None


_ASSUMED = (
    _Assumed("life_years", "life of a device", "years", low=0.1),
    _Assumed("utilization", "utilization: mean load over the life, of the projected rate", "%", 100, 0.1, 100),
    _Assumed("rented_utilization", "utilization of the hours paid, where rented on demand", "%", 100, 0.1, 100),
    _Assumed("electricity_per_kWh", "electricity", "{} per kWh"),
    _Assumed("PUE", "PUE: power of the site over that of its servers", "", low=1),
    _Assumed("hosting_per_kW_month", "hosting", "{} per kW and month"),
    _Assumed("system_share", "price of the rest of a server, over its devices", "%", 100),
    _Assumed("system_W_share", "power of the rest of a server, over its devices", "%", 100),
    _Assumed("idle_W_share", "power of an idle server, over that at work", "%", 100, 0, 100),
    _Assumed("grid_g_per_kWh", "CO2 of the grid", "g per kWh"),
)
#: Criterion -> figure of the costs by which the options are ranked anew.
_RANKED = {"owned cost": "owned_per_Mtoken", "rented cost": "rented_per_Mtoken"}


def inputs(answer: Answer) -> Inputs:
    """The assumptions, the prices, and the costs that follow from both."""
    fields = (("Assumptions", _assumptions(answer.assumptions)), ("Prices", _prices(answer.options)))
    values = {each.key: each.value for _, group in fields for each in group}
    names, results = _results(answer)
    places = {name: place for place, name in enumerate(names, start=2)}
    demand = answer.workload.demand_tokens_per_s
    rows = tuple(
        {places[name]: formula for name, formula in formulas(each, demand, values).items() if name in places}
        for each in answer.options
    )
    rank_by = places.get(_RANKED.get(answer.criterion, ""))
    ranked = tuple(place for place, option in enumerate(answer.options) if option.rank and option.meets)
    told = tuple(group for group in fields if group[1])
    return Inputs(
        told, results, rows, rank_by, ranked, " ".join([_NOTE, *([_RANKS] if rank_by is not None else []), _REST])
    )


def _assumptions(assumptions: Assumptions) -> tuple[Field, ...]:
    found = []
    for each in _ASSUMED:
        value = getattr(assumptions, each.name)
        if value is not None:
            # Six digits: 0.3 times 100 is 30, not what a computer makes of it.
            shown = float(f"{value * each.factor:.6g}")
            unit = each.unit.format(labels.plain(assumptions.currency))
            origin = "default" if value == getattr(Assumptions(), each.name) else "given"
            found.append(Field(each.name, each.label, shown, unit, origin, each.low, each.high))
    return tuple(found)


def _prices(options: Sequence[Option]) -> tuple[Field, ...]:
    """What each device costs to buy and to rent, once."""
    found: dict[str, Field] = {}
    for option in options:
        device = option.outlook.candidate.device.name
        for key, price in ((buying(device), option.cost.bought_at), (renting(device), option.cost.rented_at)):
            if price is not None:
                found.setdefault(key, _price(key, labels.plain(device), price))
    return tuple(found.values())


def _price(key: str, device: str, price: Price) -> Field:
    what = "buy" if price.per == "device" else "rent"
    origin = f"{price.kind}, {labels.plain(price.date)}"
    unit = f"{labels.plain(price.currency)} per {price.per}"
    return Field(key, f"{device}, to {what}", price.amount, unit, origin, 0)


def _results(answer: Answer) -> tuple[tuple[str, ...], Table]:
    """The names of its figures, after rank and device, and what each option costs."""
    options, currency = answer.options, labels.plain(answer.assumptions.currency)
    columns, named = identity(options)
    costs = [option.cost for option in options]
    money = f"{currency} per million tokens"
    drawn: dict[str, tuple[Column, list[Cell]]] = {
        "devices": (Column("devices", "right"), [_count(option) for option in options]),
        "owned_per_Mtoken": (Column(f"owned, {money}", "right"), [cell(each.owned_per_Mtoken) for each in costs]),
        "rented_per_Mtoken": (Column(f"rented, {money}", "right"), [cell(each.rented_per_Mtoken) for each in costs]),
        "break_even_months": (Column("break-even, months", "right"), [_break_even(each) for each in options]),
        "capital": (Column(f"purchase, {currency}", "right"), [_capital(each.capital) for each in costs]),
        "power_kW": cells([each.power_kW for each in costs], "kW", "power"),
        "energy_kWh_month": cells([each.energy_kWh_month for each in costs], "kWh", "energy a month"),
        "CO2_kg_month": cells([each.CO2_kg_month for each in costs], "kg", "CO2 a month"),
    }
    kept = {name: column for name, column in drawn.items() if any(each.text != NOTHING.text for each in column[1])}
    rows = tuple((*named[place], *(column[place] for _, column in kept.values())) for place in range(len(options)))
    heads = (*columns, *(head for head, _ in kept.values()))
    return tuple(kept), Table("What each option costs", heads, rows, _missing(options), wraps=True)


def _count(option: Option) -> Cell:
    count, each = option.cost.devices, option.outlook.candidate.devices
    groups = f" ({option.cost.replicas:,} × {each:,})" if each > 1 and count > each else ""
    return Cell(labels.unbroken(f"{count:,}{groups}"), sort=count)


def _capital(value: float | None) -> Cell:
    return NOTHING if value is None else cell(_certain(value))


def _certain(value: float) -> Estimate:
    import numpy as np

    return Estimate(np.array([value]), "")


def _break_even(option: Option) -> Cell:
    """A dash where a price is missing; words where both are known and owning does not pay."""
    cost = option.cost
    if cost.break_even_months is None and cost.owned_per_Mtoken is not None and cost.rented_per_Mtoken is not None:
        return Cell(NOT_IN_ITS_LIFE, emphasis="muted")
    return cell(cost.break_even_months)


def _missing(options: Sequence[Option]) -> str:
    """Why figures are missing, each reason once; that a grid was not given concerns all and is no news."""
    reasons = dict.fromkeys(
        labels.plain(reason).rstrip(".")
        for option in options
        for name, reason in option.cost.missing.items()
        if name not in ("CO2_kg_month", "break_even_months")
    )
    told = [reason[:1].upper() + reason[1:] for reason in reasons]
    rest = len(told) - _MOST_REASONS
    more = (
        [f"And {labels.count(rest, 'more figure is', 'more figures are')} missing for such reasons"] if rest > 0 else []
    )
    return " ".join(f"{each}." for each in [*told[:_MOST_REASONS], *more])
