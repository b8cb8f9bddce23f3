"""Where the labels of a scatter plot stand: never on another label, nor on a point where there is room elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Points (1/72 inch) between the places that are tried, and between a label and what stands beside or above it.
_STEP = 3.0
_BESIDE = 5.0
_ABOVE = 1.0


@dataclass(frozen=True)
class Box:
    """A rectangle, y upwards."""

    left: float
    bottom: float
    right: float
    top: float

    def overlaps(self, other: "Box") -> bool:
        """Whether the two share any area."""
        apart = self.right <= other.left or other.right <= self.left
        return not (apart or self.top <= other.bottom or other.top <= self.bottom)


@dataclass(frozen=True)
class Anchor:
    """A disc of a scatter plot, and the size of the label that belongs to it."""

    x: float
    y: float
    radius: float
    width: float
    height: float

    @property
    def box(self) -> Box:
        """The square around the disc."""
        return Box(self.x - self.radius, self.y - self.radius, self.x + self.radius, self.y + self.radius)


def place(anchors: Sequence[Anchor], frame: Box, lines: Sequence[Box] = ()) -> list[Box | None]:
    """A place inside `frame` for each label, one after the other, as near to its disc as is free; None without room.

    A label stands on one of `lines` only where there is no other room, and on a disc only where there is none left.
    """
    discs = [anchor.box for anchor in anchors]
    placed: list[Box | None] = []
    for anchor in anchors:
        labels = [box for box in placed if box]
        tries = ([*labels, *discs, *lines], [*labels, *discs], labels)
        placed.append(next((found for taken in tries if (found := _nearest(anchor, frame, taken))), None))
    return placed


def _nearest(anchor: Anchor, frame: Box, taken: Sequence[Box]) -> Box | None:
    lefts = _grid(frame.left, frame.right, anchor.width, anchor.x + anchor.radius + _BESIDE)
    bottoms = _grid(frame.bottom, frame.top, anchor.height, anchor.y - anchor.height / 2)
    if not lefts.size or not bottoms.size:
        return None
    left, bottom = (grid.ravel() for grid in np.meshgrid(lefts, bottoms))  # (places,) each
    free = np.ones(left.shape, dtype=bool)  # (places,)
    for box in taken:
        free &= (
            (left >= box.right + _BESIDE)
            | (left + anchor.width <= box.left - _BESIDE)
            | (bottom >= box.top + _ABOVE)
            | (bottom + anchor.height <= box.bottom - _ABOVE)
        )
    if not free.any():
        return None
    best = int(np.argmin(np.where(free, _cost(anchor, left, bottom), np.inf)))
    x, y = float(left[best]), float(bottom[best])
    return Box(x, y, x + anchor.width, y + anchor.height)


def _grid(low: float, high: float, size: float, wanted: float) -> NDArray[np.float64]:
    """Where a label of that size may begin between the bounds, in steps from `wanted`, the best of them."""
    first = wanted - (wanted - low) // _STEP * _STEP
    return np.arange(first, high - size, _STEP)


def _cost(anchor: Anchor, left: NDArray[np.float64], bottom: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance from the anchor to the label; among equals, level with it comes first, and right of it before left."""
    across = np.maximum(np.maximum(left - anchor.x, anchor.x - left - anchor.width), 0)
    along = np.maximum(np.maximum(bottom - anchor.y, anchor.y - bottom - anchor.height), 0)
    off_level = np.abs(bottom + anchor.height / 2 - anchor.y)
    return np.hypot(across, along) + 0.5 * off_level + 0.5 * (left < anchor.x)
