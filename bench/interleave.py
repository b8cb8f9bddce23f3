"""The order in which what is compared takes turns: in rounds, at random within each, so that drift meets all alike."""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


def turns(rounds: Iterable[int], live: Callable[[int], Sequence[T]], order: random.Random) -> Iterator[tuple[int, T]]:
    """Each round with each member whose turn it is, in random order within the round.

    `live(round)` says who takes part; a member that it no longer names when its turn comes is passed over.
    """
    for round_ in rounds:
        members = list(live(round_))
        order.shuffle(members)
        for member in members:
            if member in live(round_):
                yield round_, member
