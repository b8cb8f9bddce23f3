"""The costs of an option as formulas of the assumptions, so that a page can compute them anew.

They are those of `reports.projection.ownership`, in the units in which a reader enters values: per cent for shares.
With n replicas of s tokens/s and P W, a demand D, v = min(D, n s), u for the utilization and w = v / (n s):

    kW          = n P (1 + system_W_share)
    kWh a month = kW PUE (idle + (1 - idle) w u) 730.5
    owned       = (kWh electricity + kW hosting + capital / (12 life)) / (v u)       of a month
    rented      = devices price / (v max(u, rented_utilization))
    break-even  = capital / (rent - kWh electricity - kW hosting)                    of a month
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from reports.document import Factor, Formula, Term
from reports.projection.answers import Draws, Estimate, Option
from reports.projection.ownership import HOURS_A_MONTH, MONTHS_A_YEAR

#: Draws that stand for all of them, each for an equal part of the distribution.
_KEPT = 61
#: A formula that does not give the answer's own value to this share is not offered.
_EXACT = 1e-3
_SYSTEM_W, _SYSTEM = Factor(("system_W_share",), 1, 100), Factor(("system_share",), 1, 100)
_PUE, _ELECTRICITY, _HOSTING = (Factor((k,), 1) for k in ("PUE", "electricity_per_kWh", "hosting_per_kW_month"))
_IDLE, _MINUS_BUSY = Factor(("idle_W_share",), 1), Factor(("idle_W_share",), 1, -100)
_USED, _PER_USED = Factor(("utilization",), 1), Factor(("utilization",), -1)
_GRID = Factor(("grid_g_per_kWh",), 1)
_LIFE_MONTHS = Term((float(MONTHS_A_YEAR),), (Factor(("life_years",), 1),))
NOT_IN_ITS_LIFE = "not in its life"

#: A coefficient with its factors, before its draws are thinned.
_Part = tuple[Draws, tuple[Factor, ...]]
_Parts = Sequence[_Part]


@dataclass(frozen=True, eq=False)
class _Load:
    """Power at work without the rest of the servers, kW; useful tokens at full use, Mtokens a month; w of above."""

    kW: Draws | None
    Mtokens: Draws
    share: Draws


def buying(device: str) -> str:
    """The key of the price of a device."""
    return f"buy {device}"


def renting(device: str) -> str:
    """The key of the rent of a device, an hour."""
    return f"rent {device}"


def formulas(option: Option, demand: float | None, values: dict[str, float]) -> dict[str, Formula]:
    """By the names of `Cost`'s figures: what can be computed anew and gives the answer's own figures at `values`."""
    if option.outlook.tokens_per_s.kind != "estimate":
        return {}
    cost, load = option.cost, _load(option, demand)
    capital = _capital(option)
    rent = _rent(option)
    running = _running(load) if load.kW is not None else None
    per_token = 1 / load.Mtokens
    found: dict[str, Formula | None] = {}
    if capital is not None:
        found["capital"] = _checked([capital], (), _exactly(cost.capital), values)
    if load.kW is not None and running is not None:
        energy, _ = running
        found["power_kW"] = _checked([(load.kW / 100, (_SYSTEM_W,))], (), cost.power_kW, values)
        found["energy_kWh_month"] = _checked(energy, (), cost.energy_kWh_month, values)
        found["CO2_kg_month"] = _checked(_times(energy, 1e-3, _GRID), (), cost.CO2_kg_month, values)
        if capital is not None:
            monthly = [*_bill(running), *_times([capital], 1 / MONTHS_A_YEAR, Factor(("life_years",), -1))]
            found["owned_per_Mtoken"] = _checked(
                _times(monthly, per_token * 100, _PER_USED), (), cost.owned_per_Mtoken, values
            )
        if capital is not None and rent is not None:
            under = [*_times([rent], 0.01, _USED), *_times(_bill(running), -1.0)]
            found["break_even_months"] = _checked([capital], under, cost.break_even_months, values)
    if rent is not None:
        found["rented_per_Mtoken"] = _checked(_times([rent], per_token), (), cost.rented_per_Mtoken, values)
    return {name: formula for name, formula in found.items() if formula is not None}


def _load(option: Option, demand: float | None) -> _Load:
    speed = option.outlook.tokens_per_s.draws * option.cost.replicas
    served = speed if demand is None else np.minimum(speed, demand)
    power = option.outlook.power_W
    known = power is not None and power.kind == "estimate"
    kW = power.draws * option.cost.replicas / 1000 if power is not None and known else None
    return _Load(kW, served * HOURS_A_MONTH * 3600 / 1e6, served / speed)


def _capital(option: Option) -> _Part | None:
    price = option.cost.bought_at
    if price is None:
        return None
    return np.array([option.cost.devices / 100]), (Factor((buying(option.outlook.candidate.device.name),), 1), _SYSTEM)


def _rent(option: Option) -> _Part | None:
    """Of a month over the share of hours in which the fleet works; a reservation is paid for all hours."""
    price = option.cost.rented_at
    if price is None:
        return None
    paid = ("utilization",) if price.kind == "reserved" else ("utilization", "rented_utilization")
    factors = (Factor((renting(option.outlook.candidate.device.name),), 1), Factor(paid, -1))
    return np.array([100 * option.cost.devices * HOURS_A_MONTH]), factors


def _running(load: _Load) -> tuple[_Parts, _Parts]:
    """Energy in kWh a month, and kW, of servers: the power at work, of which a part is drawn by idle ones too."""
    assert load.kW is not None
    base = load.kW * HOURS_A_MONTH / 1e4
    idle = (base, (_SYSTEM_W, _PUE, _IDLE))
    busy = (-base * load.share / 100, (_SYSTEM_W, _PUE, _MINUS_BUSY, _USED))
    return [idle, busy], [(load.kW / 100, (_SYSTEM_W,))]


def _bill(running: tuple[_Parts, _Parts]) -> _Parts:
    energy, power = running
    return [*_times(energy, 1.0, _ELECTRICITY), *_times(power, 1.0, _HOSTING)]


def _times(parts: _Parts, by: Draws | float, *factors: Factor) -> list[_Part]:
    return [(draws * by, (*had, *factors)) for draws, had in parts]


def _exactly(value: float | None) -> Estimate | None:
    return None if value is None else Estimate(np.array([value]), "")


def _checked(parts: _Parts, over: _Parts, told: Estimate | None, values: dict[str, float]) -> Formula | None:
    """The formula over draws thinned by its value at `values`; None where that is not the answer's."""
    if any(key not in values for _, factors in (*parts, *over) for factor in factors for key in factor.keys):
        return None
    worth = _worth(parts, values)
    if over:
        below = _worth(over, values)
        worth = np.where(below > 0, worth / np.where(below > 0, below, 1), np.inf)
    limit = _LIFE_MONTHS if over else None
    within = limit is None or float(np.median(worth)) <= limit.draws[0] * values["life_years"]
    if within and (told is None or told.kind != "estimate" or abs(np.median(worth) / told.likely - 1) > _EXACT):
        return None
    keep = _thinned(worth)
    return Formula(_terms(parts, keep), _terms(over, keep), limit, NOT_IN_ITS_LIFE)


def _worth(parts: _Parts, values: dict[str, float]) -> Draws:
    found: Draws = np.zeros(1)
    for draws, factors in parts:
        scale = 1.0
        for factor in factors:
            scale *= (factor.offset + max(values[key] for key in factor.keys)) ** factor.power
        found = found + draws * scale
    return found


def _thinned(worth: Draws) -> Callable[[Draws], tuple[float, ...]]:
    """Of all draws those that stand in the middle of equal parts of `worth`; what does not vary stays one value."""
    count = min(_KEPT, worth.size)
    places = np.argsort(worth, kind="stable")[((np.arange(count) + 0.5) / count * worth.size).astype(int)]
    return lambda draws: (float(draws[0]),) if draws.size == 1 else tuple(map(float, draws[places]))


def _terms(parts: _Parts, keep: Callable[[Draws], tuple[float, ...]]) -> tuple[Term, ...]:
    return tuple(Term(keep(draws), factors) for draws, factors in parts)
