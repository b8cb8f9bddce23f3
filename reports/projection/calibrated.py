"""Calibration and fitted variances together: a model of times and one of power, and what they were fitted on."""

import math
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from reports.projection import calibration, efficiency, physics, power
from reports.projection.calibration import Observation
from reports.projection.efficiency import Ideal, Ideals
from reports.projection.mixed import Posterior, posterior
from reports.projection.situations import Situation, Situations
from reports.projection.terms import Row

FITTED = "fitted.toml"
#: Deviations that no published run tells of. `ceilings`: the best large products reach 0.51 to 0.97 of a datasheet's
#: peak (mamf-finder's table), 0.25 apart in ln, so ceilings fall short of it by a factor as little known.
ASSUMED = {"ceilings": 0.25}
POWER_NOISE = "noise: power"
#: Measures that say how fast a run was; a `pace` was set by its clients or its lengths are not known, so that it says
#: what power goes with it, and not how fast the device is.
SPEEDS = ("throughput", "pace")
#: Own measurements are rows of this source.
OWN = "own"


@dataclass(frozen=True, eq=False)
class Fitted:
    """One observation as the models read it: `log` is ln(real / ideal) time, or ln(power / limit)."""

    observation: Observation
    situation: Situation
    ideal: Ideal
    row: Row
    log: float
    noise: str


@dataclass(frozen=True, eq=False)
class Calibrated:
    """The models after the observations `fitted`."""

    times: Posterior
    powers: Posterior
    fitted: tuple[Fitted, ...]


@lru_cache(maxsize=32)
def measurer(models: Calibrated, engine: str | None) -> str | None:
    """Who is projected for: who brought own measurements of the engine, whose ways then count; else somebody new."""
    mine = any(each.observation.source == OWN and engine in (None, each.situation.engine) for each in models.fitted)
    return OWN if mine else None


@lru_cache(maxsize=32)
def year(models: Calibrated, engine: str | None) -> float | None:
    """Of which year software is projected: nine tenths of the engine's measurements (of all, if None) are older.

    The newest one would be too far: a single run of this year says little of how software got on. None where no
    measurement of the engine has a year.
    """
    known = [
        each.situation.year
        for each in models.fitted
        if each.situation.year is not None and engine in (None, each.situation.engine)
    ]
    return float(np.quantile(known, 0.9, method="lower")) if known else None


def scales() -> dict[str, float]:
    """The standard deviations by family, and the noises, as `reports.projection.fitting` wrote them."""
    raw = tomllib.loads((files("reports.projection") / FITTED).read_text(encoding="utf-8"))
    return ASSUMED | {name: float(value) for name, value in raw["deviation"].items()}


def prepared(observations: Iterable[Observation]) -> tuple[Fitted, ...]:
    """Observations with their situations; those are left out whose device has no peak, bandwidth or limit.

    So is a power of which no speed was measured in the same run: it says nothing without it.
    """
    told = list(observations)
    many = Situations.of(calibration.situation(each) for each in told)
    ideals = efficiency.ideals(many)
    rows, power_rows = efficiency.terms(many, ideals).rows(), power.terms(many, ideals).rows()
    speeds = {_run(each): place for place, each in enumerate(told) if each.measure in SPEEDS}
    found = []
    for index, each in enumerate(told):
        situation, at = many.at(index), ideals.at(index)
        if at is None or each.measure == "pace":
            continue
        if each.measure == "power":
            limit, speed = situation.device.power, speeds.get(_run(each))
            if limit is not None and speed is not None:
                log = math.log(each.value / limit.limit_W)
                stall = math.log(told[speed].seconds / at.total_s)
                found.append(Fitted(each, situation, at, {**power_rows[index], power.STALL: stall}, log, POWER_NOISE))
        else:
            log = math.log(each.seconds / at.total_s)
            noise = f"noise: {efficiency.kind(situation.counts)}"
            found.append(Fitted(each, situation, at, rows[index], log, noise))
    return tuple(found)


def _run(observation: Observation) -> tuple[object, ...]:
    """The same for the speed and the power of one run."""
    return observation.source, observation.device, observation.power_limit_W, *observation.key[1:]


def calibrated(fitted: Sequence[Fitted], deviations: dict[str, float]) -> Calibrated:
    """The models of times and of power after `fitted`."""
    times = [each for each in fitted if each.noise != POWER_NOISE]
    powers = [each for each in fitted if each.noise == POWER_NOISE]
    return Calibrated(_model(times, deviations), _model(powers, deviations), tuple(fitted))


def _model(fitted: Sequence[Fitted], deviations: dict[str, float]) -> Posterior:
    rows = [each.row for each in fitted]
    return posterior(rows, [each.log for each in fitted], [deviations[each.noise] for each in fitted], deviations)


@cache
def shipped() -> Calibrated:
    """The models after all that comes with pinchpoint."""
    return calibrated(prepared(calibration.shipped()), scales())


def draws(
    models: Calibrated, many: Situations, ideals: Ideals, count: int, seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draws of each situation's seconds and of its power over the limit (situations x count), in common draws.

    No draw of the seconds is below what physics allows (`Ideal.least_s`).
    """
    logs = models.times.draw(efficiency.terms(many, ideals), count, seed)
    with np.errstate(divide="ignore"):  # where nothing is to be done, there is no least
        logs = physics.above(logs, np.log(ideals.least_s / ideals.total_s))
    shares = models.powers.draw(power.terms(many, ideals), count, seed)
    shares = shares + models.powers.draw([{power.STALL: 1.0}], count, seed) * logs
    return np.exp(logs) * ideals.total_s[:, None], np.exp(np.minimum(shares, math.log(power.MOST))).astype(float)
