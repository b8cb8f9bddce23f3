"""What an operator must take on this machine: the time that the resource it uses up needs for its work."""

from collections.abc import Iterator
from dataclasses import dataclass

from bench.observation import Observation, Operator
from reports.rates import MEMORY, Rates, caches, plain
from reports.walls import Wall

GATHER = "gather_places_per_s"
FRESH_PAGE = "fresh_page_s"
#: Kinds whose operands were last touched an iteration ago: weights and tables, where others read what was just written.
_ONCE_AN_ITERATION = ("product", "attention", "gather")


@dataclass(frozen=True)
class Need:
    """Seconds that an operator must take in an iteration, and the wall that sets them; 0 where nothing is known.

    `level` is where its data come from: a cache, or `memory`.
    """

    seconds: float
    wall: Wall
    level: str


def need(operator: Operator, observation: Observation, rates: Rates) -> Need:
    """The longest of arithmetic, bytes and scattered places, each at this machine's ceiling."""
    where = level(operator, observation, rates)
    found: list[tuple[float, Wall]] = [(0.0, "compute" if operator.kind == "product" else _by_bytes(where))]
    peak = rates.peak(operator.dtype)
    if operator.flops and peak:
        found.append((operator.flops / peak, "compute"))
    bandwidth = rates.bandwidth(where, stores=operator.kind in ("elementwise", "other"))
    if operator.bytes_moved and bandwidth:
        found.append((operator.bytes_moved / bandwidth, _by_bytes(where)))
    if operator.places and where == MEMORY:
        scattered = rates.get(GATHER)
        # without that ceiling, all that a gather takes is waiting for places
        found.append((operator.places / scattered if scattered else operator.seconds, "memory latency"))
    seconds, wall = max(found, key=lambda each: each[0])
    return Need(seconds, wall, where)


def level(operator: Operator, observation: Observation, rates: Rates) -> str:
    """The nearest level that holds what is touched between two uses of the operands, or the memory behind them all.

    A product's weights are used once in an iteration, which touches its whole working set in between, unless they came
    faster than memory delivers. Other operators read what was just written: in a module by the call before, outside of
    modules by a sweep over all tensors, as an optimizer makes it.
    """
    sizes = caches(observation)
    if not sizes:
        return MEMORY
    touched = float(operator.largest_B)
    if operator.kind not in ("product", "gather") and operator.bytes_moved:
        swept = operator.bytes_moved if not operator.module else 0.0
        a_call = operator.bytes_moved / max(operator.calls, 1.0)
        touched = max(touched, a_call, min(swept, observation.working_set_B))
    between = max(touched, observation.working_set_B) if operator.kind in _ONCE_AN_ITERATION else touched
    if between > sizes[-1][1] >= touched and _faster_than_memory(operator, rates):
        between = touched
    return next((name for name, size in sizes if between <= size), MEMORY)


def cautions(observation: Observation, rates: Rates) -> tuple[str, ...]:
    """Which ceilings were missing, and what was done without them."""
    return tuple(dict.fromkeys(_cautions(observation, rates)))


def _cautions(o: Observation, rates: Rates) -> Iterator[str]:
    for operator in o.operators:
        if operator.flops and rates.peak(operator.dtype) is None:
            yield f"No peak of {plain(operator.dtype)} products was measured: their arithmetic is not judged."
        if operator.bytes_moved and rates.bandwidth(MEMORY, stores=False) is None:
            yield "No read bandwidth was measured: what memory needs is not judged."
        if operator.places and rates.get(GATHER) is None:
            yield "No rate of scattered reads was measured: all time of a gather beyond the caches counts as latency."
    if rates.get("dispatch_small_s") is None:
        yield "No cost of a call was measured: none is told from the kernels' time."
    if o.minor_faults >= 1 and o.device == "cpu" and rates.get(FRESH_PAGE) is None:
        yield "No cost of a fresh page was measured: none is told from the kernels' time."
    if not o.caches_B:
        yield "The sizes of the caches are not known: all data are taken to come from memory."


def _by_bytes(where: str) -> Wall:
    return "memory bandwidth" if where == MEMORY else "cache"


def _faster_than_memory(operator: Operator, rates: Rates) -> bool:
    most = rates.most()
    return bool(most and operator.bytes_moved and operator.bytes_moved > most * operator.seconds)
