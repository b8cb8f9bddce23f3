"""The fit of variances: its objective and slope, whether it finds what it was given, and where `fitted.toml` stands."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import optimize, stats

from reports.projection import calibrated, calibration, fitting
from reports.projection.calibrated import POWER_NOISE
from reports.projection.mixed import design


def simulated(seed=0, devices=40, each=6):
    """Rows of devices, their values and kinds, from deviations of 0.5 (device), 0.2 (slope), 0.05 and 0.15 (noise)."""
    generator = np.random.default_rng(seed)
    rows, values, kinds = [], [], []
    for device in range(devices):
        effect, slope = generator.normal(0, 0.5), generator.normal(0, 0.2)
        for index in range(each):
            x, kind = float(generator.normal()), "exact" if index % 2 else "rough"
            rows.append({("device", str(device)): 1.0, ("slope", str(device)): x})
            values.append(effect + slope * x + generator.normal(0, 0.05 if kind == "exact" else 0.15))
            kinds.append(kind)
    return rows, values, kinds


@pytest.fixture
def objective(monkeypatch):
    """The function that `fit` minimizes for some simulated rows, and where it begins."""
    caught = SimpleNamespace()

    def minimize(loss, begin, **_):
        caught.loss, caught.begin = loss, begin
        return SimpleNamespace(x=begin)

    monkeypatch.setattr(fitting.optimize, "minimize", minimize)
    caught.rows, caught.values, caught.kinds = simulated(devices=4)
    caught.names = list(fitting.fit(caught.rows, caught.values, caught.kinds))
    return caught


def test_the_slope_is_that_of_finite_differences(objective):
    at = objective.begin + np.linspace(-0.5, 0.5, len(objective.begin))
    numeric = optimize.approx_fprime(at, lambda logs: objective.loss(logs)[0], 1e-6)
    assert objective.loss(at)[1] == pytest.approx(numeric, rel=1e-3, abs=1e-3)


def test_the_objective_is_the_marginal_likelihood_times_the_priors(objective):
    """Up to a constant, against the density of a normal distribution with the covariance written out."""
    place, matrix = design(objective.rows)

    def written_out(logs):
        deviation = dict(zip(objective.names, np.exp(logs), strict=True))
        prior = np.diag([deviation[family] ** 2 for family, _ in place])
        noise = np.diag([deviation[f"noise: {kind}"] ** 2 for kind in objective.kinds])
        likelihood = stats.multivariate_normal(cov=matrix @ prior @ matrix.T + noise).logpdf(objective.values)
        medians = [fitting.NOISE_MEDIAN if "noise" in name else fitting.MEDIAN for name in objective.names]
        factors = [fitting.NOISE_FACTOR if "noise" in name else fitting.FACTOR for name in objective.names]
        return -likelihood - stats.norm.logpdf(logs, np.log(medians), np.log(factors)).sum()

    here, there = objective.begin, objective.begin + 0.3
    assert objective.loss(there)[0] - objective.loss(here)[0] == pytest.approx(written_out(there) - written_out(here))


def test_known_deviations_are_found_again():
    found = fitting.fit(*simulated())
    truth = {"device": 0.5, "slope": 0.2, "noise: exact": 0.05, "noise: rough": 0.15}
    assert found == pytest.approx(truth, rel=0.3)
    assert list(found) == list(truth)


def test_a_family_of_which_the_data_do_not_speak_keeps_its_prior():
    rows, values, kinds = simulated(devices=5)
    silent = [{**row, ("silent", "all"): 0.0} for row in rows]
    assert fitting.fit(silent, values, kinds)["silent"] == pytest.approx(fitting.MEDIAN, rel=1e-3)


def test_the_shipped_deviations_are_those_of_the_shipped_rows_and_no_others():
    fitted = calibrated.prepared(calibration.shipped())
    families = {family for each in fitted for family, _ in each.row}
    assert set(calibrated.scales()) - set(calibrated.ASSUMED) == families | {each.noise for each in fitted}
    assert all(0 < value < 3 for value in calibrated.scales().values())


@pytest.mark.parametrize("of_power", [True, False], ids=["power", "times"])
def test_the_shipped_deviations_are_where_the_fit_ends(of_power, monkeypatch):
    """The objective falls no further: its slope over the logarithms is next to nothing for so many rows."""
    chosen = [each for each in calibrated.prepared(calibration.shipped()) if (each.noise == POWER_NOISE) == of_power]
    slopes = []

    def minimize(loss, begin, **_):
        slopes.append(loss(begin)[1])
        return SimpleNamespace(x=begin)

    monkeypatch.setattr(fitting.optimize, "minimize", minimize)
    kinds = [each.noise.removeprefix("noise: ") for each in chosen]
    fitting.fit([each.row for each in chosen], [each.log for each in chosen], kinds, calibrated.scales())
    assert np.abs(slopes[0]).max() < math.sqrt(len(chosen)) / 10
