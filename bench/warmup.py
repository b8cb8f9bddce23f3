"""When a workload has settled: pure rules over the durations of its first iterations."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from bench.record import Warn

#: Drift is judged over this many iterations, and must stay below this share of their median.
WINDOW = 10
MOST_DRIFT = 0.01


def drift(samples: Sequence[float]) -> float:
    """Change from one end of the samples to the other, as a share of their median: the Theil-Sen slope times n - 1.

    The slope is the median over all pairs (Sen, JASA 1968), so that a single outlier does not pass for drift.
    """
    n = len(samples)
    slopes = [(samples[j] - samples[i]) / (j - i) for i in range(n) for j in range(i + 1, n)]
    return median(slopes) * (n - 1) / median(samples)


@dataclass(frozen=True)
class Warmup:
    """What the warm-up saw: how many iterations in how many seconds, their typical duration, and if they settled.

    `steady` is None where too few iterations fitted into the time limit to judge it.
    """

    iterations: int
    seconds: float
    iteration_s: float
    steady: bool | None

    @property
    def warnings(self) -> list[Warn]:
        """`no_steady_state` where the drift never fell below the limit, `short_warmup` where it cannot be told."""
        if self.steady:
            return []
        if self.steady is None:
            return [
                Warn(
                    "short_warmup",
                    f"Only {self.iterations} iterations fitted into the warm-up, too few to tell whether it settled.",
                    "Give it longer with --warmup-limit.",
                )
            ]
        return [
            Warn(
                "no_steady_state",
                f"After {self.iterations} iterations of warm-up the last {WINDOW} still drifted by over "
                f"{MOST_DRIFT:.0%}.",
                "Give it longer with --warmup-limit, or quieten the machine.",
            )
        ]


def warm_up(run: Callable[[int], list[int]], limit_s: float, clock: Callable[[], float] = time.perf_counter) -> Warmup:
    """Iterate until the drift over the last ten iterations is below 1 %, or until the time limit (at least thrice).

    `run(n)` runs n iterations and gives their durations in nanoseconds.
    """
    began = clock()
    seen: list[float] = [sample / 1e9 for sample in run(3)]
    while clock() - began < limit_s:
        if len(seen) > WINDOW and abs(drift(seen[-WINDOW:])) < MOST_DRIFT:
            return Warmup(len(seen), clock() - began, median(seen[-WINDOW:]), steady=True)
        seen += [sample / 1e9 for sample in run(1)]
    steady = False if len(seen) > WINDOW else None
    return Warmup(len(seen), clock() - began, median(seen[-WINDOW:]), steady=steady)
