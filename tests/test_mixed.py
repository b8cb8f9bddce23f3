"""The mixed model against the textbook's formulas on small random designs, and what it says of what it never saw."""

import numpy as np
import pytest

from reports.projection import mixed

SCALES = {"all": 0.7, "group": 0.3, "slope": 0.2}
NEW = {("all", "all"): 1.0, ("group", "never seen"): 0.5}


def data(seed, rows=9):
    """Random rows in three groups, values, noises."""
    generator = np.random.default_rng(seed)
    design = [
        {("all", "all"): 1.0, ("group", f"g{index % 3}"): 1.0, ("slope", "all"): float(generator.normal())}
        for index in range(rows)
    ]
    return design, generator.normal(size=rows), generator.uniform(0.05, 0.5, rows)


def textbook(rows, values, noises):
    """Bishop (2006), equations 3.50 and 3.51, with a prior of its own on each effect: place, mean, covariance."""
    place, matrix = mixed.design(rows)
    prior = np.diag([SCALES[family] ** -2.0 for family, _ in place])
    covariance = np.linalg.inv(prior + matrix.T @ np.diag(noises**-2.0) @ matrix)
    return place, covariance @ matrix.T @ (values / noises**2), covariance


@pytest.mark.parametrize("seed", range(5))
def test_the_posterior_is_that_of_the_textbook(seed):
    rows, values, noises = data(seed)
    place, mean, covariance = textbook(rows, values, noises)
    asked, _, _ = data(seed + 100, rows=4)
    matrix = np.array([[row.get(term, 0.0) for term in place] for row in asked])
    found, spread = mixed.posterior(rows, values, noises, SCALES).predict(asked)
    assert found == pytest.approx(matrix @ mean)
    assert spread == pytest.approx(np.sqrt(np.diag(matrix @ covariance @ matrix.T)))


def test_a_level_that_was_never_seen_adds_its_prior_variance_and_no_mean():
    model = mixed.posterior(*data(1), SCALES)
    (known, new), (narrow, wide) = model.predict([{("all", "all"): 1.0}, NEW])
    assert new == known
    assert wide**2 - narrow**2 == pytest.approx((0.5 * SCALES["group"]) ** 2)


def test_nothing_known_leaves_the_prior():
    (mean,), (spread,) = mixed.posterior(*data(2), SCALES).predict([{("group", "a"): 1.0, ("group", "b"): 2.0}])
    assert mean == 0
    assert spread == pytest.approx(SCALES["group"] * 5**0.5)


def test_a_family_without_a_deviation_is_a_mistake():
    with pytest.raises(KeyError):
        mixed.posterior(*data(3), {"all": 1.0})


def test_draws_have_the_mean_and_the_covariance_of_the_prediction():
    model = mixed.posterior(*data(4), SCALES)
    first, second = {("all", "all"): 1.0, ("group", "g0"): 1.0}, NEW
    both = {term: first.get(term, 0.0) + second.get(term, 0.0) for term in first | second}
    mean, spread = model.predict([first, second, both])
    drawn = model.draw([first, second], 40_000, 0)
    covariance = (spread[2] ** 2 - spread[0] ** 2 - spread[1] ** 2) / 2  # Var(a + b) = Var a + Var b + 2 Cov(a, b)
    assert drawn.mean(axis=1) == pytest.approx(mean[:2], abs=0.01)
    assert np.cov(drawn) == pytest.approx(
        np.array([[spread[0] ** 2, covariance], [covariance, spread[1] ** 2]]), rel=0.05, abs=5e-4
    )


def test_rows_share_the_draws_of_what_they_have_in_common():
    model = mixed.posterior(*data(5), SCALES)
    one, same, other = model.draw([NEW, NEW, {**NEW, ("group", "another"): 1.0}], 1000, 1)
    assert one == pytest.approx(same)
    assert np.std(other - one) == pytest.approx(SCALES["group"], rel=0.1)


def test_a_measurement_without_noise_is_believed():
    rows, values, _ = data(6, rows=1)
    (found,), (spread,) = mixed.posterior(rows, values, [1e-6], SCALES).predict(rows)
    assert found == pytest.approx(values[0])
    assert spread < 1e-5
