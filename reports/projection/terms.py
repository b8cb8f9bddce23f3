"""What the rows of a mixed model consist of: terms, each an effect of a family and level, and its value in a row.

One row is a mapping; many at once are `Terms`, in which a family is written down once for all of them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Floats = NDArray[np.float64]
#: The family that an effect belongs to, whose standard deviation it shares, and the level within it.
Term = tuple[str, str]
Row = Mapping[Term, float]


@dataclass(frozen=True, eq=False)
class Terms:
    """Terms of many rows. Rows of one place have the same levels; `places` says which is whose.

    `columns` are a family, its level (one for all places, or one each), and its values, one a row. A value of 0 says
    that the row does not have the term.
    """

    places: NDArray[np.intp]
    columns: list[tuple[str, str | Sequence[str], Floats]] = field(default_factory=list)

    def add(self, family: str, level: str | Sequence[str], values: Floats | float = 1.0) -> None:
        """One more family of terms."""
        self.columns.append((family, level, np.broadcast_to(values, self.places.shape)))

    def rows(self) -> list[Row]:
        """Each row by itself."""
        found: list[dict[Term, float]] = [{} for _ in self.places]
        places = self.places.tolist()
        for family, level, values in self.columns:
            shared = (family, level) if isinstance(level, str) else None
            terms = [] if isinstance(level, str) else [(family, each) for each in level]
            for row in np.flatnonzero(values).tolist():
                found[row][shared or terms[places[row]]] = float(values[row])
        return list(found)

    def total(self, effect: Callable[[Term], float]) -> Floats:
        """The sum of value * effect over the terms of each row."""
        found = np.zeros(self.places.shape)
        for family, level, values in self.columns:
            if isinstance(level, str):
                found += values * effect((family, level))
            else:
                found += values * np.array([effect((family, each)) for each in level])[self.places]
        return found


def sparse_design(rows: Sequence[Row] | Terms) -> tuple[dict[Term, int], sparse.csr_matrix]:
    """The place of every term that occurs, and the matrix of their values (rows x terms)."""
    if not isinstance(rows, Terms):
        return _of_rows(rows)
    found: dict[Term, int] = {}
    parts = []
    for family, level, values in rows.columns:
        having = np.flatnonzero(values)
        places = rows.places[having]
        if isinstance(level, str):
            columns = np.full(having.shape, found.setdefault((family, level), len(found)) if having.size else 0)
        else:
            met = np.unique(places)
            column = np.zeros(len(level), np.intp)
            column[met] = [found.setdefault((family, level[place]), len(found)) for place in met]
            columns = column[places]
        parts.append((having, columns, values[having]))
    at, columns, values = (np.concatenate(each) for each in zip(*parts, strict=True))
    return found, sparse.csr_matrix((values, (at, columns)), shape=(rows.places.size, len(found)))


def _of_rows(rows: Sequence[Row]) -> tuple[dict[Term, int], sparse.csr_matrix]:
    found: dict[Term, int] = {}
    columns = [found.setdefault(term, len(found)) for row in rows for term in row]
    values = np.array([value for row in rows for value in row.values()], float)
    ends = np.cumsum([0, *(len(row) for row in rows)])
    return found, sparse.csr_matrix((values, columns, ends), shape=(len(rows), len(found)))
