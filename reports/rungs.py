"""Three rungs side by side, never mixed up: what the datasheet promises, what the machine reaches, what a kernel does.

A share above 1 is an error in counting (work that was not done, or bytes that came from a cache), and is told as one.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bench import units
from bench.observation import Observation, Operator
from reports.necessity import level
from reports.rates import DUPLEX, MEMORY, Rates, plain

#: More than that share of a ceiling is beyond what the noise of both explains: no wall can be named by that ceiling.
MOST_REACHED = 1.1
#: Kinds whose work is counted against a peak of products.
_ARITHMETIC = ("product", "attention")


@dataclass(frozen=True)
class Rung:
    """A rate in the unit FLOP/s, OP/s or B/s: attained over the whole iteration, by the best kernel for one-row
    products, by this machine at most, and as the datasheet promises; None where it is not known."""

    resource: str
    unit: str
    attained: float
    kernel: float | None
    machine: float | None
    datasheet: float | None

    @property
    def of_machine(self) -> float | None:
        """MFU or MBU against what was measured of this machine; above 1 it is an error in counting."""
        return self.attained / self.machine if self.machine else None

    @property
    def of_datasheet(self) -> float | None:
        """MFU or MBU against the datasheet."""
        return self.attained / self.datasheet if self.datasheet else None


def rungs(o: Observation, rates: Rates, datasheet: Mapping[str, float]) -> tuple[Rung, ...]:
    """One for each number format that products were run in, the most work first, and one for main memory."""
    flops: dict[str, float] = defaultdict(float)
    for operator in o.operators:
        if operator.flops and operator.kind in _ARITHMETIC:
            flops[plain(operator.dtype)] += operator.flops
    found = []
    for dtype, work in sorted(flops.items(), key=lambda each: -each[1]):
        unit = "OP/s" if dtype == "int8" else "FLOP/s"
        promised = datasheet.get(f"matmul_{dtype}_{unit.replace('/', '_per_')}")
        found.append(Rung(dtype, unit, work / o.iteration_s, None, rates.peak(dtype), promised))
    moved = [each for each in o.operators if each.bytes_moved and level(each, o, rates) == MEMORY]
    attained = sum(each.bytes_moved or 0.0 for each in moved) / o.iteration_s
    machine = rates.bandwidth(MEMORY, stores=False)
    return (*found, Rung(MEMORY, "B/s", attained, _one_row(moved, rates), machine, datasheet.get("read_B_per_s")))


def _one_row(moved: list[Operator], rates: Rates) -> float | None:
    """What the best kernel reaches for the number format of the largest one-row product."""
    rows = [each for each in moved if each.kind == "product" and each.shape[:1] == (1,)]
    if not rows:
        return None
    largest = max(rows, key=lambda each: each.bytes_moved or 0.0)
    return rates.get(f"one_row_{plain(largest.dtype)}_B_per_s")


def beyond(found: tuple[Rung, ...]) -> str | None:
    """Which ceiling cannot be right, since the iteration reaches more of it than noise explains; None where all can."""
    for rung in found:
        if (reached := rung.of_machine) is not None and reached > MOST_REACHED:
            return (
                f"The point reaches {units.digits(100 * reached, 2)} % of what was measured as this machine's most "
                f"({rung.resource}): the machine was busy when its ceilings were measured, or work is counted that is "
                "not done."
            )
    return None


def errors(o: Observation, rates: Rates) -> tuple[str, ...]:
    """What was counted but cannot have happened, beyond the upper end of the ceiling's interval."""
    return tuple(_errors(o, Rates(rates.ceilings, "fast")))


def _errors(o: Observation, fast: Rates) -> Iterator[str]:
    for rung in rungs(o, fast, {}):
        # stores beside loads may move more than reading alone
        limit = rung.machine if rung.resource != MEMORY else DUPLEX * (fast.most() or 0.0)
        if limit and rung.attained > limit:
            yield _told(rung.resource, rung.unit, rung.attained, limit)
    for operator in o.operators:
        if operator.kind not in _ARITHMETIC or operator.seconds <= 0:
            continue
        peak = fast.peak(operator.dtype)
        if peak and operator.flops and operator.flops / operator.seconds > peak:
            unit = "OP/s" if plain(operator.dtype) == "int8" else "FLOP/s"
            yield _told(operator.name, unit, operator.flops / operator.seconds, peak)


def _told(what: str, unit: str, attained: float, limit: float) -> str:
    return (
        f"Error in counting: {what} would run at {units.quantity(attained, unit)}, and this machine reaches at most "
        f"{units.quantity(limit, unit)}."
    )
