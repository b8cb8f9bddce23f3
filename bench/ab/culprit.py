"""Which commit brought a change: a search by halves over the commits between a good and a bad one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Found:
    """The first bad commit; `unsure` are commits before it that could not be judged, any of which it may be as well."""

    commit: str
    unsure: tuple[str, ...] = ()
    steps: int = 0


def first_bad(commits: Sequence[str], is_bad: Callable[[str], bool | None]) -> Found:
    """The first of `commits` (the oldest first, the last one bad) that is bad.

    `is_bad` may give None for a commit that cannot be judged, as it does not build: its neighbours are tried in its
    place. Raises ValueError for no commits.
    """
    if not commits:
        raise ValueError("no commits")
    low, high, steps = 0, len(commits) - 1, 0  # the first bad one is in commits[low : high + 1]
    unknown: set[int] = set()
    while low < high:
        middle = (low + high - 1) / 2
        among = [place for place in range(low, high) if place not in unknown]
        if not among:
            break
        place = min(among, key=lambda each: abs(each - middle))
        steps += 1
        answer = is_bad(commits[place])
        if answer is None:
            unknown.add(place)
        elif answer:
            high = place
        else:
            low = place + 1
    unsure = tuple(commits[place] for place in range(low, high) if place in unknown)
    return Found(commits[high], unsure, steps)
