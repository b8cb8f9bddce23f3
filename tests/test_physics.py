"""Draws that physics rules out give way to those that it allows."""

import numpy as np
import pytest

from reports.projection import physics

LOGS = np.random.default_rng(0).normal(0.0, 0.5, (1, 20_000))


def above(least, logs=LOGS):
    return physics.above(logs, np.array([least]))


@pytest.mark.parametrize("least", [-np.inf, -5.0])
def test_a_limit_far_away_changes_nothing(least):
    assert np.array_equal(above(least), LOGS)


@pytest.mark.parametrize("least", [-0.5, 0.0, 1.0, 3.0, 10.0])
def test_what_is_left_is_the_part_of_the_distribution_above_the_limit(least):
    drawn = above(least)
    assert np.isfinite(drawn).all()
    assert drawn.min() >= least
    mean, spread = LOGS.mean(), LOGS.std()
    start = (least - mean) / spread
    # far above the mean, the tail falls like an exponential of this scale (Mills' ratio)
    expected = mean + spread * (np.exp(-(start**2) / 2) / np.sqrt(2 * np.pi) / physics.special.ndtr(-start))
    assert drawn.mean() - least == pytest.approx(expected - least, rel=0.05)


def test_the_order_of_the_draws_stays():
    assert np.array_equal(np.argsort(above(0.3), axis=1), np.argsort(LOGS, axis=1))
