"""When a workload has settled: pure rules over the durations of its first iterations.

A window of the latest iterations is cut into blocks, each stands for its median, and a line is laid through them. The
work is steady where the line is level, within what its scatter lets us tell. Windows grow with the warm-up, so what is
still settling slowly shows in a later one. A rule over a short time cannot see what takes far longer than it: a ramp
that changes times by less than about 1 % a tenth of a second passes for steady.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from bench.record import Warn

#: Fewer iterations than that show no trend: the smallest window.
WINDOW = 10
#: A window is cut into at most so many blocks: enough for the scatter about the line, few enough for all their pairs.
BLOCKS = 20
#: The window is this share of all iterations so far. What comes before it is dropped.
SHARE = 0.75
#: The line may rise or fall by this share of the median over the window, beyond its own standard error.
MOST_DRIFT = 0.01
#: With a larger standard error than this, nothing is decided yet: noise would hide a warm-up of such a size.
MOST_ERROR = 0.04
#: The warm-up lasts at least so long, however short the iterations: clocks and caches settle in tens of milliseconds.
LEAST_S = 0.1
#: From one look to the next the number of iterations grows by this factor, so that few looks give few false answers.
GROWTH = 1.5
#: No request asks for more iterations than that: on a GPU each of them holds a pair of events.
_MOST_AT_ONCE = 1000


def drift(samples: Sequence[float]) -> float:
    """Change from one end of the samples to the other, as a share of their median: the Theil-Sen slope times n - 1.

    The slope is the median over all pairs (Sen, JASA 1968), so that a single outlier does not pass for drift.
    """
    return _slope(samples) * (len(samples) - 1) / median(samples)


def drift_error(samples: Sequence[float]) -> float:
    """Standard error of `drift`, from the scatter about the line.

    The slope of a least-squares line through n equal steps has variance 12 s^2 / n^3; Theil-Sen is nearly as efficient
    (Sen, 1968). s is 1.4826 times the median absolute residual, as for a normal distribution, so outliers do not count.
    """
    slope = _slope(samples)
    residuals = [sample - slope * index for index, sample in enumerate(samples)]
    middle = median(residuals)
    scatter = 1.4826 * median(abs(residual - middle) for residual in residuals)
    return scatter * math.sqrt(12 / len(samples)) / median(samples)


def _slope(samples: Sequence[float]) -> float:
    n = len(samples)
    return median((samples[j] - samples[i]) / (j - i) for i in range(n) for j in range(i + 1, n))


def window(seen: Sequence[float]) -> Sequence[float]:
    """The iterations that are judged: the latest ones of `seen`."""
    return seen[-max(WINDOW, int(SHARE * len(seen))) :]


def steady(seen: Sequence[float]) -> bool | None:
    """Whether the latest of these durations are level; None where they are too few or too noisy to tell."""
    latest = window(seen)
    if len(latest) < WINDOW:
        return None
    size = max(len(latest) // BLOCKS, 1)
    latest = latest[len(latest) % size :]
    blocks = [median(latest[start : start + size]) for start in range(0, len(latest), size)]
    change, error = abs(drift(blocks)), drift_error(blocks)
    if change > MOST_DRIFT + 2 * error:  # of steady work, so large by chance once in twenty times
        return False
    return True if change <= MOST_DRIFT + error and error <= MOST_ERROR else None


@dataclass(frozen=True)
class Warmup:
    """What the warm-up saw: how many iterations in how many seconds, their typical duration, and if they settled.

    `steady` is None where what fitted into the time limit is too little, or too noisy, to judge it.
    """

    iterations: int
    seconds: float
    iteration_s: float
    steady: bool | None

    @property
    def warnings(self) -> list[Warn]:
        """`no_steady_state` where the times still changed at the limit, `short_warmup` where it cannot be told."""
        if self.steady:
            return []
        if self.steady is None:
            return [
                Warn(
                    "short_warmup",
                    f"Only {self.iterations} iterations fitted into the warm-up, too few for their noise to tell "
                    "whether it settled.",
                    "Give it longer with --warmup-limit.",
                )
            ]
        return [
            Warn(
                "no_steady_state",
                f"After {self.iterations} iterations of warm-up their times still drifted by over {MOST_DRIFT:.0%}.",
                "Give it longer with --warmup-limit, or quieten the machine.",
            )
        ]


def warm_up(run: Callable[[int], list[int]], limit_s: float, clock: Callable[[], float] = time.perf_counter) -> Warmup:
    """Iterate until the work is `steady`, or until the time limit (at least thrice).

    `run(n)` runs n iterations and gives their durations in nanoseconds.
    """
    began = clock()
    seen = [sample / 1e9 for sample in run(3)]
    look_at = WINDOW + 2  # the first iterations load libraries and compile: they are in no window
    while (passed := clock() - began) < limit_s:
        if len(seen) >= look_at and passed >= LEAST_S:
            if steady(seen):
                return Warmup(len(seen), passed, median(window(seen)), steady=True)
            look_at = math.ceil(GROWTH * len(seen))
        typical = max(median(window(seen)), 1e-9)
        wanted = max(look_at - len(seen), math.ceil((LEAST_S - passed) / typical))
        fits = int(min(limit_s - passed, LEAST_S) / typical)  # times may grow, and the limit is to be kept
        seen += [sample / 1e9 for sample in run(max(min(wanted, fits, _MOST_AT_ONCE), 1))]
    return Warmup(len(seen), clock() - began, median(window(seen)), steady(seen))
