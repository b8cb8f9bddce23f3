"""Where the time of an iteration goes, and the wall that this makes: read from what was observed and the ceilings.

Time model: T = T_input + T_transfer + T_dispatch + sum over operators of max(FLOPs / peak, bytes / bandwidth) + kernel
gap + communication + idle time + residual (the maximum: Williams, Waterman & Patterson, CACM 2009). What an operator
must take goes to the resource that it uses up; what it takes beyond that is split by evidence (`reports.time_split`).
Names of models, workloads or labels are not looked at. Every threshold is a ratio, so that a machine twice as fast has
the same walls.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from bench.errors import UserError
from bench.observation import Observation, Operator
from bench.record import Ceiling, Record
from reports import necessity
from reports.necessity import Need
from reports.rates import Rates
from reports.rungs import Rung, beyond, errors, rungs
from reports.time_split import Split, split_of
from reports.walls import Wall

#: Above it, and where it is the largest part, the residual is the verdict.
MOST_RESIDUAL = 0.15
#: A second wall is named from this share on.
LEAST_SECOND = 0.1
#: Operators that are shown.
MOST_OPERATORS = 10


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
    split = split_of(observation, rates)
    bounds = [split_of(observation, Rates(ceilings, bound)).seconds for bound in ("fast", "slow")]
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


def _parts(o: Observation, rates: Rates, split: Split) -> tuple[Part, ...]:
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
