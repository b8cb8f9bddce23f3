"""Where the labels of a scatter plot stand: never on another label, nor on a point where there is room beside it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Points (1/72 inch) between the places that are tried, and between a label and what stands beside or above it.
_STEP = 3.0
_BESIDE = 5.0
_ABOVE = 1.0
#: Beyond this many points from the edge of its disc a label is no longer read as that disc's.
_FAR = 16.0
#: What a point nearer to another disc than to its own costs a label, in points farther from its own.
_ASTRAY = 2.0

_Places = NDArray[np.float64]


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

    def distance(self, box: Box) -> float:
        """From the disc's middle to the nearest edge of `box`."""
        across = max(box.left - self.x, self.x - box.right, 0)
        return math.hypot(across, max(box.bottom - self.y, self.y - box.top, 0))


def place(
    anchors: Sequence[Anchor], frame: Box, lines: Sequence[Box] = (), faint: Sequence[Box] = ()
) -> list[Box | None]:
    """A place inside `frame` for each label, the widest first, near to its disc; None where there is no room.

    Rather than far from its disc a label stands on `faint` lines, then on `lines`; on a disc only as a last resort.
    """
    discs = [anchor.box for anchor in anchors]
    placed: dict[int, Box | None] = {}
    for index in sorted(range(len(anchors)), key=lambda index: -anchors[index].width):
        anchor, labels = anchors[index], [box for box in placed.values() if box]
        tries = ([*labels, *discs, *lines, *faint], [*labels, *discs, *lines], [*labels, *discs])
        others = [other for other in anchors if other is not anchor]
        found = [box for taken in tries if (box := _nearest(anchor, others, frame, taken))]
        near = [box for box in found if anchor.distance(box) <= anchor.radius + _FAR]
        placed[index] = next(iter([*near, *found]), None) or _nearest(anchor, others, frame, labels)
    return [placed[index] for index in range(len(anchors))]


def _nearest(anchor: Anchor, others: Sequence[Anchor], frame: Box, taken: Sequence[Box]) -> Box | None:
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
    best = int(np.argmin(np.where(free, _cost(anchor, others, left, bottom), np.inf)))
    x, y = float(left[best]), float(bottom[best])
    return Box(x, y, x + anchor.width, y + anchor.height)


def _grid(low: float, high: float, size: float, wanted: float) -> _Places:
    """Where a label of that size may begin between the bounds, in steps from `wanted`, the best of them."""
    first = wanted - (wanted - low) // _STEP * _STEP
    return np.arange(first, high - size, _STEP)


def _cost(anchor: Anchor, others: Sequence[Anchor], left: _Places, bottom: _Places) -> _Places:
    """How far from its disc a label stands; level with it is better, and worse is nearer to another disc than to it."""
    own = _distance(anchor, anchor, left, bottom)
    off_level = np.abs(bottom + anchor.height / 2 - anchor.y)
    cost = own + 0.5 * off_level + 0.5 * (left < anchor.x)  # on the right of its disc rather than on the left
    for other in others:
        cost += _ASTRAY * np.maximum(own + 1 - _distance(anchor, other, left, bottom), 0)
    return cost


def _distance(anchor: Anchor, disc: Anchor, left: _Places, bottom: _Places) -> _Places:
    """From the edge of `disc` to the label of `anchor` at each place, (places,)."""
    across = np.maximum(np.maximum(left - disc.x, disc.x - left - anchor.width), 0)
    along = np.maximum(np.maximum(bottom - disc.y, disc.y - bottom - anchor.height), 0)
    return np.hypot(across, along) - disc.radius


def spread(wanted: Sequence[float], least: float) -> list[float]:
    """Places as near to `wanted` as they can be with `least` between neighbours, in the order given.

    >>> spread([10.0, 10.0, 40.0], 4.0)
    [12.0, 8.0, 40.0]
    """
    order = sorted(range(len(wanted)), key=lambda place: (wanted[place], -place))
    groups: list[tuple[list[int], float]] = []  # members from the lowest up, and the middle of the group
    for place in order:
        members, middle = [place], wanted[place]
        while groups and middle - groups[-1][1] < least * (len(members) + len(groups[-1][0])) / 2:
            before, _ = groups.pop()
            members = before + members
            middle = sum(wanted[each] for each in members) / len(members)
        groups.append((members, middle))
    placed = [0.0] * len(wanted)
    for members, middle in groups:
        for rank, place in enumerate(members):
            placed[place] = middle + least * (rank - (len(members) - 1) / 2)
    return placed
