"""Factors in the shape of an arrow are those of the dense matrix, and so is what a mixed model makes of them."""

import numpy as np
import pytest
from scipy import sparse

from reports.projection.arrow import Arrow
from reports.projection.mixed import posterior
from reports.projection.terms import Terms, sparse_design

SCALES = {"all": 0.5, "group": 0.3, "slope": 0.2, "nested": 0.4}
NOISE = 0.1


def rows(count=40, seed=0):
    """Rows with an intercept, one of four groups, a slope of their own, and one of fifteen nested groups."""
    random = np.random.default_rng(seed)
    return [
        {
            ("all", "all"): 1.0,
            ("group", str(index % 4)): float(random.uniform(0.5, 1)),
            ("slope", str(index % 4)): float(random.normal()),
            ("nested", str(index % 15)): 1.0,
        }
        for index in range(count)
    ]


def dense(told, values):
    """Mean and covariance of the effects by the textbook, in the order of the terms of `sparse_design`."""
    place, matrix = sparse_design(told)
    scaled = matrix.toarray() * np.array([SCALES[family] for family, _ in place])
    covariance = np.linalg.inv(np.eye(len(place)) + scaled.T @ scaled / NOISE**2)
    return place, covariance @ scaled.T @ values / NOISE**2, covariance


@pytest.mark.parametrize("nested", [0, 5, 8])
def test_the_factor_solves_as_the_dense_one_does(nested):
    random = np.random.default_rng(1)
    matrix = np.zeros((30, 8))
    if nested:
        matrix[np.arange(30), np.arange(30) % nested] = 1
    matrix[:, nested:] = random.normal(size=(30, 8 - nested))
    precision = np.eye(8) + matrix.T @ matrix
    arrow = Arrow.of(sparse.csc_matrix(matrix), nested)
    right = random.normal(size=(8, 3))
    factor = np.linalg.cholesky(precision)
    assert arrow.solve(right) == pytest.approx(np.linalg.solve(factor, right))
    assert arrow.solve_transposed(right) == pytest.approx(np.linalg.solve(factor.T, right))


def test_a_posterior_is_that_of_the_dense_regression():
    told, values = rows(), np.random.default_rng(2).normal(size=40)
    found = posterior(told, values, [NOISE] * 40, SCALES)
    place, mean, covariance = dense(told, values)
    assert [found.mean[found.place[term]] for term in place] == pytest.approx(mean)
    asked = rows(12, seed=3)
    likely, spread = found.predict(asked)
    scaled = np.zeros((12, len(place)))
    for index, row in enumerate(asked):
        for term, value in row.items():
            scaled[index, place[term]] = value * SCALES[term[0]]
    assert likely == pytest.approx(scaled @ mean)
    assert spread == pytest.approx(np.sqrt(np.einsum("ij,jk,ik->i", scaled, covariance, scaled)))


def test_draws_have_the_mean_and_the_covariance_of_the_posterior():
    found = posterior(rows(), np.random.default_rng(2).normal(size=40), [NOISE] * 40, SCALES)
    asked = [{("all", "all"): 1.0, ("nested", "new"): 1.0}, {("all", "all"): 1.0, ("nested", "new"): 1.0}, rows()[0]]
    likely, spread = found.predict(asked)
    draws = found.draw(asked, 20_000, seed=1)
    assert draws.mean(axis=1) == pytest.approx(likely, abs=4 * spread.max() / np.sqrt(20_000))
    assert draws.std(axis=1) == pytest.approx(spread, rel=0.03)
    assert draws[0] == pytest.approx(draws[1])  # the same unknown group


def test_an_effect_has_the_same_draws_whatever_else_is_drawn():
    found = posterior(rows(), np.zeros(40), [NOISE] * 40, SCALES)
    new, other = {("all", "all"): 1.0, ("nested", "new"): 1.0}, {("group", "unknown"): 1.0, ("nested", "b"): 1.0}
    assert found.draw([other, new], 50, seed=1)[1] == pytest.approx(found.draw([new], 50, seed=1)[0], abs=1e-6)
    assert found.draw([new], 50, seed=2)[0] != pytest.approx(found.draw([new], 50, seed=1)[0], abs=0.01)


def test_nothing_measured_leaves_the_prior_alone():
    likely, spread = posterior([], [], [], SCALES).predict([{("all", "all"): 2.0, ("group", "0"): 1.0}])
    assert likely == [0.0]
    assert spread == pytest.approx([np.hypot(2 * 0.5, 0.3)])


def test_terms_of_many_rows_are_those_of_each_row():
    terms = Terms(np.array([0, 1, 0]))
    terms.add("all", "all")
    terms.add("group", ["a", "b"], np.array([0.5, 2.0, 0.0]))
    expected = [
        {("all", "all"): 1.0, ("group", "a"): 0.5},
        {("all", "all"): 1.0, ("group", "b"): 2.0},
        {("all", "all"): 1.0},
    ]
    assert terms.rows() == expected
    effects = {("all", "all"): 10.0, ("group", "a"): 1.0, ("group", "b"): 3.0}
    assert list(terms.total(effects.__getitem__)) == [10.5, 16.0, 10.0]
    place, matrix = sparse_design(terms)
    again, same = sparse_design(expected)
    assert set(place) == set(again)
    for term, column in place.items():
        assert list(matrix.toarray()[:, column]) == list(same.toarray()[:, again[term]])
