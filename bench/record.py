"""One self-describing result, or one named failure. Who opens a record in a year needs nothing else.

Schema history:
    1  first release
    2  what an iteration consists of (`observation`), the ceilings it is judged against, and interventions; later also
       `advice`, which who does not know it passes over
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Literal, TypeVar

from bench.errors import UserError
from bench.observation import Observation

if TYPE_CHECKING:
    from pydantic import TypeAdapter

T = TypeVar("T")

SCHEMA = 2

Value = int | float | str
Status = Literal["ok", "oom", "timeout", "crashed", "unsupported", "does_not_fit", "interrupted"]
BlockKind = Literal["timed", "observed"]


@dataclass(frozen=True)
class Metric:
    """A measured value with its distribution-free 95 % interval, or `None` with the reason why it could not be had.

    `direction` is +1 where more is better, -1 where less is better, 0 where neither is. `low` and `high` are None
    where there are too few processes for a 95 % interval; `n` counts samples. Units are SI: s, B, J, W, FLOP and their
    quotients.
    """

    value: float | None
    unit: str
    direction: Literal[-1, 0, 1]
    label: str
    low: float | None = None
    high: float | None = None
    n: int = 0
    reason: str | None = None


@dataclass(frozen=True)
class MetricInfo:
    """What a reading is, so that it can stand in a record: a probe declares one for each name that it provides.

    `combine` says how the readings of several blocks become one value: the median of a level, the maximum of a peak,
    the mean (over the time they took) of a share that is counted in steps as long as a block.
    """

    unit: str
    direction: Literal[-1, 0, 1]
    label: str
    combine: Literal["median", "max", "mean"] = "median"


@dataclass(frozen=True)
class Warn:
    """Something that a reader must know before trusting the figures: a code, a sentence, and the remedy."""

    code: str
    message: str
    remedy: str


@dataclass(frozen=True)
class Block:
    """A run of iterations without a pause, in one process: the raw samples, and what the probes read around them.

    `timed` blocks alternate with those of the other points of the group; times are taken from them alone.
    Blocks of one `group` and `round` ran within moments of each other, so their ratio is free of the machine's drift.
    `observed` blocks last as long as a meter needs, and are not used for times.
    """

    kind: BlockKind
    process: int
    round: int
    started_s: float
    samples_ns: list[int]
    steal_share: float | None = None
    readings: dict[str, float] = field(default_factory=dict)
    group: str = ""
    warnings: list[Warn] = field(default_factory=list)


@dataclass(frozen=True)
class Ceiling(Metric):
    """A measured maximum of the machine; `how` says by which kernel, on which shape or buffer it was reached."""

    how: str = ""


@dataclass(frozen=True)
class Experiment:
    """One intervention on a point: its times under it, interleaved with those without, and what each resource gave.

    `logs` are ln(time with / time without) of each pair of blocks; `rates` are, for each resource, ln(rate with / rate
    without) as the machine attained it under the same intervention: the median of `rate_logs`, which are those of its
    pairs. A `null` one changed nothing. `reason` says why it could not be tried. `processes` names, for each of `logs`,
    the process in which the pair ran, since pairs of one process are alike.
    """

    name: str
    logs: list[float]
    rates: dict[str, float]
    null: bool = False
    reason: str | None = None
    processes: list[int] = field(default_factory=list)
    rate_logs: dict[str, list[float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Advice:
    """A change that the suite can make to the point: what it was predicted to gain, and what it costs.

    `axes` are the values that change. `log` is the predicted ln(time of a token after / before), `low` and `high` its
    90 % interval; `assumed` the share of the time whose change was assumed and not timed. `memory_B` is what it needs
    more (less: below 0) by arithmetic, None where that is not known. `quality` is that of the changed point where a run
    measured it; `quality_note` says what is known of it in words. `reason` says why the change cannot be made here; it
    then has no prediction. `proof` holds the pairs of blocks with and without it, where it was tried.
    """

    axes: dict[str, Value]
    log: float | None = None
    low: float | None = None
    high: float | None = None
    assumed: float = 0.0
    memory_B: int | None = None
    quality: Metric | None = None
    quality_note: str = ""
    note: str = ""
    reason: str | None = None
    proof: Experiment | None = None


@dataclass(frozen=True)
class Record:
    """One point measured once.

    `host` holds what `bench.host.describe` found; its `fingerprint` says whether two records may be compared at all.
    `facts` is what the child reports of the model it built (parameters, stored bytes, sparsity, corpus hash, resolved
    device and threads); `unavailable` maps a probe to the reason why it could not read. `observation` is what one of
    its iterations consists of, `ceilings` what the machine can do at most, by the figure's name, and `experiments` what
    interventions changed, and `advice` what the suite could change, the most promising first; each is empty where it
    was not looked at.
    """

    schema: int
    run: str
    point: str
    axes: dict[str, Value]
    status: Status
    reason: str | None
    started_at: str
    finished_at: str
    metrics: dict[str, Metric]
    costs: dict[str, int]
    facts: dict[str, Value]
    host: dict[str, Value | None]
    warnings: list[Warn]
    unavailable: dict[str, str]
    blocks: list[Block]
    load_s: float | None = None
    warmup_s: float | None = None
    observation: Observation | None = None
    ceilings: dict[str, Ceiling] = field(default_factory=dict)
    experiments: list[Experiment] = field(default_factory=list)
    advice: list[Advice] = field(default_factory=list)


@cache
def _adapter() -> "TypeAdapter[Record]":
    from pydantic import TypeAdapter

    return TypeAdapter(Record)


@cache
def _observation_adapter() -> "TypeAdapter[Observation | None]":
    from pydantic import TypeAdapter

    return TypeAdapter(Observation | None)


@cache
def _ceiling_adapter() -> "TypeAdapter[Ceiling]":
    from pydantic import TypeAdapter

    return TypeAdapter(Ceiling)


@cache
def _block_adapter() -> "TypeAdapter[Block]":
    from pydantic import TypeAdapter

    return TypeAdapter(Block)


def _checked(adapter: "TypeAdapter[T]", raw: object, what: str) -> T:
    from pydantic import ValidationError

    try:
        return adapter.validate_python(raw)
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(
            f"This is not {what} of schema {SCHEMA}: {first['loc']}: {first['msg']}.",
            "Read the store with the pinchpoint that wrote it, or upgrade: pip install --upgrade pinchpoint.",
        ) from error


def block_of(raw: object) -> Block:
    """A block from a child's answer or a stored row. Raises `UserError` for what is none."""
    return _checked(_block_adapter(), raw, "a block")


def observation_of(raw: object) -> Observation | None:
    """An observation from a child's report. Raises `UserError` for what is none."""
    return _checked(_observation_adapter(), raw, "an observation")


def ceiling_of(raw: object) -> Ceiling:
    """A ceiling from a stored run. Raises `UserError` for what is none."""
    return _checked(_ceiling_adapter(), raw, "a ceiling")


def to_json(record: Record) -> str:
    """The record as one line of JSON; `status` stands at the top level."""
    return _adapter().dump_json(record).decode()


def from_json(text: str) -> Record:
    """Read a record of this schema or an older one. Raises `UserError` for a newer one, or for what is no record."""
    import json

    from pydantic import ValidationError

    try:
        raw = json.loads(text)
    except ValueError as error:
        raise UserError(f"This is not a record: {error}.", "Export it again with `pinchpoint export`.") from error
    raw = upgrade(raw)
    try:
        return _adapter().validate_python(raw)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "top level"
        raise UserError(
            f"This is not a record of schema {SCHEMA}: {where}: {first['msg']}.",
            "Export it again with `pinchpoint export`.",
        ) from error


def upgrade(raw: object) -> Mapping[str, object]:
    """Bring a stored record to the present schema: one pure upgrader per version, so nothing on disk is migrated."""
    if not isinstance(raw, dict) or not isinstance(raw.get("schema"), int):
        raise UserError("This is not a record: it names no schema.", "Point to a store that pinchpoint wrote.")
    if raw["schema"] > SCHEMA:
        raise UserError(
            f"This record has schema {raw['schema']}; this pinchpoint reads up to {SCHEMA}.",
            "Upgrade it: pip install --upgrade pinchpoint.",
        )
    return raw
