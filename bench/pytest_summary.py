"""What a test session measured with the fixture `pinchpoint`: a result a test, and the table of all of them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bench import benchmark_json, units
from bench.in_process import Paired, Times

_NAME, _TIME = 34, 25
_NOTE = (
    "Medians over blocks within one process. Of other processes this says nothing:",
    "they may all be faster, or slower, than the interval. `pinchpoint ab` asks them.",
)
_SHORT = "* So short that reading the clock is a part of it: let the function do more."
_UNSTEADY = "† Not shown to have settled within the budget."
_WORDS = {"pass": "within the limit of", "fail": "FAILS the limit of", "undecided": "undecided at"}


@dataclass(frozen=True)
class Result:
    """What one test measured; `paired` and `old` (a name) where it was against another function.

    `limit` is the accepted share (0.05 for 5 %).
    """

    name: str
    fullname: str
    times: Times
    paired: Paired | None = None
    old: str = ""
    limit: float = 0.0
    params: Mapping[str, object] | None = None
    param: str | None = None
    extra_info: Mapping[str, object] = field(default_factory=dict)


def change(paired: Paired) -> str:
    """New against old in percent: `+6.1 % [+5.0 %, +7.2 %]`, without bounds where there are too few pairs for them."""
    found = paired.estimate
    if found.low is None or found.high is None:
        return units.change(found.value)
    return f"{units.change(found.value)} [{units.change(found.low)}, {units.change(found.high)}]"


def pairs(paired: Paired) -> str:
    """How many pairs of blocks it rests on: `26 pairs of blocks`, `42 groups of 5 pairs of blocks`."""
    if paired.pairs_per_group == 1:
        return f"{paired.groups} pairs of blocks"
    return f"{paired.groups} groups of {paired.pairs_per_group} pairs of blocks"


def lines(results: Sequence[Result], width: int = 80) -> list[str]:
    """The table, each line at most `width` wide (80 or more)."""
    head = f"{'test':{_NAME}} {'time [95 % interval]':{_TIME}} {'blocks':>6} {'iterations':>11}"
    found = [head]
    for result in results:
        found += _row(result, width)
    found += ["", *_NOTE]
    found += [_SHORT] if any(result.times.too_short for result in results) else []
    found += [_UNSTEADY] if any(not result.times.steady for result in results) else []
    return found


def _row(result: Result, width: int) -> list[str]:
    times = result.times
    signs = "*" * times.too_short + "†" * (not times.steady)
    told = units.interval(*times.interval, "s") + signs
    blocks = f"{len(times.medians_s):>6} {f'of {times.iterations:,}':>11}"
    rows = [f"{_cut(result.name, _NAME):{_NAME}} {told:{_TIME}} {blocks}"]
    if result.paired is not None:
        verdict = f"{_WORDS[result.paired.outcome]} {100 * result.limit:g} %"
        said = f": {change(result.paired)}, {verdict}"
        rows.append(f"  against {_cut(result.old, max(width - 10 - len(said), 8))}{said}"[:width])
    return rows


def _cut(text: str, most: int) -> str:
    """`text`, its middle left out where it is longer than `most`: the parameters at its end tell tests apart."""
    if len(text) <= most:
        return text
    return f"{text[: most // 3]}…{text[-(most - most // 3 - 1) :]}"


def entry(result: Result) -> benchmark_json.Entry:
    """The result as a benchmark of pytest-benchmark: a round is a block, and its time the mean of its iterations."""
    _, low, high = result.times.interval
    ours: dict[str, object] = {"interval_s": [low, high], "interval": "within this process"}
    if result.paired is not None:
        found = result.paired.estimate
        ratios = [None if log is None else math.exp(log) for log in (found.value, found.low, found.high)]
        ours |= {"against": result.old, "ratio": ratios[0], "ratio_interval": ratios[1:]}
        ours |= {"outcome": result.paired.outcome, "code": result.paired.code, "limit": result.limit}
    return benchmark_json.Entry(
        result.name,
        result.fullname,
        None,
        result.times.means_s,
        result.times.iterations,
        result.params,
        result.param,
        {**result.extra_info, "pinchpoint": ours},
    )
