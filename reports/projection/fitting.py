"""Fits the variances of the mixed models to the calibration, and writes them to `fitted.toml`.

`python -m reports.projection.fitting` does it; the figures of that file are never written by hand. The fit is the
maximum of the marginal likelihood (Rasmussen & Williams, 2006, section 5.4.1) times a weak log-normal prior on each
standard deviation, which keeps those that few data speak of away from 0.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy import linalg, optimize

from reports.projection import calibrated, calibration
from reports.projection.mixed import design
from reports.projection.terms import Floats, Row

#: Prior of every standard deviation: its median, and by which factor one standard deviation goes.
MEDIAN, FACTOR = 0.15, math.exp(0.8)
#: Of families with a handful of levels the data tell little, so more is known beforehand: the shares of their peaks
#: that vendors' software reaches in large products, 0.51 to 0.97, are 0.25 apart in ln (mamf-finder's table).
FEW, FEW_FACTOR = 0.25, math.exp(0.3)
NOISE_MEDIAN, NOISE_FACTOR = 0.04, math.exp(0.5)
NOISE = "noise"


def fit(
    rows: Sequence[Row],
    values: Sequence[float],
    kinds: Sequence[str],
    start: Mapping[str, float] | None = None,
    iterations: int = 200,
) -> dict[str, float]:
    """The standard deviation of each family of terms, and of the noise of each kind of row (`noise: KIND`)."""
    place, matrix = design(rows)
    families = sorted({family for family, _ in place})
    noises = sorted(set(kinds))
    of_column = np.array([families.index(family) for family, _ in place])
    of_row = np.array([noises.index(kind) for kind in kinds])
    target = np.asarray(values, float)
    parts = [(matrix[of_row == index], target[of_row == index]) for index in range(len(noises))]
    grams = [part.T @ part for part, _ in parts]
    moments = [part.T @ told for part, told in parts]
    names = [*families, *(f"{NOISE}: {kind}" for kind in noises)]
    medians, factors = np.log([_prior(name) for name in names]).T

    def loss(logs: Floats) -> tuple[float, Floats]:
        scales, variances = np.exp(logs[: len(families)])[of_column], np.exp(2 * logs[len(families) :])
        gram = sum(each / variance for each, variance in zip(grams, variances, strict=True))
        precision = gram * np.outer(scales, scales)
        precision[np.diag_indices_from(precision)] += 1
        factor = linalg.cholesky(precision, lower=True, check_finite=False)
        inverse = linalg.lapack.dpotri(factor, lower=True)[0]
        inverse += np.tril(inverse, -1).T
        moment = sum(each / variance for each, variance in zip(moments, variances, strict=True))
        mean = inverse @ (scales * moment)
        away = (logs - medians) / factors
        value = 0.5 * (mean @ mean + away @ away) + np.log(np.diag(factor)).sum()
        # Fisher's identity: a deviation is too small where its effects are larger than it, posterior spread included
        slope = away / factors
        slope[: len(families)] += np.bincount(of_column, 1 - mean**2 - np.diag(inverse), len(families))
        for index, (part, told) in enumerate(parts):
            rest, variance = told - part @ (scales * mean), variances[index]
            value += 0.5 * rest @ rest / variance + len(told) * logs[len(families) + index]
            spread = ((inverse * np.outer(scales, scales)) * grams[index]).sum() / variance
            slope[len(families) + index] += len(told) - rest @ rest / variance - spread
        return float(value), slope

    begin = np.log([(start or {}).get(name, math.exp(median)) for name, median in zip(names, medians, strict=True)])
    done = optimize.minimize(loss, begin, jac=True, method="L-BFGS-B", options={"maxiter": iterations})
    return {name: float(math.exp(log)) for name, log in zip(names, done.x, strict=True)}


def _prior(name: str) -> tuple[float, float]:
    """Median and factor of a deviation's prior."""
    if name.startswith(NOISE):
        return NOISE_MEDIAN, NOISE_FACTOR
    return (FEW, FEW_FACTOR) if name.partition(": ")[2] in ("vendor", "backend") else (MEDIAN, FACTOR)


def refit(fitted: Sequence[calibrated.Fitted], start: Mapping[str, float] | None = None) -> dict[str, float]:
    """The deviations of both models for these rows."""
    found: dict[str, float] = {}
    for of_power in (False, True):
        chosen = [each for each in fitted if (each.noise == calibrated.POWER_NOISE) == of_power]
        kinds = [each.noise.removeprefix("noise: ") for each in chosen]
        found |= fit([each.row for each in chosen], [each.log for each in chosen], kinds, start)
    return found


def main() -> None:
    """Write `fitted.toml` beside this file."""
    found = refit(calibrated.prepared(calibration.shipped()))
    lines = [
        "# Standard deviations of the effects in efficiency.py and power.py, in ln(time) or ln(power), fitted to",
        "# calibration.csv by `python -m reports.projection.fitting`. Never edited by hand.",
        "",
        "[deviation]",
        *(f'"{name}" = {value:.4f}' for name, value in sorted(found.items())),
    ]
    Path(__file__).with_name(calibrated.FITTED).write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
