"""A linear mixed model with known variances: effects of groups and slopes, each with a normal prior of mean 0.

y = sum of value * effect over the terms of a row + noise, as in Pinheiro & Bates (2000), chapter 2, with the posterior
of a Bayesian linear regression (Bishop, 2006, section 3.3). A group that was never seen has its prior alone, so a new
device or engine widens an answer by as much as known ones differ. The variances are those of `reports.projection.
fitting`.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from reports.projection.arrow import Arrow
from reports.projection.terms import Floats, Row, Term, Terms, sparse_design

#: Draws in single precision: their error, some 1e-6, is far below what 2,000 of them can tell.
Singles = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Posterior:
    """Effects that the data tell of, in units of their prior's standard deviation: mean, and factor of the precision.

    `factor` is the lower Cholesky factor of the posterior's precision, `place` the position of each term.
    """

    place: Mapping[Term, int]
    mean: Floats
    factor: Arrow
    scales: Mapping[str, float]

    def predict(self, rows: Sequence[Row] | Terms) -> tuple[Floats, Floats]:
        """Mean and standard deviation of each row, the noise of a measurement not in it."""
        known, unknown, _ = self._design(rows)
        spread = self.factor.solve(known.T.toarray())
        return known @ self.mean, np.sqrt((spread**2).sum(axis=0) + unknown.power(2).sum(axis=1).A1)

    def likely(self, terms: Terms) -> Floats:
        """The mean of each row alone."""
        return terms.total(self._effect)

    def draw(self, rows: Sequence[Row] | Terms, draws: int, seed: int) -> Singles:
        """Draws of the rows (rows x draws), with what they have in common in common; without a measurement's noise.

        An effect has the same draws in all calls with one seed, so that answers of several calls belong together.
        """
        known, unknown, new = self._design(rows)
        found: Singles = known.astype(np.float32) @ _effects(self, draws, seed)
        if new:
            normal = np.stack([_normal(draws, seed, *term) for term in new])
            found += unknown.astype(np.float32) @ normal
        return found

    def _effect(self, term: Term) -> float:
        position = self.place.get(term)
        return 0.0 if position is None else float(self.mean[position]) * self.scales[term[0]]

    def _design(self, rows: Sequence[Row] | Terms) -> tuple[sparse.csr_matrix, sparse.csr_matrix, list[Term]]:
        """Values of the known and of the unknown terms, in units of their deviations, and which are unknown."""
        found, matrix = sparse_design(rows)
        scaled = matrix @ sparse.diags([self.scales[family] for family, _ in found])
        position = np.array([self.place.get(term, -1) for term in found])
        columns = np.flatnonzero(position >= 0)
        shape = (columns.size, len(self.place))
        picks = sparse.csr_matrix((np.ones(columns.size), (np.arange(columns.size), position[columns])), shape)
        scaled = scaled.tocsc()
        new = [term for term, at in zip(found, position, strict=True) if at < 0]
        return (scaled[:, columns] @ picks).tocsr(), scaled[:, np.flatnonzero(position < 0)].tocsr(), new


@lru_cache(maxsize=4)
def _effects(model: Posterior, draws: int, seed: int) -> Singles:
    """Draws of all effects of a model (effects x draws)."""
    families = sorted({family for family, _ in model.place})
    normal = _generator(seed, *families).standard_normal((len(model.place), draws), dtype=np.float32)
    return model.factor.solve_transposed(normal) + model.mean[:, None].astype(np.float32)


@lru_cache(maxsize=2048)
def _normal(draws: int, seed: int, family: str, level: str) -> Singles:
    """Draws of an effect of which nothing is known but its deviation, in units of that."""
    return _generator(seed, family, level).standard_normal(draws, dtype=np.float32)


def _generator(seed: int, *names: str) -> np.random.Generator:
    """A generator of its own for each name, whatever else is drawn before."""
    digest = hashlib.blake2b("|".join((str(seed), *names)).encode(), digest_size=16).digest()
    return np.random.default_rng(int.from_bytes(digest, "little"))


def posterior(
    rows: Sequence[Row], values: Iterable[float], noises: Iterable[float], scales: Mapping[str, float]
) -> Posterior:
    """What `values` of `rows` tell of the effects. `scales` are standard deviations by family, `noises` of each row."""
    found, matrix = sparse_design(rows)
    nested, others = _split(found, matrix)
    terms = list(found)
    weights = 1 / np.fromiter(noises, float)
    order = np.concatenate([nested, others])
    scaled = sparse.diags(weights) @ matrix @ sparse.diags([scales[family] for family, _ in found])
    scaled = scaled.tocsc()[:, order]
    factor = Arrow.of(scaled, nested.size)
    moment = scaled.T @ (np.fromiter(values, float) * weights)
    mean = factor.solve_transposed(factor.solve(moment))
    return Posterior({terms[column]: position for position, column in enumerate(order)}, mean, factor, scales)


def design(rows: Sequence[Row]) -> tuple[dict[Term, int], Floats]:
    """The place of every term that occurs, and the matrix of their values (rows x terms)."""
    place, matrix = sparse_design(rows)
    return place, matrix.toarray()


def _split(terms: Mapping[Term, int], matrix: sparse.csr_matrix) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Columns of families of which no row has two terms, the largest families first, and all other columns.

    Given the others, such effects do not depend on each other, which saves most of the work (`arrow`).
    """
    families: dict[str, list[int]] = {}
    for (family, _), column in terms.items():
        families.setdefault(family, []).append(column)
    taken = np.zeros(matrix.shape[0], int)
    nested: list[int] = []
    by_column = matrix.tocsc()
    for columns in sorted(families.values(), key=len, reverse=True):
        rows = np.bincount(by_column[:, columns].indices, minlength=taken.size)
        if (taken + rows).max(initial=0) <= 1:
            taken += rows
            nested += columns
    return np.array(nested, np.intp), np.setdiff1d(np.arange(len(terms)), nested)
