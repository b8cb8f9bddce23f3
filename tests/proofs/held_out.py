"""Predictions of rows of the calibration from others: whatever is held out is taken away from the normal equations."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from reports.projection.calibrated import Fitted
from reports.projection.mixed import design
from reports.projection.terms import Term


class HeldOut:
    """All rows of one model, from which any may be left out."""

    def __init__(self, fitted: Sequence[Fitted], deviations: Mapping[str, float]) -> None:
        self.fitted = tuple(fitted)
        place, matrix = design([each.row for each in fitted])
        self.place, self.deviations = place, deviations
        self.scaled = matrix * np.array([deviations[family] for family, _ in place])
        self.logs = np.array([each.log for each in fitted])
        self.noises = np.array([deviations[each.noise] for each in fitted])
        self.weighted = self.scaled / self.noises[:, None]
        self.told = self.logs / self.noises
        self.precision = self.weighted.T @ self.weighted + np.eye(len(place))
        self.moment = self.weighted.T @ self.told

    def predict(
        self,
        asked: NDArray[np.int_],
        left_out: NDArray[np.int_],
        instead: Mapping[Term, NDArray[np.float64]] | None = None,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and standard deviation of ln(real / ideal) of the rows `asked`, without those of `left_out`.

        `instead` are values of terms in place of those that the rows have, one a row. The deviation has a measurement's
        noise in it: it is compared with one.
        """
        gone = self.weighted[left_out]
        factor = linalg.cholesky(self.precision - gone.T @ gone, lower=True, check_finite=False)
        mean = linalg.cho_solve((factor, True), self.moment - gone.T @ self.told[left_out], check_finite=False)
        wanted = self.scaled[asked]
        for term, values in (instead or {}).items():
            wanted[:, self.place[term]] = values * self.deviations[term[0]]
        spread = linalg.solve_triangular(factor, wanted.T, lower=True, check_finite=False)
        return wanted @ mean, np.sqrt((spread**2).sum(axis=0) + self.noises[asked] ** 2)
