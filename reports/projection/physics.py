"""What no device can do better than: draws that physics rules out give way to those that it allows."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy import special

from reports.projection.situations import Situation

Draws = NDArray[np.floating]

#: B that the caches of one device may hold from step to step, so that its memory need not give them: 512 MB are the
#: most of any device in the catalogue (EPYC 9755, vendor's datasheet; an MI300X has 256 MB).
CACHED_B = 512e6
#: A smaller share of draws below the limit is cut off by it, and the rest stays as it is.
_FEW = 1e-3


def fastest(situation: Situation, peak: float | None, sums_in_half: float) -> float:
    """FLOP/s that no engine exceeds, from the `peak` of the products usual; not a number where that is not known.

    An engine that was not named may add up in 16 bits, which is `sums_in_half` times as fast, and GGUF's integers may
    stay such: where their rate is not known, it is at most four times that of the others (dp4a of Pascal).
    """
    found, peaks = math.nan if peak is None else peak, situation.device.peaks
    if situation.engine is None:
        found *= sums_in_half
    if situation.weights.startswith("Q"):
        found = max(found, (peaks.int8_OP_per_s if peaks else None) or 4 * found)
    return found


def above(logs: Draws, least: NDArray[np.float64]) -> Draws:
    """Draws of a normal distribution (rows x draws), each row given that it is not below its `least`.

    The fit knows no limits: where it reaches beyond what was measured, it may promise more than a memory can deliver.
    What is left of the distribution is drawn in the same order, so that common draws stay common. With V the share
    above a value, V(x | x > a) = V(x) / V(a) (a truncated normal; Johnson, Kotz & Balakrishnan, 1994, section 10.1).
    """
    mean, spread = logs.mean(axis=1, dtype=float), np.maximum(logs.std(axis=1, dtype=float), 1e-9)
    start = (least - mean) / spread
    found = np.maximum(logs, least[:, None].astype(logs.dtype))
    rows = np.flatnonzero(special.ndtr(start) > _FEW)
    if rows.size:
        # logarithms, since far below the limit hardly any of the distribution is left
        kept = special.log_ndtr((mean[rows, None] - logs[rows]) / spread[rows, None])
        inside = -special.ndtri_exp(kept + special.log_ndtr(-start[rows])[:, None])
        found[rows] = np.maximum(mean[rows, None] + spread[rows, None] * inside, least[rows, None])
    return found
