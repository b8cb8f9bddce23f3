"""How much two runs of the same thing differ because they were made at different times.

The interval of a run tells how its processes differ; it knows nothing of the machine's drift to the next run. Two runs
are therefore further apart than their processes say: the difference of means of `b` and `n` runs has, from run to run,
the standard deviation s sqrt(1/b + 1/n). What the processes say and what the runs add are independent, so their
half-widths add as squares (Zou & Donner, Statistics in Medicine 2008).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

#: Of times, from run to run, where nothing better is known: the least of the 14 to 28 % that whole runs of the same
#: code differed by on a shared virtual machine (MEASURING, Time). A dedicated machine has less: `--run-spread` says so.
ASSUMED_TIME = 0.14
#: Of the peak of a process' memory: whole runs of the same point on the same machine differed by 0.2 to 0.4 %.
ASSUMED_PEAK = 0.0035
#: A spread is measured from no fewer runs: with three, its own error makes it worth nothing.
FEWEST_RUNS = 4


@dataclass(frozen=True)
class Spread:
    """The standard deviation of ln(value) from run to run, how it is known, and the degrees of freedom if measured."""

    log_sd: float
    source: Literal["measured", "given", "assumed", "none"]
    freedom: int = 0

    def half_width(self, alpha: float, base_runs: int, new_runs: int) -> float:
        """What drift adds on either side of ln(new / base), one-sided at 1 - alpha: Student's t if measured."""
        from scipy.special import ndtri, stdtrit

        if self.log_sd == 0:
            return 0.0
        quantile = stdtrit(self.freedom, 1 - alpha) if self.source == "measured" else ndtri(1 - alpha)
        return float(quantile) * self.log_sd * math.sqrt(1 / base_runs + 1 / new_runs)

    @property
    def words(self) -> str:
        """`an assumed 14 %`, as it stands in a sentence."""
        share = f"{100 * self.log_sd:.2g} %"
        if self.source == "measured":  # the logarithm's, which for a few per cent is the value's
            return f"{share}, measured over {self.freedom + 1} runs"
        return f"{'a given' if self.source == 'given' else 'an assumed'} {share}"


#: Of two sides that were measured in turns, or that are one and the same run.
NO_DRIFT = Spread(0.0, "none")


def measured(groups: Sequence[Sequence[float]]) -> Spread | None:
    """The spread within groups of runs, from ln(value) of each run; None where there are too few of them.

    It is the plain standard deviation: the more robust one (from the median of deviations) is too small too often for
    a handful of runs, and a run that lies far off is what a gate has to expect.
    """
    kept = [group for group in groups if len(group) > 1]
    freedom = sum(len(group) - 1 for group in kept)
    if freedom < FEWEST_RUNS - 1:
        return None
    squares = sum((value - sum(group) / len(group)) ** 2 for group in kept for value in group)
    return Spread(math.sqrt(squares / freedom), "measured", freedom)


def combined(half_width: float, more: float) -> float:
    """Two independent half-widths as one."""
    return math.hypot(half_width, more)
