"""How strongly the time of a point follows each resource of the machine, from experiments. Pure.

The elasticity of a resource is e = -d ln T / d ln R: by how many per cent time falls where the resource alone gives one
per cent more. Where T depends on the rates of resources alone, twice of all of them halves it, so the elasticities sum
to 1 (Euler's theorem on homogeneous functions). The sum is printed as a check of the method and never forced. A power
limit, which is no rate of work, may bring it above 1.

One intervention moves several rates at once (a thread fewer is less arithmetic and less cache), so ln T is fitted on
all ln R jointly, by least squares weighted with the spread of each experiment. Resources that every experiment moved
alike cannot be told apart: they get one elasticity together. Changes are finite, so what is fitted is the slope between
two states; where half of the time follows a rate that is halved, that is 0.58 and not 0.5.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from bench.intervals import process_interval
from bench.record import Experiment

#: A rate that changed by less was not moved: two looks at a resource differ by some per cent.
MOVED = 0.08
#: Cosine of the angle between the changes of two resources over all experiments beyond which they were moved alike.
ALIKE = 0.97
#: Least ratio of the smallest singular value of the design to the largest: below, errors of the times are multiplied by
#: more than ten in some combination of elasticities.
WELL_CONDITIONED = 0.1
#: A null experiment raises a false alarm where its interval excludes 0 and it seems to change more than this.
FALSE_ALARM = 0.02
#: Spread of the time of an experiment that is never believed to be smaller, in ln T: what its interval leaves out.
_LEAST_SPREAD = 0.01
_DRAWS = 400
#: With fewer processes there is no 95 % interval (`bench.intervals`).
FEWEST_PROCESSES = 6


@dataclass(frozen=True)
class Effect:
    """What an experiment did to the time: ln(with / without), with its 95 % interval over processes.

    The bounds are None where there are too few processes.
    """

    value: float
    low: float | None
    high: float | None

    @property
    def share(self) -> float:
        """The change of time as a share: 0.43 for 43 % longer."""
        return math.expm1(self.value)


@dataclass(frozen=True)
class Elasticity:
    """The elasticity of one resource, or of several together that no experiment told apart.

    `value` is None with the `reason`; the bounds of the 95 % interval are None where there is none.
    """

    resources: tuple[str, ...]
    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Fit:
    """All elasticities, their sum, the same under the constraint that none is negative, and what must be told."""

    elasticities: tuple[Elasticity, ...]
    total: Elasticity
    nonnegative: Mapping[tuple[str, ...], float]
    notes: tuple[str, ...]

    def of(self, resource: str) -> Elasticity | None:
        """The elasticity that holds `resource`, alone or with others; None where it was not looked at."""
        return next((each for each in self.elasticities if resource in each.resources), None)


def effect(experiment: Experiment) -> Effect | None:
    """The median of the experiment's pairs with the interval over its processes; None where it was not tried."""
    if not experiment.logs:
        return None
    return Effect(*process_interval(list(_by_process(experiment.logs, experiment).values())))


def false_alarm(experiment: Experiment) -> bool:
    """Whether an experiment that changed nothing seems to have changed something."""
    found = effect(experiment) if experiment.null else None
    if found is None or found.low is None or found.high is None:
        return False
    return not found.low <= 0 <= found.high and abs(found.share) > FALSE_ALARM


def _by_process(values: Sequence[float], experiment: Experiment) -> dict[int, list[float]]:
    """The values of each process; each pair counts as one where the record does not say."""
    numbers = experiment.processes if len(experiment.processes) == len(values) else range(len(values))
    found: dict[int, list[float]] = {}
    for number, value in zip(numbers, values, strict=True):
        found.setdefault(number, []).append(value)
    return found


def fit(experiments: Sequence[Experiment], seed: int = 0) -> Fit:
    """Elasticities from every experiment that moved a rate, with intervals from resampling processes."""
    used = [each for each in experiments if each.logs and not each.null and _moved(each.rates)]
    resources = list(dict.fromkeys(name for each in experiments for name in each.rates))
    changes = np.array([[each.rates.get(name, 0.0) for name in resources] for each in used]).reshape(
        len(used), len(resources)
    )
    moved = [place for place in range(len(resources)) if len(used) and np.abs(changes[:, place]).max() >= MOVED]
    unmoved = tuple(
        Elasticity((name,), None, reason="no intervention changed its rate")
        for place, name in enumerate(resources)
        if place not in moved
    )
    if not moved:
        nothing = Elasticity((), None, reason="no intervention changed any rate")
        return Fit(unmoved, nothing, {}, ("No intervention changed any rate, so nothing is known of elasticities.",))
    groups = _groups(changes, moved)
    grouping = np.zeros((len(resources), len(groups)))
    for column, members in enumerate(groups):
        grouping[members, column] = 1 / len(members)
    names = [tuple(resources[place] for place in members) for members in groups]
    times = np.array([-median(each.logs) for each in used])
    weights = 1 / np.hypot([_spread(each) for each in used], _LEAST_SPREAD)
    design = changes @ grouping
    notes = [f"{_listed(each)} were moved alike: only their sum is known." for each in names if len(each) > 1]
    singular = np.linalg.svd(design * weights[:, None] / weights.max(), compute_uv=False)
    known = len(used) >= len(groups) and singular[-1] >= WELL_CONDITIONED * singular[0]
    if not known:
        notes.append(
            f"{len(used)} experiments do not tell {len(groups)} elasticities apart (ill-conditioned): "
            "the smallest that explain the times are shown, without intervals."
        )
    best = _solve(design, times, weights)
    processes = min(len(_by_process(each.logs, each)) for each in used)
    few = processes < FEWEST_PROCESSES
    if few:
        notes.append(f"{processes} processes are too few for intervals.")
    if not known or few:
        found = [Elasticity(name, float(value)) for name, value in zip(names, best, strict=True)]
        total = Elasticity((), float(best.sum()))
    else:
        draws = _resampled(used, resources, grouping, weights, seed)
        widths = _widening(processes)
        bounds = [_interval(value, draws[:, column], widths) for column, value in enumerate(best)]
        found = [Elasticity(n, float(v), *b) for n, v, b in zip(names, best, bounds, strict=True)]
        total = Elasticity((), float(best.sum()), *_interval(best.sum(), draws.sum(axis=1), widths))
    return Fit((*found, *unmoved), total, _nonnegative(design, times, weights, names), tuple(notes))


def _moved(rates: Mapping[str, float]) -> bool:
    return any(abs(rate) >= MOVED for rate in rates.values())


def _groups(changes: "np.ndarray", moved: Sequence[int]) -> list[list[int]]:
    """Columns that point the same way, up to `ALIKE`, together; what is too small to have moved counts as 0."""
    clean = np.where(np.abs(changes) < MOVED, 0.0, changes)
    groups: list[list[int]] = []
    for place in moved:
        column = clean[:, place]
        for group in groups:
            other = clean[:, group[0]]
            if abs(column @ other) >= ALIKE * np.linalg.norm(column) * np.linalg.norm(other):
                group.append(place)
                break
        else:
            groups.append([place])
    return groups


def _solve(design: "np.ndarray", times: "np.ndarray", weights: "np.ndarray") -> "np.ndarray":
    """Weighted least squares; of all that fit equally well, the smallest (directions below the threshold are left)."""
    found: np.ndarray = np.linalg.lstsq(design * weights[:, None], times * weights, rcond=WELL_CONDITIONED / 4)[0]
    return found


def _spread(experiment: Experiment) -> float:
    """Standard error of the experiment's ln T, over processes."""
    each = [median(values) for values in _by_process(experiment.logs, experiment).values()]
    return float(np.std(each, ddof=1) / math.sqrt(len(each))) if len(each) > 1 else 0.1


def _resampled(
    used: Sequence[Experiment], resources: Sequence[str], grouping: "np.ndarray", weights: "np.ndarray", seed: int
) -> "np.ndarray":
    """Elasticities (draws, groups) of experiments whose processes were drawn anew, with what these saw of the rates."""
    random = np.random.default_rng(seed)
    draws = []
    for _ in range(_DRAWS):
        times, changes = [], []
        for each in used:
            processes = list(_by_process(each.logs, each).values())
            chosen = random.integers(len(processes), size=len(processes))
            times.append(-median(value for place in chosen for value in processes[place]))
            changes.append([_drawn(each, name, chosen) for name in resources])
        draws.append(_solve(np.array(changes) @ grouping, np.array(times), weights))
    return np.array(draws)


def _drawn(experiment: Experiment, resource: str, chosen: "np.ndarray") -> float:
    logs = experiment.rate_logs.get(resource)
    if not logs or len(logs) != len(experiment.logs):
        return experiment.rates.get(resource, 0.0)
    processes = list(_by_process(logs, experiment).values())
    return float(median(value for place in chosen for value in processes[place]))


def _widening(processes: int) -> float:
    """How much wider than a bootstrap's the interval must be: the spread of few processes is itself uncertain."""
    from scipy.stats import t

    return float(t.ppf(0.975, processes - 1) / 1.96 * math.sqrt(processes / (processes - 1)))


def _interval(value: float, draws: "np.ndarray", widening: float) -> tuple[float, float]:
    low, high = np.quantile(draws, [0.025, 0.975])
    return float(value - widening * max(value - low, 0.0)), float(value + widening * max(high - value, 0.0))


def _nonnegative(
    design: "np.ndarray", times: "np.ndarray", weights: "np.ndarray", names: Sequence[tuple[str, ...]]
) -> dict[tuple[str, ...], float]:
    from scipy.optimize import nnls

    found, _ = nnls(design * weights[:, None], times * weights)
    return {name: float(value) for name, value in zip(names, found, strict=True)}


def _listed(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
