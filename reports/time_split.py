"""The seconds of an iteration by wall: what operators must take, and the rest by evidence.

What an operator takes beyond what it must is split in this order: a held-down clock, waiting, fresh memory, the cost of
its calls, idle cores, and for the rest the library's kernel.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.observation import Observation, Operator
from reports import necessity
from reports.rates import Rates
from reports.walls import Wall

#: What a call costs at most, in calls of a small product; layer_norm, softmax and allocation take 2 to 4 such calls.
CALL_COST = 4.0
#: What the interpreter does between two operators at most, in calls of a small product; beyond, it is its own stage.
BETWEEN_CALLS = 20.0
#: Memory is nearly full from this share of the limit on.
NEAR_LIMIT = 0.9
#: Below this share of the clock that the ceilings had, the clock is held down; less is within its usual jitter.
FULL_CLOCK = 0.9
#: Kinds of operator that are a wall by what they are.
_BY_KIND: Mapping[str, Wall] = {"input": "input", "transfer": "transfer", "communication": "communication"}


@dataclass
class Split:
    """Seconds by wall, and for each operator its time beyond what it must take, while evidence is weighed."""

    seconds: dict[Wall, float] = field(default_factory=lambda: defaultdict(float))
    by_operator: list[dict[Wall, float]] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)
    host_s: float = 0.0
    excess_s: float = 0.0

    def give(self, wall: Wall, index: int, amount: float) -> float:
        """Give up to `amount` of an operator's gap to `wall`; what was given."""
        given = min(max(amount, 0.0), self.gaps[index])
        self.gaps[index] -= given
        self.by_operator[index][wall] += given
        self.seconds[wall] += given
        return given

    def give_host(self, wall: Wall, amount: float) -> float:
        """Give up to `amount` of the time without an operator to `wall`; what was given."""
        given = min(max(amount, 0.0), self.host_s)
        self.host_s -= given
        self.seconds[wall] += given
        return given


def split_of(o: Observation, rates: Rates) -> Split:
    """The seconds by wall; they add up to the iteration's."""
    split = Split()
    profiled = sum(operator.seconds for operator in o.operators)
    shrink = min(1.0, o.iteration_s / profiled) if profiled else 1.0
    split.excess_s = max(profiled - o.iteration_s, 0.0)
    waited = 0.0
    for operator in o.operators:
        seconds = operator.seconds * shrink
        own = _BY_KIND.get(operator.kind)
        need = necessity.need(operator, o, rates)
        must = seconds if own else min(need.seconds, seconds)
        wall = own or need.wall
        split.seconds[wall] += must
        split.by_operator.append(defaultdict(float, {wall: must}))
        split.gaps.append(seconds - must)
        waited += seconds if own else 0.0
    rest = max(o.iteration_s - profiled * shrink, 0.0)
    split.host_s = min(rest, o.host_s)
    _throttled(split, o, shrink)
    _waiting(split, o, rates, waited)
    _fresh_pages(split, o, rates)
    _calls(split, o, rates)
    _idle_cores(split, o, waited)
    for index, operator in enumerate(o.operators):
        split.give(_left(operator), index, split.gaps[index])
    named = sum(split.seconds.values())
    split.seconds["unexplained"] += max(o.iteration_s - named, 0.0)
    return split


def _left(operator: Operator) -> Wall:
    """Whose fault the rest of an operator's time is: the kernel's, if it is known what the operator had to do."""
    return "unexplained" if operator.flops is None and operator.bytes_moved is None else "kernel"


def _throttled(split: Split, o: Observation, shrink: float) -> None:
    """A clock that is held down makes everything but main memory slower; what was lost lies in the gaps."""
    if o.clock_share is None or o.clock_share >= FULL_CLOCK:
        return
    lost = 1 - o.clock_share
    for index, operator in enumerate(o.operators):
        if operator.kind not in _BY_KIND:
            split.give("power or thermal", index, operator.seconds * shrink * lost)
    split.give_host("power or thermal", (split.host_s - o.idle_s) * lost)


def _waiting(split: Split, o: Observation, rates: Rates, waited: float) -> None:
    """Time off the processor that no input or communication operator accounts for, and the time memory was being freed.

    On an accelerator the thread waits for the device while operators run: only time between operators counts.
    """
    within = sum(split.gaps) if o.device == "cpu" else 0.0
    idle = min(max(o.idle_s - waited, 0.0), split.host_s + within)
    full = o.limit_B is not None and o.held_B >= NEAR_LIMIT * o.limit_B
    disk = rates.get("disk_read_B_per_s")
    stored = max(o.read_s, o.read_B / disk if disk else 0.0)
    fetched = idle if o.major_faults >= 1 and stored > 0 else min(idle, stored)
    shares: list[tuple[Wall, float]] = []
    if full and max(o.stalled_s, stored) > 0:
        # what was given up is fetched again, which costs the disk's time whether a thread waits or copies meanwhile
        freeing = min(max(o.stalled_s, stored), split.host_s + sum(split.gaps))
        shares.append(("memory capacity", freeing))
        idle = max(idle - freeing, 0.0)
    elif fetched > 0:
        shares.append(("input", fetched))
        idle -= fetched
    others = o.cpu_s - (o.iteration_s - o.idle_s)  # processor time of other threads
    if o.threads > 1 and o.switches >= 1:
        shares.append(("parallelism", min(idle, max(others, 0.0))))
    for wall, amount in shares:
        _take(split, wall, amount)
    unseen = idle - sum(amount for wall, amount in shares if wall == "parallelism")
    split.give_host("unexplained", unseen)


def _take(split: Split, wall: Wall, amount: float) -> None:
    """Take `amount` from the time between operators first, then from all gaps alike."""
    _take_gaps(split, wall, amount - split.give_host(wall, amount))


def _take_gaps(split: Split, wall: Wall, amount: float) -> float:
    """Take up to `amount` from all gaps alike; what was taken."""
    gaps = sum(split.gaps)
    part = min(amount / gaps, 1.0) if gaps > 0 else 0.0
    return sum(split.give(wall, index, gap * part) for index, gap in enumerate(list(split.gaps)))


def _fresh_pages(split: Split, o: Observation, rates: Rates) -> None:
    """Pages are cleared when an operator first writes to them, and go back between operators."""
    page_s = rates.get(necessity.FRESH_PAGE)
    if page_s is None or o.device != "cpu":
        return
    wanted = o.minor_faults * page_s
    split.give_host("allocation", wanted - _take_gaps(split, "allocation", wanted))


def _calls(split: Split, o: Observation, rates: Rates) -> None:
    """What calling operators costs: a few times the cost of a small one inside, some interpreter between them."""
    small_s = rates.get("dispatch_small_s")
    if small_s is None:
        return
    for index, operator in enumerate(o.operators):
        split.give("dispatch", index, operator.calls * CALL_COST * small_s)
    split.give_host("dispatch", o.calls * BETWEEN_CALLS * small_s)


def _idle_cores(split: Split, o: Observation, waited: float) -> None:
    """A stage on one core, between operators or in one that is no product, while the others have nothing to do.

    What the interpreter does between operators is such a stage even where other threads look busy, since those of a
    library wait actively for a while. Time in which the thread was kept from its core by others is none.
    """
    if o.threads < 2:
        split.give_host("dispatch", split.host_s)
        return
    split.give_host("unexplained", o.iteration_s - o.idle_s - o.cpu_s)
    idle_cores_s = max(o.threads * o.iteration_s - o.cpu_s, 0.0)
    stage_s = max(idle_cores_s / (o.threads - 1) - waited, 0.0)
    stage_s -= split.give_host("parallelism", split.host_s)
    for index, operator in enumerate(o.operators):
        if operator.kind not in ("product", "attention"):  # which cores a product uses is its library's choice
            stage_s -= split.give("parallelism", index, stage_s)
