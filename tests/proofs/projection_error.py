"""How wrong is a projection to a device that was never measured, and how often is the truth in its interval?

On the published runs of the calibration: every row of a device is held out and projected from all others; so are the
deviations that say how wide intervals are (five folds of devices; with --quick those that are shipped). `one out` is
each row of it. `one to one` are the same projections for each pair of rows that one source measured on two devices and
that differ in nothing else, beside two naive rules which scale the other device's row by the ratio of bandwidths, or of
peaks. `new source`: of all that one source measured, one device alone is known (a sample of the pairs).

Errors are |projected / real - 1| of a rate (tokens/s) or of joules per token; intervals are of 90 %. The rows are those
of calibration.csv that stand beyond doubt; what the deviations are fitted to besides is the same.
"""

import math
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from random import Random

import numpy as np

from reports.projection import calibrated, calibration, efficiency, fitting
from reports.projection.calibrated import POWER_NOISE, Fitted
from reports.projection.power import STALL
from tests.proofs.held_out import HeldOut
from tests.proofs.proof import Outcome, main, table

#: Median and 90th percentile of the error that are aimed at, in per cent.
TARGETS = {"decode": (10, 25), "prefill": (15, 40), "offline": (12, 30), "joules per token": (8, 18)}
COVERAGE = (0.88, 0.95)
RANKED = 0.95
FOLDS = 5
#: Pairs of a source and two devices for `new source`.
SAMPLED = 40
Z90 = 1.6449


@dataclass(frozen=True)
class Compared:
    """ln(projected / real) of a figure that was held out, and the deviation said of it."""

    what: str
    engine: str
    error: float
    deviation: float


@dataclass(frozen=True)
class Paired(Compared):
    """The same, with ln(real / real of the other device), and ln(projected / real) by the naive rules."""

    apart: float
    by_bandwidth: float
    by_peak: float | None


@dataclass(frozen=True)
class Pair:
    """One source's rows on two devices, `known` and `asked`, that differ in nothing else: their places."""

    source: str
    known: str
    asked: str
    rows: tuple[tuple[int, int], ...]


def what(each: Fitted) -> str:
    kind = efficiency.kind(each.situation.counts)
    return {"prefill": "prefill", "serving": "offline"}.get(kind, "decode")


def by_device(fitted: Sequence[Fitted]) -> dict[str, np.ndarray]:
    found = defaultdict(list)
    for place, each in enumerate(fitted):
        found[each.situation.device.name].append(place)
    return {name: np.array(places) for name, places in found.items()}


def compared(model: HeldOut, asked: np.ndarray, left_out: np.ndarray) -> list[Compared]:
    means, deviations = model.predict(asked, left_out)
    rows = [(model.fitted[place], mean, sigma) for place, mean, sigma in zip(asked, means, deviations, strict=True)]
    # a rate is the inverse of a time
    return [Compared(what(each), each.situation.engine or "", each.log - mean, sigma) for each, mean, sigma in rows]


def pairs(fitted: Sequence[Fitted]) -> list[Pair]:
    by_source: dict[str, dict[str, dict[tuple[object, ...], int]]] = defaultdict(lambda: defaultdict(dict))
    for place, each in enumerate(fitted):
        by_source[each.observation.source][each.situation.device.name][each.observation.key] = place
    found = []
    for source, devices in by_source.items():
        for known, asked in permutations(devices, 2):
            same = tuple((devices[known][key], devices[asked][key]) for key in devices[asked] if key in devices[known])
            if same:
                found.append(Pair(source, known, asked, same))
    return found


def paired(fitted: Sequence[Fitted], pair: Pair, projected: Sequence[Compared]) -> Iterator[Paired]:
    for (known, asked), each in zip(pair.rows, projected, strict=True):
        one, other = fitted[known], fitted[asked]
        apart = math.log(other.observation.value / one.observation.value)
        bandwidth = efficiency.bandwidth(other.situation.device) / efficiency.bandwidth(one.situation.device)
        peak = efficiency.peak(other.situation) / efficiency.peak(one.situation)
        naive = (math.log(bandwidth) - apart, math.log(peak) - apart)
        yield Paired(each.what, each.engine, each.error, each.deviation, apart, *naive)


def new_source(model: HeldOut, chosen: Sequence[Pair]) -> Iterator[Paired]:
    for pair in chosen:
        gone = [
            place
            for place, each in enumerate(model.fitted)
            if each.situation.device.name == pair.asked
            or (each.observation.source == pair.source and each.situation.device.name != pair.known)
        ]
        asked = np.array([place for _, place in pair.rows])
        yield from paired(model.fitted, pair, compared(model, asked, np.array(gone)))


def joules(
    times: Sequence[Fitted], powers: HeldOut, of_time: Mapping[int, Compared], mine: Collection[str] | None
) -> Iterator[Paired]:
    """Pairs of devices of which one source measured power and speed in the same runs. Naive: nothing changes.

    The power follows from the time that was projected, never from the real one.
    """
    runs = {(e.observation.source, e.situation.device.name, *e.observation.key[1:]): p for p, e in enumerate(times)}
    devices = by_device(powers.fitted)
    for pair in pairs(powers.fitted):
        if mine is not None and pair.asked not in mine:
            continue
        for places in pair.rows:
            rows = [powers.fitted[place] for place in places]
            at = [runs.get((pair.source, row.situation.device.name, *row.observation.key[1:])) for row in rows]
            if None in at:  # their pace is no speed
                continue
            one, other = (
                math.log(row.observation.value * row.situation.devices / times[place].observation.value)
                for row, place in zip(rows, at, strict=True)
            )
            time = of_time[at[1]]
            stall = np.array([times[at[1]].log - time.error])
            asked = np.array([places[1]])
            (mean,), (sigma,) = powers.predict(asked, devices[pair.asked], {STALL: stall})
            (more,), _ = powers.predict(asked, devices[pair.asked], {STALL: stall + 1})
            # a time that is too long says a power that is too low, so part of its error cancels
            deviation = math.hypot((1 + more - mean) * time.deviation, sigma)
            error = -(time.error + rows[1].log - mean)
            yield Paired("joules per token", time.engine, error, deviation, other - one, one - other, None)


def percent(logs: Sequence[float]) -> np.ndarray:
    return 100 * np.abs(np.expm1(np.asarray(logs)))


def middle_and_high(logs: Sequence[float]) -> list[str]:
    errors = percent(logs)
    return [f"{np.median(errors):.1f}", f"{np.quantile(errors, 0.9):.1f}"]


def inside(found: Sequence[Compared]) -> float:
    return float(np.mean([abs(each.error) <= Z90 * each.deviation for each in found]))


def ranked(found: Sequence[Paired]) -> float | None:
    """The share of pairs, more than 10 % apart in truth, whose order is projected right."""
    far = [each for each in found if abs(each.apart) > math.log(1.1)]
    return float(np.mean([(each.apart + each.error > 0) == (each.apart > 0) for each in far])) if far else None


def line(name: str, found: Sequence[Compared]) -> list[str]:
    width = 100 * math.expm1(Z90 * float(np.median([each.deviation for each in found])))
    errors = middle_and_high([each.error for each in found])
    return [name, str(len(found)), *errors, f"{100 * inside(found):.0f}", f"±{width:.0f}"]


def paired_line(name: str, found: Sequence[Paired]) -> list[str]:
    peaks = [each.by_peak for each in found if each.by_peak is not None]
    right = ranked(found)
    return [
        *line(name, found),
        *middle_and_high([each.by_bandwidth for each in found]),
        *(middle_and_high(peaks) if peaks else ["", ""]),
        "" if right is None else f"{100 * right:.1f}",
    ]


def folds(fitted: Sequence[Fitted]) -> list[set[str]]:
    names = sorted({each.situation.device.name for each in fitted})
    Random(0).shuffle(names)
    return [set(names[place::FOLDS]) for place in range(FOLDS)]


def prove(quick: bool) -> Outcome:
    shipped, fitted = calibrated.scales(), calibrated.prepared(calibration.shipped())
    times = [each for each in fitted if each.noise not in (POWER_NOISE, "noise: matmul")]
    products = [each for each in fitted if each.noise == "noise: matmul"]
    powers = [each for each in fitted if each.noise == POWER_NOISE]
    of_time: dict[int, Compared] = {}
    energy: list[Paired] = []
    fresh: list[Paired] = []
    every = pairs(times)
    sample = Random(0).sample(every, min(SAMPLED, len(every)))
    for fold in [None] if quick else folds(fitted):
        deviations = shipped
        if fold is not None:
            deviations = fitting.refit([each for each in fitted if each.situation.device.name not in fold], shipped)
        model = HeldOut([*times, *products], deviations)
        for name, rows in by_device(model.fitted).items():
            asked = rows[rows < len(times)]
            if asked.size and (fold is None or name in fold):
                of_time |= dict(zip(asked.tolist(), compared(model, asked, rows), strict=True))
        fresh += new_source(model, [pair for pair in sample if fold is None or pair.asked in fold])
        energy += joules(times, HeldOut(powers, deviations), of_time, fold)
    across = [each for pair in every for each in paired(times, pair, [of_time[asked] for _, asked in pair.rows])]
    return reported(list(of_time.values()), [*across, *energy], fresh)


def reported(out: Sequence[Compared], across: Sequence[Paired], fresh: Sequence[Paired]) -> Outcome:
    head = ["rows", "n", "median, %", "p90, %", "in the interval, %", "width, %"]
    kinds = ("decode", "prefill", "offline")
    rows = []
    for name in kinds:
        these = [each for each in out if each.what == name]
        rows.append(line(name, these))
        for engine in sorted({each.engine for each in these}):
            rows += [line(f"  {engine}", [each for each in these if each.engine == engine])]
    print("One device left out")
    table(head, rows)
    more = [*head, "by bandwidth", "p90", "by peak", "p90", "ranked right, %"]
    for title, found in (("From one device to each other one", across), ("The same from a new source, sampled", fresh)):
        print(f"\n{title}")
        groups = {name: [each for each in found if each.what == name] for name in TARGETS}
        table(more, [paired_line(name, these) for name, these in groups.items() if these])
    print("(joules per token: the naive rule is that nothing changes)\n")
    good = True
    for name, (median, high) in TARGETS.items():
        these = [each for each in across if each.what == name]
        # a row counts once for its interval, though it stands in many pairs
        good &= judged(name, these, [each for each in out if each.what == name] or these, median, high)
    decode = percent([each.error for each in across if each.what == "decode"])
    target = "; ".join(f"{name} {median} / {high} %" for name, (median, high) in TARGETS.items())
    figure = round(float(np.median(decode)), 2)
    return Outcome("projection_error", figure, "% (median of decode, one to one)", len(across), target, good)


def judged(name: str, these: Sequence[Paired], rows: Sequence[Compared], median: float, high: float) -> bool:
    """Print each aim with what was reached, and say whether all were: of the pairs, and of the intervals of `rows`."""
    errors, right, share = percent([each.error for each in these]), ranked(these) or 0.0, inside(rows)
    aims = {
        f"median {np.median(errors):.1f} (aim {median}) %": np.median(errors) <= median,
        f"p90 {np.quantile(errors, 0.9):.1f} (aim {high}) %": np.quantile(errors, 0.9) <= high,
        f"in the interval {100 * share:.0f} (aim 88 to 95) %": COVERAGE[0] <= round(share, 2) <= COVERAGE[1],
        f"ranked right {100 * right:.1f} (aim 95) %": right >= RANKED,
    }
    print(f"{name}: " + "; ".join(f"{said}{'' if held else ' MISSED'}" for said, held in aims.items()))
    return all(aims.values())


if __name__ == "__main__":
    main(prove, __doc__)
