"""Where the time of an iteration goes, and the wall that this makes: read from what was observed and the ceilings.

Time model: T = T_input + T_transfer + T_dispatch + sum over operators of max(FLOPs / peak, bytes / bandwidth) + kernel
gap + communication + idle time + residual (the maximum: Williams, Waterman & Patterson, CACM 2009). What an operator
must take goes to the resource that it uses up; what it takes beyond that is split by evidence: a held-down
clock, waiting, the cost of its calls, idle cores, and for the rest the library's kernel. Names of models, workloads or
labels are not looked at. Every threshold here is a ratio, so that a machine twice as fast has the same walls.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.errors import UserError
from bench.observation import Observation, Operator
from bench.record import Ceiling, Record
from reports import necessity
from reports.necessity import Need
from reports.rates import Rates
from reports.rungs import Rung, beyond, errors, rungs
from reports.walls import Wall

#: Above it, and where it is the largest part, the residual is the verdict.
MOST_RESIDUAL = 0.15
#: A second wall is named from this share on.
LEAST_SECOND = 0.1
#: What a call costs at most, in calls of a small product; layer_norm, softmax and allocation take 2 to 4 such calls.
CALL_COST = 4.0
#: What the interpreter does between two operators at most, in calls of a small product; beyond, it is its own stage.
BETWEEN_CALLS = 20.0
#: Memory is nearly full from this share of the limit on.
NEAR_LIMIT = 0.9
#: Below this share of the clock that the ceilings had, the clock is held down; less is within its usual jitter.
FULL_CLOCK = 0.9
#: Operators that are shown.
MOST_OPERATORS = 10
#: Kinds of operator that are a wall by what they are.
_BY_KIND: Mapping[str, Wall] = {"input": "input", "transfer": "transfer", "communication": "communication"}


@dataclass(frozen=True)
class Share:
    """Time of an iteration that goes to one wall; `low` and `high` bound its share over the ceilings' intervals."""

    wall: Wall
    seconds: float
    share: float
    low: float
    high: float


@dataclass(frozen=True)
class Part:
    """One operator: what it took of an iteration and what it must take (`need`), and where most of it went."""

    operator: Operator
    share: float
    need: Need
    wall: Wall

    @property
    def intensity(self) -> float | None:
        """FLOP a byte, where both are counted."""
        work = self.operator
        return work.flops / work.bytes_moved if work.flops is not None and work.bytes_moved else None


@dataclass(frozen=True)
class Attribution:
    """The shares of an iteration, the largest first; their seconds add up to `observation.iteration_s`.

    `excess_s` is time by which the operators as profiled exceed the iteration as measured: they were shrunk to fit.
    `errors` are errors in counting: rates beyond what the machine can do. `cautions` say which ceilings were missing.
    """

    observation: Observation
    shares: tuple[Share, ...]
    verdict: Wall
    secondary: Wall | None
    rungs: tuple[Rung, ...]
    operators: tuple[Part, ...]
    excess_s: float = 0.0
    errors: tuple[str, ...] = ()
    cautions: tuple[str, ...] = ()

    def share(self, wall: Wall) -> float:
        """The share of `wall`, 0 to 1."""
        return next((each.share for each in self.shares if each.wall == wall), 0.0)


@dataclass
class _Split:
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


def of_record(record: Record, datasheet: Mapping[str, float] | None = None) -> Attribution:
    """`attribute` of what the record holds.

    Raises `UserError` where it has no observation, costs or ceilings, and where it reaches more than these.
    """
    if record.observation is None:
        raise UserError(
            f"The record of this point ({record.status}) tells nothing of what its iterations consist of.",
            "Measure the point again with this pinchpoint: it observes one iteration of each point.",
        )
    if not record.costs:
        raise UserError(
            "The record has no costs, so its arithmetic and its bytes are not known.",
            "Measure the point again; an architecture of your own must offer `costs`.",
        )
    found = attribute(record.observation, record.ceilings, datasheet)
    if (told := beyond(found.rungs)) is not None:
        raise UserError(
            told, "Measure them again when it is quiet (pinchpoint ceilings --refresh), and then the point."
        )
    return found


def attribute(
    observation: Observation, ceilings: Mapping[str, Ceiling], datasheet: Mapping[str, float] | None = None
) -> Attribution:
    """Split `observation.iteration_s` by wall. `datasheet` has promised figures by the names of the measured ones.

    Raises `UserError` where there are no ceilings, or no time was measured.
    """
    if observation.iteration_s <= 0:
        raise UserError("The observation holds no time of an iteration.", "Measure the point again.")
    if not any(each.value for each in ceilings.values()):
        raise UserError(
            "There are no ceilings to hold this point against.",
            "Measure what this machine can do: pinchpoint ceilings.",
        )
    rates = Rates(ceilings)
    split = _split(observation, rates)
    bounds = [_split(observation, Rates(ceilings, bound)).seconds for bound in ("fast", "slow")]
    total = observation.iteration_s
    shares = []
    for wall, seconds in split.seconds.items():
        ends = [seconds / total, *(each[wall] / total for each in bounds)]
        shares.append(Share(wall, seconds, seconds / total, min(ends), max(ends)))
    shares.sort(key=lambda share: -share.seconds)
    verdict, secondary = _verdict(shares, split.excess_s / total)
    return Attribution(
        observation,
        tuple(shares),
        verdict,
        secondary,
        rungs(observation, rates, datasheet or {}),
        _parts(observation, rates, split),
        split.excess_s,
        errors(observation, rates),
        necessity.cautions(observation, rates),
    )


def _verdict(shares: list[Share], excess: float) -> tuple[Wall, Wall | None]:
    first = shares[0]
    named = [each for each in shares if each.wall != "unexplained"]
    if excess > MOST_RESIDUAL or not named:
        return "unexplained", named[0].wall if named else None
    if first.wall == "unexplained" and first.share <= MOST_RESIDUAL:
        first = named[0]
    rest = [each for each in named if each is not first and each.share >= LEAST_SECOND]
    return first.wall, rest[0].wall if rest else None


def _split(o: Observation, rates: Rates) -> _Split:
    """The seconds by wall; they add up to the iteration's."""
    split = _Split()
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


def _throttled(split: _Split, o: Observation, shrink: float) -> None:
    """A clock that is held down makes everything but main memory slower; what was lost lies in the gaps."""
    if o.clock_share is None or o.clock_share >= FULL_CLOCK:
        return
    lost = 1 - o.clock_share
    for index, operator in enumerate(o.operators):
        if operator.kind not in _BY_KIND:
            split.give("power or thermal", index, operator.seconds * shrink * lost)
    split.give_host("power or thermal", (split.host_s - o.idle_s) * lost)


def _waiting(split: _Split, o: Observation, rates: Rates, waited: float) -> None:
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


def _take(split: _Split, wall: Wall, amount: float) -> None:
    """Take `amount` from the time between operators first, then from all gaps alike."""
    amount -= split.give_host(wall, amount)
    gaps = sum(split.gaps)
    if amount > 0 and gaps > 0:
        part = min(amount / gaps, 1.0)
        for index, gap in enumerate(list(split.gaps)):
            split.give(wall, index, gap * part)


def _calls(split: _Split, o: Observation, rates: Rates) -> None:
    """What calling operators costs: a few times the cost of a small one inside, some interpreter between them."""
    small_s = rates.get("dispatch_small_s")
    if small_s is None:
        return
    for index, operator in enumerate(o.operators):
        split.give("dispatch", index, operator.calls * CALL_COST * small_s)
    split.give_host("dispatch", o.calls * BETWEEN_CALLS * small_s)


def _idle_cores(split: _Split, o: Observation, waited: float) -> None:
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


def _parts(o: Observation, rates: Rates, split: _Split) -> tuple[Part, ...]:
    found = [
        Part(
            operator,
            operator.seconds / o.iteration_s,
            necessity.need(operator, o, rates),
            _largest(walls),
        )
        for operator, walls in zip(o.operators, split.by_operator, strict=True)
    ]
    return tuple(sorted(found, key=lambda part: -part.operator.seconds)[:MOST_OPERATORS])


def _largest(walls: Mapping[Wall, float]) -> Wall:
    return max(walls, key=lambda wall: walls[wall])
