"""What a fleet costs: owned, rented, and after how many months owning is the cheaper of the two.

What runs all the time, busy or not: capital (a device ages while it waits), hosting (a hall is paid for the power that
it keeps ready), and `idle_W_share` of the power. What is added only while the fleet works: the rest of the power. So,
with n replicas of s tokens/s, a demand D, and means over the life of the devices,

    useful tokens/s = utilization * min(D, n * s)                   busy share b = useful / (n * s)
    owned per s     = capital / life + hosting * kW + kW * (idle + (1 - idle) * b) * PUE * electricity
    owned per token = owned per s / useful tokens/s

Without a demand b is the utilization; without idle power and hosting that is
(capital / (life * utilization) + W * PUE * electricity) / s: the utilization divides capital once and energy never.

Rented by the hour (cloud, spot): devices * price for utilization / rented_utilization of all hours; reserved: for all
hours. Power and hosting are in such a price. Nothing is converted from one currency into another.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from reports.prices import OWNED, RENTED, Price, choose
from reports.projection.answers import Assumptions, Cost, Draws, Estimate, Outlook
from reports.projection.bounds import Span, estimate, exactly, span

#: A mean month: 365.25 days of 24 h over 12.
HOURS_A_MONTH = 730.5
MONTHS_A_YEAR = 12
_S_A_MONTH = HOURS_A_MONTH * 3600
#: Where owning never pays, or after longer than this, a draw of the months to break even is put here: a century.
NEVER_MONTHS = 1200.0


def cost(
    outlook: Outlook,
    replicas: int,
    assumptions: Assumptions,
    prices: Sequence[Price],
    demand_tokens_per_s: float | None = None,
) -> Cost:
    """What `replicas` of the outlook cost, with the `prices` of its device; a figure is None with its reason.

    `demand_tokens_per_s` is the busiest rate that must be served: what a fleet could do beyond it costs and earns
    nothing. `assumptions` must have passed `assumptions.check`.
    """
    devices = replicas * outlook.candidate.devices
    name, money = outlook.candidate.device.name, assumptions.currency
    order = (assumptions.rented, *(kind for kind in RENTED if kind != assumptions.rented))
    bought, rented = choose(prices, OWNED, money), choose(prices, order, money)
    fleet = load(span(outlook.tokens_per_s), span(outlook.power_W), replicas, assumptions, demand_tokens_per_s)
    missing: dict[str, str] = {}
    capital = rent_month = owned_per = rented_per = months = None
    if bought:
        capital = bought.amount * devices * (1 + assumptions.system_share)
        per_token = owned_month(capital, fleet, assumptions) / fleet.Mtokens_month
        owned_per = _told(per_token, f"{money}/Mtoken", "owned_per_Mtoken", missing)
    else:
        missing["capital"] = missing["owned_per_Mtoken"] = _no_price(name, prices, "buy", money)
    if rented:
        rent_month = float(rented_month(rented.amount * devices, rented.kind == "reserved", assumptions))
        rented_per = _told(exactly(rent_month) / fleet.Mtokens_month, f"{money}/Mtoken", "rented_per_Mtoken", missing)
    else:
        missing["rented_per_Mtoken"] = _no_price(name, prices, "rent", money)
    if capital is not None and rent_month is not None:
        months = _break_even(capital, rent_month, running_month(fleet, assumptions), assumptions, missing)
    else:
        lacking = missing["rented_per_Mtoken" if bought else "capital"]
        missing["break_even_months"] = f"renting and owning cannot be compared: {lacking}"
    energy = _energy(outlook, fleet, assumptions, missing)
    return Cost(replicas, devices, capital, owned_per, rented_per, *energy, months, bought, rented, missing)


def _energy(
    outlook: Outlook, fleet: "Load", assumptions: Assumptions, missing: dict[str, str]
) -> tuple[Estimate | None, Estimate | None, Estimate | None]:
    """Power in kW, and kWh and kg of CO2 a month."""
    if outlook.power_W is None:
        why = f"there is no figure of the power of {outlook.candidate.device.name}"
        missing |= dict.fromkeys(("power_kW", "energy_kWh_month", "CO2_kg_month"), why)
        if "owned_per_Mtoken" not in missing:
            missing["electricity"] = f"{why}: the cost of owning is that of capital alone, and more in truth"
        return None, None, None
    CO2 = None
    if assumptions.grid_g_per_kWh is None:
        missing["CO2_kg_month"] = "no grid intensity was given: set grid_g_per_kWh in the assumptions"
    else:
        CO2 = estimate(fleet.kWh_month * (assumptions.grid_g_per_kWh / 1000), "kg")
    return estimate(fleet.power_kW, "kW"), estimate(fleet.kWh_month, "kWh"), CO2


@dataclass(frozen=True, eq=False)
class Load:
    """What a fleet draws at work in kW, and what it uses (kWh, the whole site) and generates in a mean month."""

    power_kW: Span
    kWh_month: Span
    Mtokens_month: Span


def load(
    tokens_per_s: Span, power_W: Span, replicas: Draws | float, assumptions: Assumptions, demand: float | None
) -> Load:
    """The load of so many replicas, each with that speed and power of its devices."""
    speed = tokens_per_s * replicas
    served = speed if demand is None else speed.at_most(demand)
    kW = power_W * replicas * ((1 + assumptions.system_W_share) / 1000)
    busy = exactly(assumptions.utilization)
    if demand is not None:
        # a speed of which only a bound is known leaves the busy share open, up to the utilization
        busy = (served / speed * assumptions.utilization).at_most(assumptions.utilization)
    share = busy * (1 - assumptions.idle_W_share) + assumptions.idle_W_share
    kWh = kW * share * (assumptions.PUE * HOURS_A_MONTH)
    return Load(kW, kWh, served * (assumptions.utilization * _S_A_MONTH / 1e6))


def running_month(fleet: Load, assumptions: Assumptions) -> Span:
    """What power and hosting of an owned fleet cost a month."""
    return fleet.kWh_month * assumptions.electricity_per_kWh + fleet.power_kW * assumptions.hosting_per_kW_month


def owned_month(capital: Draws | float, fleet: Load, assumptions: Assumptions) -> Span:
    """What an owned fleet costs a month: its share of `capital`, power and hosting."""
    return running_month(fleet, assumptions) + capital / (assumptions.life_years * MONTHS_A_YEAR)


def rented_month(
    per_hour: Draws | float, reserved: NDArray[np.bool_] | bool, assumptions: Assumptions
) -> Draws | np.float64:
    """What a fleet costs a month at `per_hour` for all its devices: reserved all hours, else those that are paid."""
    paid = np.minimum(assumptions.utilization / assumptions.rented_utilization, 1.0)
    return per_hour * HOURS_A_MONTH * np.where(reserved, 1.0, paid)


def _no_price(name: str, prices: Sequence[Price], to: Literal["buy", "rent"], currency: str) -> str:
    kinds = OWNED if to == "buy" else RENTED
    others = sorted({each.currency for each in prices if each.kind in kinds})
    if others:
        return (
            f"the price to {to} {name} is in {' and '.join(others)}, the assumptions are in {currency}, and nothing is "
            f"converted: give a price in {currency} in a TOML file of your own, or the assumptions in {others[0]}"
        )
    return f"there is no price to {to} {name}: give one in a TOML file of your own"


def _told(found: Span, unit: str, figure: str, missing: dict[str, str]) -> Estimate | None:
    told = estimate(found, unit)
    if told is None:
        missing[figure] = "the bounds of speed and power that are known leave it open"
    return told


def _break_even(
    capital: float, rent_month: float, running: Span, assumptions: Assumptions, missing: dict[str, str]
) -> Estimate | None:
    """Months after which capital and running costs are below the rent of the same fleet for the same work."""
    months = _months(capital, rent_month - running.low)
    latest = months
    if not running.known:
        latest = _months(capital, rent_month - running.high)
        latest = np.where(latest < NEVER_MONTHS, latest, np.inf)
    found = Span(months, latest)
    likely, life = float(np.median(found.low)), assumptions.life_years * MONTHS_A_YEAR
    if likely >= NEVER_MONTHS:
        missing["break_even_months"] = (
            f"owning never pays: power and hosting are {float(np.median(running.low)):,.0f} {assumptions.currency} a "
            f"month, the rent is {rent_month:,.0f}"
        )
        return None
    if likely > life:
        missing["break_even_months"] = (
            f"owning pays only after {likely:.0f} months, and a device is kept for {life:.0f}"
        )
        return None
    return _told(found, "month", "break_even_months", missing)


def _months(capital: float, saved_a_month: Draws) -> Draws:
    # saving less than this a month takes longer than the century at which a draw is cut off
    return capital / np.maximum(saved_a_month, max(capital, 1e-9) / NEVER_MONTHS)
