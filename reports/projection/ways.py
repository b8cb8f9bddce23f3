"""The ways to have options, owned or rented, with their cost at other assumptions, prices and speeds, vectorised."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reports.projection.answers import LOW, Assumptions, Draws, Option
from reports.projection.bounds import exactly
from reports.projection.demand import count
from reports.projection.ownership import load, owned_month, rented_month

#: No further than to a tenth and to tenfold the present value: beyond, a decision does not hang on it.
_REACH = 10.0
#: Values tried between two ends, and how often the gap in which the sign turns is searched again: 64^-3 of the range.
_STEPS, _ZOOMS = 64, 3


@dataclass(frozen=True, eq=False)
class Ways:
    """What each way takes, one entry a way, by likely values; `unit_price` is that of a device, or of its hour."""

    options: tuple[Option, ...]
    owned: NDArray[np.bool_]
    reserved: NDArray[np.bool_]
    unit_price: Draws
    power_W: Draws
    tokens_per_s: Draws
    slow_tokens_per_s: Draws
    devices: Draws
    replicas: Draws
    assumptions: Assumptions
    demand: float | None

    def costs(self, assumptions: Assumptions, price: Draws | float = 1.0, speed: Draws | float = 1.0) -> Draws:
        """Money per million tokens; `price` and `speed` are factors, and each argument may have one row a value."""
        replicas = self.replicas
        if self.demand is not None:
            # those that were counted from the demand are counted anew, were the device so much faster
            counted = count(self.demand, self.slow_tokens_per_s) == self.replicas
            replicas = np.where(counted, count(self.demand, self.slow_tokens_per_s * speed), self.replicas)
        money = replicas * self.devices * self.unit_price * price
        fleet = load(exactly(self.tokens_per_s * speed), exactly(self.power_W), replicas, assumptions, self.demand)
        own = owned_month(money * (1 + assumptions.system_share), fleet, assumptions).low
        found: Draws = np.where(self.owned, own, rented_month(money, self.reserved, assumptions))
        return found / fleet.Mtokens_month.low

    def at(self, assumption: str, values: Draws) -> Draws:
        """The costs at each of the values of one assumption, values x ways."""
        # the formulas are plain arithmetic: a column in the place of a number gives a row a value
        varied: dict[str, Any] = {assumption: values[:, None]}
        return self.costs(replace(self.assumptions, **varied))

    def of(self, option: Option) -> NDArray[np.bool_]:
        """Which ways are ways to have this option."""
        return np.array([each is option for each in self.options])

    def priced_as(self, way: int) -> NDArray[np.bool_]:
        """Which ways pay the same price: all options of one device, bought or rented as this one is."""
        device = self.options[way].outlook.candidate.device
        same = np.array([each.outlook.candidate.device == device for each in self.options])
        found: NDArray[np.bool_] = same & (self.owned == self.owned[way])
        return found


def ways(options: Sequence[Option], assumptions: Assumptions, demand: float | None) -> Ways | None:
    """Every way of which an estimate of the cost is known; None where there are fewer than two."""
    rows = []
    for option in options:
        cost, outlook = option.cost, option.outlook
        if outlook.tokens_per_s.kind != "estimate":
            continue
        slow, likely = np.quantile(outlook.tokens_per_s.draws, [LOW, 0.5])
        shared = (likely, slow, outlook.candidate.devices, cost.replicas)
        if cost.owned_per_Mtoken and cost.owned_per_Mtoken.kind == "estimate" and cost.bought_at and outlook.power_W:
            rows.append((option, True, False, cost.bought_at.amount, outlook.power_W.likely, *shared))
        if cost.rented_per_Mtoken and cost.rented_at:
            rows.append((option, False, cost.rented_at.kind == "reserved", cost.rented_at.amount, 0.0, *shared))
    if len(rows) <= 1:
        return None
    members, owned, reserved, *numbers = zip(*rows, strict=True)
    price, power, likely_speed, slow_speed, devices, replicas = np.array(numbers, dtype=float)
    return Ways(
        members, np.array(owned), np.array(reserved), price, power, likely_speed, slow_speed, devices, replicas,
        assumptions, demand,
    )  # fmt: skip


def crossings(
    costs: Callable[[Draws], Draws],
    present: float,
    limits: tuple[float, float],
    best: int,
    rivals: NDArray[np.intp],
) -> Iterator[tuple[float, int]]:
    """The nearest values below and above `present` at which `best` is no longer where it is among the `rivals`.

    It is cheaper than all of them now, or dearer than one; there, it is dearer than one, or cheaper than all. With each
    value comes the rival that is then the cheapest. `costs` gives values x ways.
    """

    def gap(values: Draws) -> Draws:
        found = costs(values)
        difference: Draws = found[:, rivals].min(axis=1) - found[:, best]
        return difference

    start = gap(np.array([present]))[0]
    for end in (max(present / _REACH, limits[0]), min(present * _REACH, limits[1])):
        near, far = present, end
        for _ in range(_ZOOMS):
            grid = np.geomspace(near, far, _STEPS)
            turned = np.flatnonzero(gap(grid) * start < 0)
            if not turned.size:
                break
            near, far = float(grid[max(turned[0] - 1, 0)]), float(grid[turned[0]])
        else:
            yield far, int(rivals[np.argmin(costs(np.array([far]))[0, rivals])])
