"""The points of the sweep `quick`, each diagnosed: what two proofs look at."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import TypeAdapter

from bench import points
from bench.diagnosis import Diagnosis, Outcome
from bench.observation import Observation
from bench.points import Point
from bench.record import Ceiling
from bench.spec import read

#: Of the ceiling `dispatch_empty_s`, where none was measured: on any machine of the last ten years within a factor of
#: two, which is near enough to choose a number of operators by.
_EMPTY_S = 6e-7
_QUICK_POINTS = 5
_OBSERVATION = TypeAdapter(Observation)


@dataclass(frozen=True)
class Diagnosed:
    """A point under its name, its experiments, and what was observed of it; None with the reason where it was not."""

    name: str
    outcome: Outcome
    observation: Observation | None
    reason: str | None


def chosen(quick: bool, *, plain: bool) -> list[Point]:
    """Points of the sweep, with `plain` those without compression, or a few of them, spread over workloads and sizes.

    What differs in its number format or its compression is another program, so its bottleneck is one to be named too.
    """
    found = [each for each in read("quick", {}, {}).points if each.is_reference or not plain]
    if not quick:
        return found
    step = len(found) / _QUICK_POINTS
    return [found[int(place * step)] for place in range(_QUICK_POINTS)]


def diagnosed(among: list[Point], budget_s: float, ceilings: Mapping[str, Ceiling]) -> Iterator[Diagnosed]:
    """Each point with its experiments, which get `budget_s` seconds."""
    empty = ceilings.get("dispatch_empty_s")
    empty_s = _EMPTY_S if empty is None or empty.value is None else empty.value
    for point in among:
        outcome = Diagnosis(point, empty_s, budget_s=budget_s).run()
        report = outcome.reports[0] if outcome.reports else {}
        told = report.get("observation")
        reason = f"{outcome.failed.status}: {outcome.failed.reason}" if outcome.failed else report.get("unobserved")
        yield Diagnosed(points.describe(point, among), outcome, told and _OBSERVATION.validate_python(told), reason)
