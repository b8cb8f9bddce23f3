"""The gate's chances of error, from gate runs that are drawn from recorded traces.

A drawn run takes pairs of processes from a trace with replacement, and from each pair its blocks (a bootstrap of
processes and blocks). Every pair was of a fresh start of both sides, so pairs of different recorded runs are alike; how
much runs differ beyond that is printed. The sides of a drawn run are swapped at random, so nothing has changed on
average, and a change is then added to the logarithms of the ratios. The noise is also multiplied, up to where the gate
can tell nothing any more. The very functions that `pinchpoint ab` decides by are run on these values. As the control, a
gate that repeats until it is significant.
"""

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from bench import gate
from bench.ab.sequence import replay
from bench.gate import Limit
from tests.proofs.proof import Outcome, main, table

_TRACES = Path(__file__).parent.parent / "traces"
LIMIT = Limit(0.05)
_NAMES = {"test_load": "loader", "test_step": "network"}
MOST_ALARMS, LEAST_POWER, MOST_FALSE_SAME = 0.01, 0.95, 0.01
RUNS, QUICK_RUNS = 10_000, 600
PAIRS = gate.LOOKS[-1]
#: How many times the recorded noise.
NOISES = (1.0, 4.0, 10.0, 30.0)
#: A control looks after each pair from the fifth on, and stops at the first significant difference.
_CONTROL_FROM, _CONTROL_ALPHA = 5, 0.05


@dataclass(frozen=True)
class Trace:
    """Recorded pairs of processes in which nothing had changed, each by the logarithms of the ratios of its blocks.

    `runs` are the runs of the gate that they are of. With `swapped` the sides of each pair are swapped by chance, since
    they were two of a kind and not a base and a new one. `ours` says that `pinchpoint ab` recorded it.
    """

    runs: list[list[np.ndarray]]
    swapped: bool = False
    ours: bool = True

    @cached_property
    def centre(self) -> float:
        """The middle of all pairs: what the two sides of the trace differ by, if anything."""
        return 0.0 if self.swapped else float(np.median([np.median(pair) for pair in self.pairs]))

    @cached_property
    def pairs(self) -> list[np.ndarray]:
        """Those of all runs."""
        return [pair for run in self.runs for pair in run]


@dataclass(frozen=True)
class Told:
    """Shares of drawn runs by answer, and the median number of pairs that they took."""

    failed: float
    passed: float
    pairs: float


def recorded() -> dict[str, Trace]:
    """Each trace by its name."""
    found: dict[str, dict[str, list[np.ndarray]]] = {}
    with (_TRACES / "gate_pairs_2_cores.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            logs = np.array([float(log) / 10_000 for log in row["logs"].split()])
            found.setdefault(row["benchmark"], {}).setdefault(row["run"], []).append(logs)
    traces = {_NAMES[name]: Trace(list(runs.values())) for name, runs in found.items()}
    return traces | {"another machine": Trace([_blocks_of_sweeps()], swapped=True, ours=False)}


def _blocks_of_sweeps() -> list[np.ndarray]:
    """Pairs of fresh workers, by the medians of their blocks: as a sweep has them, with random addresses."""
    logs: dict[str, dict[str, dict[str, float]]] = {}
    with (_TRACES / "shared_2_cores.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            block = logs.setdefault(row["pair"], {}).setdefault(row["block"], {})
            block[row["member"]] = math.log(float(row["median_ns"]))
    return [np.array([block["1"] - block["0"] for block in pair.values()][:10]) for pair in logs.values()]


def spread(trace: Trace) -> tuple[float, float]:
    """Standard deviations of the pairs of a run, and of runs beyond what their pairs explain."""
    values = [[float(np.median(pair)) for pair in run] for run in trace.runs]
    within = float(np.mean([np.var(run, ddof=1) for run in values]))
    if len(values) == 1:
        return math.sqrt(within), math.nan
    of_pairs = float(np.mean([1 / len(run) for run in values])) * within
    return math.sqrt(within), math.sqrt(max(float(np.var([np.mean(run) for run in values], ddof=1)) - of_pairs, 0.0))


def drawn(trace: Trace, noise: float, random: np.random.Generator, change: float = 0.0) -> list[float]:
    """ln(new / base) of the pairs of one run in which nothing but `change` has changed."""
    pairs = trace.pairs
    taken = [pairs[place] for place in random.integers(len(pairs), size=PAIRS)]
    values = np.array([np.median(pair[random.integers(len(pair), size=len(pair))]) for pair in taken])
    signs = random.choice((-1, 1), size=PAIRS if trace.swapped else 1)
    spread_out = trace.centre + noise * (values - trace.centre)  # what the sides differ by on average is no noise
    found: list[float] = (spread_out * signs + math.log1p(change)).tolist()
    return found


def told(trace: Trace, noise: float, change: float, benchmarks: int, runs: int, random: np.random.Generator) -> Told:
    """What the gate says of `runs` drawn runs of so many benchmarks, the first of which has changed by `change`.

    A run has failed where any benchmark did; it has passed where the first one did.
    """
    limits = {(str(place), "latency_s"): LIMIT for place in range(benchmarks)}
    failed = passed = 0
    pairs = []
    for _ in range(runs):
        first = next(iter(limits))
        values = {key: drawn(trace, noise, random, change if key == first else 0.0) for key in limits}
        decisions = replay(values, limits, ended=True)
        failed += any(each.outcome == "fail" for each in decisions.values())
        passed += decisions[first].outcome == "pass"
        pairs.append(max(each.estimate.pairs for each in decisions.values()))
    return Told(failed / runs, passed / runs, float(np.median(pairs)))


def control(trace: Trace, noise: float, looks: int, runs: int, random: np.random.Generator) -> float:
    """The share of runs without a change that a gate calls slower which looks after each pair, so many times."""
    alarms = 0
    for _ in range(runs):
        values = drawn(trace, noise, random)
        ends = range(_CONTROL_FROM, _CONTROL_FROM + looks)
        alarms += any(gate.p_above(values[:end], 0.0) <= _CONTROL_ALPHA for end in ends)
    return alarms / runs


def percent(share: float) -> str:
    """A share in percent."""
    return f"{100 * share:.2f} %"


def prove(quick: bool) -> Outcome:
    """The largest share of false alarms over all traces and noises, beside power and false passes."""
    runs = QUICK_RUNS if quick else RUNS
    random = np.random.default_rng(5)
    alarms, false_same, power, rows = [], [], [], []
    for name, trace in recorded().items():
        for noise in NOISES:
            same = told(trace, noise, 0.0, 1, runs, random)
            slower = told(trace, noise, LIMIT.share, 1, runs, random)
            alarms.append(same.failed)
            false_same.append(slower.passed)
            power += [slower.failed] * (noise == 1 and trace.ours)
            rows.append([name, f"{noise:g}", *_row(same, slower)])
        many = told(trace, 1.0, 0.0, 4, runs // 4, random)
        alarms.append(many.failed)
        rows.append([f"{name}, 4 benchmarks", "1", percent(many.failed), "", "", "", f"{many.pairs:.0f}", ""])
    for name, trace in recorded().items():
        within, between = (100 * each for each in spread(trace))
        beyond = "" if math.isnan(between) else f", runs beyond that by {between:.2f} %"
        print(f"{name}: {len(trace.pairs)} pairs vary by {within:.2f} % (standard deviation of ln(new / base)){beyond}")
    header = ["trace", "noise", "alarms", "passed", "5 % found", "false same", "pairs", "at 5 %"]
    table(header, rows)
    print(
        f"Alarms: of runs without a change; noise: times that recorded; {runs:,} drawn runs a cell, a quarter of that\n"
        "for 4 benchmarks. Pairs: the median number that it took, without a change and with one of 5 %.\n"
    )
    _controls(recorded(), runs // 4, random)
    error = math.sqrt(0.01 * 0.99 / runs) * 3 if quick else 0.0
    holds = max(alarms) <= MOST_ALARMS + error and max(false_same) <= MOST_FALSE_SAME + error
    holds = holds and min(power) >= LEAST_POWER - error
    unit = f"% alarms at most; power {percent(min(power))} at least, false same {percent(max(false_same))} at most"
    target = "<= 1 % alarms, >= 95 % power at 5 % by this gate's traces, <= 1 % false same"
    return Outcome("gate_simulation", round(100 * max(alarms), 3), unit, runs * len(rows), target, holds)


def _row(same: Told, slower: Told) -> list[str]:
    shares = (same.failed, same.passed, slower.failed, slower.passed)
    return [*map(percent, shares), f"{same.pairs:.0f}", f"{slower.pairs:.0f}"]


def _controls(traces: dict[str, Trace], runs: int, random: np.random.Generator) -> None:
    looks: Sequence[int] = (1, 5, 20, PAIRS - _CONTROL_FROM)
    rows = [[name, *(percent(control(trace, 1.0, n, runs, random)) for n in looks)] for name, trace in traces.items()]
    table(["a gate that repeats until significant: alarms", *(f"{n} looks" for n in looks)], rows)


if __name__ == "__main__":
    main(prove, __doc__)
