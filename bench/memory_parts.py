"""What the memory of a model is made of: the parts' names, and what a tracker saw of them, as facts of a record."""

from collections.abc import Mapping
from dataclasses import dataclass

from bench.record import Value

#: The parts of a model's memory, with the words for a reader. The costs of a record count a part as `weights_B`; they
#: count work space that is kept for backward with the activations, since only who runs the iteration can tell the two.
PARTS: Mapping[str, str] = {
    "weights": "weights",
    "gradients": "gradients",
    "optimizer": "optimizer state",
    "activations": "activations",
    "state": "decoding state",
    "workspace": "work space",
}

#: The fact that says why a point was not tracked.
UNTRACKED = "untracked"


@dataclass(frozen=True)
class Tracked:
    """Bytes of each part that a tracker saw in one iteration.

    `at_peak` is at the moment when all parts together took the most; `most` is the most that a part took by itself,
    which for two parts need not be at the same moment.
    """

    at_peak: Mapping[str, int]
    most: Mapping[str, int]

    @property
    def peak_B(self) -> int:
        """All parts together at the peak."""
        return sum(self.at_peak.values())

    def facts(self) -> dict[str, Value]:
        """As a record keeps it: `tracked_weights_B` at the peak, `tracked_most_weights_B` by itself."""
        at_peak: dict[str, Value] = {_at_peak(part): self.at_peak.get(part, 0) for part in PARTS}
        return at_peak | {_most(part): self.most.get(part, 0) for part in PARTS}


def tracked(facts: Mapping[str, Value]) -> Tracked | None:
    """What a tracker saw, from the facts of a record; None where it was not tracked (`UNTRACKED` may say why)."""
    at_peak, most = ({part: facts.get(name(part)) for part in PARTS} for name in (_at_peak, _most))
    if not all(isinstance(found, int) for found in (*at_peak.values(), *most.values())):
        return None
    return Tracked(*({part: int(found or 0) for part, found in each.items()} for each in (at_peak, most)))


def _at_peak(part: str) -> str:
    return f"tracked_{part}_B"


def _most(part: str) -> str:
    return f"tracked_most_{part}_B"
