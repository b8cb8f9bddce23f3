"""Cholesky factors of precisions in the shape of an arrow: a diagonal block, what couples it to the rest, and the rest.

    precision = I + A^T A = [[D, B^T], [B, R]]        D diagonal, since no row of A has two of the first columns
    factor    = [[sqrt(D), 0], [B / sqrt(D), chol(R - B D^-1 B^T)]]

Golub & Van Loan (2013), section 4.3.4, on the order of elimination. The diagonal block, often the largest, costs hardly
anything, and A and B are sparse.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Arrow:
    """The lower factor by its blocks: the diagonal, what is below it (others x nested), and the dense corner."""

    diagonal: Floats
    below: sparse.csr_matrix
    corner: Floats

    @classmethod
    def of(cls, rows: sparse.csc_matrix, nested: int) -> "Arrow":
        """The factor of I + rows^T rows, of which no row has two of the first `nested` columns."""
        gram = (rows.T @ rows).tocsr()
        diagonal = np.sqrt(1 + gram.diagonal()[:nested])
        below = (gram[nested:, :nested] @ sparse.diags(1 / diagonal)).tocsr()
        rest = (gram[nested:, nested:] - below @ below.T).toarray()
        rest[np.diag_indices_from(rest)] += 1
        return cls(diagonal, below, linalg.cholesky(rest, lower=True, overwrite_a=True, check_finite=False))

    def solve(self, right: Floats) -> Floats:
        """factor^-1 right, of one or several columns."""
        nested = self.diagonal.size
        first = (right[:nested].T / self.diagonal).T
        rest = right[nested:] - self.below @ first
        return np.concatenate([first, _triangular(self.corner, rest, "N")])

    def solve_transposed(self, right: NDArray[Any]) -> NDArray[Any]:
        """factor^-T right, of one or several columns, in the precision of `right`."""
        nested, kind = self.diagonal.size, right.dtype
        rest = _triangular(self.corner.astype(kind, copy=False), right[nested:], "T")
        first = right[:nested] - self.below.T.astype(kind) @ rest
        return np.concatenate([(first.T / self.diagonal.astype(kind)).T, rest])


def _triangular(factor: NDArray[Any], right: NDArray[Any], how: str) -> NDArray[Any]:
    found: NDArray[Any] = linalg.solve_triangular(factor, right, lower=True, trans=how, check_finite=False)
    return found
