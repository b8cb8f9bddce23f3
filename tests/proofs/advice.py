"""Is the change that helps most among the first three advised, and how far off is the predicted gain?

Points are those of the sweep `quick`, a part of them with --quick. Every change that is advised is also made, and
measured interleaved with the point as it is: but for `compiled`, whose processes take half a minute each, and for
accumulation and checkpointing, which do all of the work and more. The best proven change is the one with the largest
measured gain, whatever was advised. The error is |predicted - proven|, in percentage points of the gain (time of a
token before / after - 1); a gain of +200 % that was predicted as +180 % is off by 20.

On two cores --quick takes some four minutes, and the whole sweep some sixteen.
"""

import math
import time
from dataclasses import dataclass
from statistics import median

from bench import advising, host, planning, points
from bench.diagnosis import Diagnosis
from bench.points import Point
from bench.record import Advice, observation_of
from bench.spec import read
from reports import advice as words
from tests.proofs.proof import Outcome, main, table

SHARE, ERROR, FIRST = 0.9, 15.0, 3
#: Of the ceiling `dispatch_empty_s`: on any machine of the last ten years within a factor of two.
_EMPTY_S = 6e-7
#: Changes that are advised and not made here.
_UNTRIED = ("compile", "accumulation", "checkpointing")
#: No point is begun after so many seconds; so many points are asked for; seconds and processes for each.
_QUICK_S, _S = 200.0, 1380.0
_QUICK_POINTS, _BUDGET_S, _PROCESSES = 6, 22.0, 3
#: A point of which this is said counts as one whose best change was not advised; what this torch cannot run does not.
_NOTHING = "no change was advised"


@dataclass(frozen=True)
class Scored:
    """What came of one point: its advice as proven, the place (from 1) of the best proven change, and its gain."""

    point: Point
    advice: list[Advice]
    place: int
    gain: float

    @property
    def pairs(self) -> list[tuple[float, float]]:
        """Predicted and proven gains of each change, in per cent."""
        made = [(each, found) for each in self.advice if (found := words.outcome(each)) is not None]
        return [(100 * math.expm1(-(each.log or 0.0)), 100 * math.expm1(-found.value)) for each, found in made]

    @property
    def within(self) -> int:
        """How many proven gains lie within the predicted interval."""
        made = [(each, found) for each in self.advice if (found := words.outcome(each)) is not None]
        return sum((each.low or 0.0) <= found.value <= (each.high or 0.0) for each, found in made)


def chosen(quick: bool) -> list[Point]:
    """Points of the sweep, spread over its workloads, sizes and variants; all of them, but for --quick."""
    every = list(read("quick", {}, {}).points)
    step = len(every) / _QUICK_POINTS
    return [every[int(place * step)] for place in range(_QUICK_POINTS)] if quick else every


def score(point: Point) -> Scored | str:
    """Advise on the point, make every change, and find the best; or why that could not be done."""
    advised: list[Advice] = []

    def choose(report):
        seen = observation_of(report.get("observation"))
        if seen is not None:
            advised.extend(advising.Adviser(point, dispatch_s=_EMPTY_S).advise(seen))
        room_B = planning.shared_memory_B(host.describe())
        wanted = advising.to_try(point, advised, len(advised), room_B)
        return {name: change for name, change in wanted.items() if not set(change.axes) & set(_UNTRIED)}

    found = Diagnosis(point, _EMPTY_S, budget_s=_BUDGET_S, processes=_PROCESSES, choose=choose).run()
    if found.failed is not None:
        return f"{found.failed.status}: {found.failed.reason}"
    advice = words.possible(advising.proven(advised, found.experiments))
    gains = {place: -made.value for place, each in enumerate(advice) if (made := words.outcome(each)) is not None}
    if not gains:
        return _NOTHING
    best = max(gains, key=lambda place: gains[place])
    return Scored(point, advice, best + 1, math.expm1(gains[best]))


def most_likely(hits: int, n: int) -> float:
    """Upper 95 % bound of the share behind `hits` in n (Clopper & Pearson, Biometrika 1934)."""
    from scipy.stats import beta

    return 1.0 if hits == n else float(beta.ppf(0.95, hits + 1, n - hits))


def prove(quick: bool) -> Outcome:
    """The share of points whose best proven change was among the first three, in per cent."""
    among, rows, scored, missed = chosen(quick), [], [], 0
    ends = time.monotonic() + (_QUICK_S if quick else _S)
    for point in among:
        if time.monotonic() > ends:
            break
        name, made = points.describe(point, among), score(point)
        if isinstance(made, str):
            rows.append([name, made])
            missed += made == _NOTHING
            continue
        scored.append(made)
        errors = [abs(predicted - proven) for predicted, proven in made.pairs]
        best = made.advice[made.place - 1]
        predicted = math.expm1(-(best.log or 0.0))
        row = [name, words.name(best), str(made.place), f"{predicted:+.0%}", f"{made.gain:+.0%}"]
        rows.append([*row, f"{median(errors):.1f}", f"{made.within}/{len(errors)}"])
        print(f"{name}: {'; '.join(_told(each) for each in made.advice if words.outcome(each))}", flush=True)
    table(["point", "best proven", "advised as", "predicted", "proven", "median error", "within"], _padded(rows))
    pairs = [pair for each in scored for pair in each.pairs]
    errors = [abs(predicted - proven) for predicted, proven in pairs]
    hits, n = sum(each.place <= FIRST for each in scored), len(scored) + missed
    error = median(errors) if errors else math.inf
    within = sum(each.within for each in scored)
    print(f"{n} of {len(among)} points; the best was advised first for {sum(each.place == 1 for each in scored)}")
    print(f"{len(pairs)} changes: median error {error:.1f} percentage points; {within} within the predicted interval")
    share = hits / n if n else 0.0
    holds = n > 0 and error <= ERROR and (most_likely(hits, n) if quick else share) >= SHARE
    target = f">= {SHARE:.0%} of points, median error <= {ERROR:g}"
    return Outcome("advice", round(100 * share, 1), "% of best changes in the first three", n, target, holds)


def _told(each: Advice) -> str:
    found = words.outcome(each)
    assert found is not None
    return f"{words.name(each)} {math.expm1(-(each.log or 0.0)):+.0%} -> {math.expm1(-found.value):+.0%}"


def _padded(rows):
    return [[*row, *[""] * (7 - len(row))] for row in rows]


if __name__ == "__main__":
    main(prove, __doc__)
