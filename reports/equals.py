"""Records that differ in their architecture alone and have about as many parameters: what may be called a fair race."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from bench.record import Record, Value
from reports import labels
from reports.study import Study, metric, point, values

#: Parameters of models that are called equal differ by no more than this share.
EQUAL = 0.05


@dataclass(frozen=True)
class Race:
    """Plain points of one host that do the same work with two or more architectures of equal size.

    `records` holds one an architecture, in the order of the study; of several runs the latest.
    """

    records: tuple[Record, ...]

    @property
    def axes(self) -> dict[str, Value]:
        """What the records share (and the architecture of the first)."""
        return values(self.records[0])

    def of(self, architecture: str) -> Record | None:
        """The record of that architecture."""
        return next((record for record in self.records if architecture_of(record) == architecture), None)

    @cached_property
    def winner(self) -> Record | None:
        """The one with the most tokens a second, where its interval lies above all others; else none has won."""
        timed = [(found, r) for r in self.records if (found := metric(r, "throughput_tokens_per_s"))]
        if len(timed) < 2 or any(found.low is None or found.high is None for found, _ in timed):
            return None
        first, *others = sorted(timed, key=lambda each: each[0].value or 0.0, reverse=True)
        beaten = all((first[0].low or 0.0) > (other.high or 0.0) for other, _ in others)
        return first[1] if beaten else None


def architecture_of(record: Record) -> str:
    """The name of the record's architecture, cleaned."""
    return labels.value(values(record)["architecture"])


def parameters(record: Record) -> int | None:
    """Trained numbers of the model before anything was done to it."""
    found = record.facts.get("parameters", record.costs.get("parameters"))
    return int(found) if isinstance(found, (int, float)) and found > 0 else None


def races(study: Study) -> tuple[Race, ...]:
    """Every race of the study, in its order."""
    groups: dict[tuple[object, ...], dict[str, Record]] = {}
    for record in study.ok:
        if point(record).is_reference and parameters(record):
            rest = tuple(each for each in point(record).given if each[0] != "architecture")
            key = (study.host(record).label, record.facts.get("corpus_sha256"), rest)
            group = groups.setdefault(key, {})
            earlier = group.get(architecture_of(record))
            if earlier is None or earlier.started_at <= record.started_at:
                group[architecture_of(record)] = record
    equal = [_equal(list(group.values())) for group in groups.values()]
    return tuple(Race(records) for records in equal if len(records) > 1)


def _equal(records: Sequence[Record]) -> tuple[Record, ...]:
    """The most of `records` whose parameters all lie within `EQUAL` of the fewest among them."""
    best: list[Record] = []
    for smallest in records:
        least = parameters(smallest) or 0
        near = [r for r in records if least <= (parameters(r) or 0) <= least * (1 + EQUAL)]
        best = max(best, near, key=len)
    return tuple(best)


def spread(race: Race) -> float:
    """By what share the most parameters of the race exceed the fewest."""
    counts = [count for record in race.records if (count := parameters(record))]
    return max(counts) / min(counts) - 1


def left_out(study: Study, found: Sequence[Race]) -> tuple[str, ...]:
    """Architectures with a plain result that stand in no race: too large, too small, or alone with their work."""
    raced = {architecture_of(record) for race in found for record in race.records}
    plain = dict.fromkeys(architecture_of(r) for r in study.ok if point(r).is_reference)
    return tuple(name for name in plain if name not in raced)
