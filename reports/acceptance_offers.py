"""Several returned measurements side by side: each with its verdicts, in the order in which a buyer would take them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from reports.acceptance import Verdicts
from reports.acceptance_score import ranked

#: Exit codes from best to worst: all met, something open, something missed.
_ORDER = (0, 3, 1)


@dataclass(frozen=True)
class Offer:
    """What came back from one vendor. `notes` are sentences on where it was read from; `place` counts from 1."""

    label: str
    verdicts: Verdicts
    notes: tuple[str, ...] = ()
    place: int = 1


def placed(offers: Sequence[Offer]) -> tuple[Offer, ...]:
    """The offers, best first, each with its place; those of one place cannot be told apart."""
    scores = [(_ORDER.index(offer.verdicts.exit_code), offer.verdicts.score) for offer in offers]
    return tuple(replace(offers[each.index], place=each.place) for each in ranked(scores))
