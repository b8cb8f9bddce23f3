"""How often do nominal 95 % intervals hold the truth? On simulated noise, and on times of a real noisy machine.

A run is a few processes of a few blocks each. Its interval is the one of `process_interval`, first at fixed numbers
of blocks, then where `bench.stopping` stops. Everything is in logarithms, so widths are relative.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy import stats

from bench.allotment import goal
from bench.intervals import median_interval, process_interval
from bench.spec import SETTING_DEFAULTS
from bench.stopping import Measured, judge
from tests.proofs.proof import Outcome, main, table

LOW, HIGH = 93.0, 97.0
#: A sweep as it is by default: blocks of a process, the processes at its first look, and the most it may get.
BLOCKS_A_PROCESS = int(SETTING_DEFAULTS["rounds"])
GOAL = goal(SETTING_DEFAULTS)
#: Processes and blocks of each: the fewest that have an interval, few blocks in each, and two looks of a sweep.
LAYOUTS = ((6, 4), (10, 1), (10, 4), (8, 10), (16, 10))
COMPARED = (8, 10)
TRACE = Path(__file__).parent.parent / "traces" / "shared_2_cores.csv"

Array = np.ndarray
#: Draws so many runs of so many processes of so many blocks: (runs, processes, blocks).
Draw = Callable[[np.random.Generator, int, int, int], Array]
#: Lower and upper bounds, (runs,) each, from (runs, processes, blocks).
Method = Callable[[Array], tuple[Array, Array]]

#: Spread of the noise of a block, and of what a process adds to all its blocks.
NOISE, PROCESS = 0.02, 0.01


def white(random: np.random.Generator, *shape: int) -> Array:
    return NOISE * random.standard_normal(shape)


def ar1(random: np.random.Generator, *shape: int) -> Array:
    """Each block remembers 0.7 of the one before; the first is drawn from the stationary distribution."""
    steps = random.standard_normal(shape)
    found = steps.copy()
    for block in range(1, shape[-1]):
        found[..., block] = 0.7 * found[..., block - 1] + np.sqrt(1 - 0.7**2) * steps[..., block]
    return NOISE * found


def heavy(random: np.random.Generator, *shape: int) -> Array:
    """Student's t with 2 degrees of freedom: no finite variance."""
    return NOISE * random.standard_t(2, shape)


def skewed(random: np.random.Generator, *shape: int) -> Array:
    """Pareto with index 1.5: never faster than the machine allows, now and then far slower."""
    return NOISE * random.pareto(1.5, shape)


def regimes(random: np.random.Generator, *shape: int) -> Array:
    """A quarter of the time 10 % slower, for 10 blocks on end on average (0.1 to leave, so 0.1 / 3 to enter)."""
    slow = np.empty(shape, bool)
    slow[..., 0] = random.random(shape[:-1]) < 0.25
    for block in range(1, shape[-1]):
        chance = random.random(shape[:-1])
        slow[..., block] = np.where(slow[..., block - 1], chance >= 0.1, chance < 0.1 / 3)
    return 0.1 * slow + 0.5 * NOISE * random.standard_normal(shape)


def with_processes(noise: Callable[..., Array], spread: float = PROCESS) -> Draw:
    """Blocks of the noise, and on all blocks of one process the same shift."""

    def draw(random: np.random.Generator, runs: int, processes: int, blocks: int) -> Array:
        return noise(random, runs, processes, blocks) + spread * random.standard_normal((runs, processes, 1))

    return draw


def from_trace(logs: Array) -> Draw:
    """Runs from recorded processes (processes, blocks): drawn with replacement, so that the trace is the population;
    of each, neighbouring blocks from a random one on, the first after the last."""

    def draw(random: np.random.Generator, runs: int, processes: int, blocks: int) -> Array:
        chosen = random.integers(len(logs), size=(runs, processes, 1))
        begin = random.integers(logs.shape[1], size=(runs, processes, 1))
        return logs[chosen, (begin + np.arange(blocks)) % logs.shape[1]]

    return draw


def families(random: np.random.Generator) -> dict[str, tuple[Draw, float]]:
    """How to draw each kind of run, and the median of what is drawn: over the window of a trace, exact; else of 2^22
    draws, off by 0.02 % of the spread."""
    simulated = {
        "white": with_processes(white),
        "AR(1)": with_processes(ar1),
        "heavy-tailed": with_processes(heavy),
        "skewed": with_processes(skewed),
        "regimes": with_processes(regimes),
        "unlike processes": with_processes(white, 5 * NOISE),
    }
    found = {name: (draw, float(np.median(draw(random, 1 << 22, 1, 1)))) for name, draw in simulated.items()}
    rows = np.loadtxt(TRACE, delimiter=",", skiprows=1)  # sorted by pair, member, block
    pairs, members, blocks = (int(rows[:, column].max()) + 1 for column in range(3))
    logs = np.log(rows[:, 4]).reshape(pairs, members, blocks)
    for name, trace in (("trace", logs.reshape(-1, blocks)), ("trace, ratios", logs[:, 1] - logs[:, 0])):
        found[name] = from_trace(trace), float(np.median(trace))
    return found


def printed(runs: Array) -> tuple[Array, Array]:
    """What the suite prints."""
    return bounds([process_interval(run) for run in runs.tolist()])


def naive(runs: Array) -> tuple[Array, Array]:
    """The control: order statistics of all blocks, as if they were independent."""
    return bounds([median_interval(run) for run in runs.reshape(len(runs), -1).tolist()])


def order_statistics(runs: Array) -> tuple[Array, Array]:
    """Of the processes' medians: distribution-free, but only some confidences can be had (97.9 % at 10)."""
    return bounds([median_interval(run) for run in np.median(runs, axis=2).tolist()])


def hettmansperger_sheather(runs: Array) -> tuple[Array, Array]:
    """Interpolated order statistics of the processes' medians (Statistics & Probability Letters, 1986)."""
    ordered = np.sort(np.median(runs, axis=2), axis=1)  # (runs, processes)
    n = ordered.shape[1]
    k = int(stats.binom.ppf(0.025, n, 0.5))
    covers, covers_less = (1 - 2 * stats.binom.cdf([k - 1, k], n, 0.5)).tolist()
    part = (covers - 0.95) / (covers - covers_less)
    weight = (n - k) * part / (k + (n - 2 * k) * part)
    low = (1 - weight) * ordered[:, k - 1] + weight * ordered[:, k]
    return low, (1 - weight) * ordered[:, n - k] + weight * ordered[:, n - k - 1]


def t_of_means(runs: Array) -> tuple[Array, Array]:
    """Batch means: Student's t over the means of the processes."""
    return _student(runs.mean(axis=2))


def t_of_medians(runs: Array) -> tuple[Array, Array]:
    """Student's t over the medians of the processes."""
    return _student(np.median(runs, axis=2))


def _student(processes: Array) -> tuple[Array, Array]:
    n = processes.shape[1]
    half = stats.t.ppf(0.975, n - 1) * processes.std(axis=1, ddof=1) / np.sqrt(n)
    return processes.mean(axis=1) - half, processes.mean(axis=1) + half


def bootstrap(runs: Array) -> tuple[Array, Array]:
    """Percentiles of the median of all blocks over 200 resamplings of whole processes."""
    random, count = np.random.default_rng(2), runs.shape[1]
    medians = []
    for _ in range(200):
        chosen = random.integers(count, size=(len(runs), count, 1))
        medians.append(np.median(np.take_along_axis(runs, chosen, axis=1), axis=(1, 2)))
    low, high = np.quantile(medians, [0.025, 0.975], axis=0)
    return low, high


METHODS: dict[str, Method] = {
    "printed": printed,
    "naive": naive,
    "order statistics": order_statistics,
    "Hettmansperger-S.": hettmansperger_sheather,
    "t of means": t_of_means,
    "t of medians": t_of_medians,
    "bootstrap": bootstrap,
}


def bounds(found: list[tuple[float, float | None, float | None]]) -> tuple[Array, Array]:
    """Lower and upper bounds as arrays; no interval is an error of this proof, not coverage."""
    low, high = np.array([each[1:] for each in found], dtype=float).T
    assert not np.isnan(low).any(), "too few processes for an interval"
    return low, high


def coverage(found: tuple[Array, Array], truth: float) -> float:
    """Percentage of intervals that hold the truth."""
    low, high = found
    return 100 * float(np.mean((low <= truth) & (truth <= high)))


def width(found: tuple[Array, Array]) -> float:
    """Mean half-width in percent."""
    return 50 * float(np.mean(found[1] - found[0]))


@dataclass(frozen=True)
class Stopped:
    """Bounds of runs at the look where each stopped, and the mean of the blocks it had then."""

    bounds: tuple[Array, Array]
    blocks: float


def stopped(runs: Array, target: float) -> Stopped:
    """Where `bench.stopping` stops. A run gets fresh processes until it is precise; `runs` holds all it may get."""
    goal = replace(GOAL, half_width=target)
    found, blocks = [], []
    for run in runs.tolist():
        for look in goal.looks:
            verdict = judge(Measured("", run[: look // BLOCKS_A_PROCESS], block_s=0.0), goal)
            if verdict.stop is not None:
                break
        found.append((0.0, verdict.low, verdict.high))
        blocks.append(look)
    low, high = bounds(found)
    return Stopped((np.log(low), np.log(high)), float(np.mean(blocks)))


def stopped_at_once(runs: Array, target: float) -> Stopped:
    """The control: a run stops as soon as its plain 95 % interval is narrow, and prints it."""
    found, blocks = [], []
    for run in runs.tolist():
        for look in GOAL.looks:
            plain = process_interval(run[: look // BLOCKS_A_PROCESS])
            if plain[1] is not None and plain[2] is not None and plain[2] - plain[1] <= 2 * target:
                break
        found.append(plain)
        blocks.append(look)
    return Stopped(bounds(found), float(np.mean(blocks)))


def fixed_table(known: dict[str, tuple[Draw, float]], random: np.random.Generator, runs: int) -> list[float]:
    """Print and return the coverage of what is printed, at each number of blocks."""
    rows, figures = [], []
    for name, (draw, truth) in known.items():
        found = [printed(draw(random, runs, *layout)) for layout in LAYOUTS]
        shares = [coverage(each, truth) for each in found]
        figures += shares
        rows.append([name, *(f"{share:.1f} ({width(each):.2f})" for share, each in zip(shares, found, strict=True))])
    print("\nCoverage in % (mean half-width in %) by processes x blocks of each:")
    table(["noise", *(f"{processes} x {blocks}" for processes, blocks in LAYOUTS)], rows)
    return figures


def method_table(known: dict[str, tuple[Draw, float]], random: np.random.Generator, runs: int) -> None:
    """Print what other methods make of the same runs."""
    rows = []
    for name, (draw, truth) in known.items():
        drawn = draw(random, runs, *COMPARED)
        found = [method(drawn) for method in METHODS.values()]
        rows.append([name, *(f"{coverage(each, truth):.1f} ({width(each):.2f})" for each in found)])
    print(f"\nThe same by method, {COMPARED[0]} x {COMPARED[1]}, {runs} runs:")
    table(["noise", *METHODS], rows)


def stopping_table(known: dict[str, tuple[Draw, float]], random: np.random.Generator, runs: int) -> list[float]:
    """Print and return the coverage of what is printed where a run stops.

    The target is 1.25 times the usual half-width at the second look of three: runs stop at each, and there coverage is
    lowest.
    """
    rows, figures = [], []
    processes = GOAL.cap // BLOCKS_A_PROCESS
    for name, (draw, truth) in known.items():
        target = 1.25 * width(printed(draw(random, 400, processes // 2, BLOCKS_A_PROCESS))) / 100
        drawn = draw(random, runs, processes, BLOCKS_A_PROCESS)
        ours, control = stopped(drawn, target), stopped_at_once(drawn, target)
        shares = [(coverage(each.bounds, truth), each.blocks) for each in (ours, control)]
        figures.append(shares[0][0])
        rows.append([name, f"{100 * target:.2f}", *(f"{share:.1f} ({blocks:.0f})" for share, blocks in shares)])
    print("\nCoverage in % (mean number of blocks) where a run stops by itself:")
    table(["noise", "target, %", "bench.stopping", "plain interval, no split of alpha"], rows)
    return figures


def prove(quick: bool) -> Outcome:
    """The coverage that is farthest from 95 %, over all noises, numbers of blocks, and stopped runs."""
    runs = 2_000 if quick else 10_000
    random = np.random.default_rng(1)
    known = families(random)
    figures = fixed_table(known, random, runs)
    method_table(known, random, 1_000 if quick else 5_000)
    figures += stopping_table(known, random, runs)
    farthest = max(figures, key=lambda share: abs(share - 95))
    # Three standard errors of a share near 95 %: with few runs the worst of many is farther off by chance.
    slack = 3 * 100 * (0.95 * 0.05 / runs) ** 0.5 if quick else 0.0
    holds = LOW - slack <= farthest <= HIGH + slack
    return Outcome("interval_coverage", round(farthest, 2), "%", runs, f"{LOW:g} to {HIGH:g}", holds)


if __name__ == "__main__":
    main(prove, __doc__)
