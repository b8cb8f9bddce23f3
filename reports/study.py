"""Records grouped into what may be compared: hosts by fingerprint, families of variants with their reference."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from bench import points
from bench.axes import BY_NAME, DEFAULTS
from bench.record import Metric, Record, Value
from reports import certainty, labels
from reports.comparison import Comparison

if TYPE_CHECKING:
    from reports.projection.answers import Answer

#: Memory that the model itself takes, best measure first: the device's allocator, or the process' growth on the CPU.
MEMORY_METRICS = ("max_allocated_B", "ram_above_start_B", "max_ram_B")


def values(record: Record) -> dict[str, Value]:
    """A value for every axis that this version knows; one that the record does not name has its default."""
    return DEFAULTS | {name: value for name, value in record.axes.items() if name in BY_NAME}


def point(record: Record) -> points.Point:
    """The record's point, rebuilt from its axes."""
    given = {name: value for name, value in values(record).items() if value != DEFAULTS[name]}
    return points.Point(tuple(sorted(given.items())))


def metric(record: Record, name: str) -> Metric | None:
    """The metric `name`, or None where it is absent or has no value."""
    found = record.metrics.get(name)
    return found if found is not None and found.value is not None else None


def memory(record: Record) -> Metric | None:
    """The memory that the model took at its peak, by the best measure that the record has."""
    return next((found for name in MEMORY_METRICS if (found := metric(record, name))), None)


def imported_from(record: Record) -> str | None:
    """The tool that measured the record, and its version; None where pinchpoint did."""
    told = record.facts.get("imported_from")
    return None if told is None else labels.plain(told)


@dataclass(frozen=True)
class Host:
    """One machine in one state: records of the same fingerprint may be compared with each other."""

    label: str
    facts: Mapping[str, Value | None]
    records: tuple[Record, ...]


@dataclass(frozen=True)
class Pair:
    """A variant in precision or compression, and the plain point that did the same work on the same host."""

    variant: Record
    reference: Record

    @property
    def interleaved(self) -> bool:
        """Whether the two belong to one run, whose points alternate in rounds."""
        return self.variant.run == self.reference.run


@dataclass(frozen=True)
class Family:
    """Records of one host that did the same work and differ in precision or compression alone."""

    records: tuple[Record, ...]

    @cached_property
    def pairs(self) -> tuple[Pair, ...]:
        """Each variant that gave a result with its reference: of its own run, else the latest of another one."""
        plain = sorted((r for r in self.records if point(r).is_reference), key=lambda r: r.started_at)
        if not plain:
            return ()
        own = {reference.run: reference for reference in plain}
        variants = (r for r in self.records if not point(r).is_reference)
        return tuple(Pair(variant, own.get(variant.run, plain[-1])) for variant in variants)


@dataclass(frozen=True)
class Study:
    """All records of a report. `varying` names the axes that tell its points apart; only those are shown.

    `comparisons` are of two sides each, the oldest first. `past` holds the records of all runs of the stores, for
    trends; theirs may lack blocks. `answer` is what was projected to other hardware.
    """

    records: tuple[Record, ...]
    hosts: tuple[Host, ...]
    runs: tuple[str, ...]
    varying: tuple[str, ...]
    families: tuple[Family, ...]
    comparisons: tuple[Comparison, ...] = ()
    past: tuple[Record, ...] = ()
    answer: "Answer | None" = None

    @cached_property
    def ok(self) -> tuple[Record, ...]:
        """Records that hold a measurement."""
        return tuple(record for record in self.records if record.status == "ok")

    @cached_property
    def ours(self) -> tuple[Record, ...]:
        """Of these, the ones that no other tool measured."""
        return tuple(record for record in self.ok if imported_from(record) is None)

    @cached_property
    def failures(self) -> tuple[Record, ...]:
        """Records that say why there is no measurement."""
        return tuple(record for record in self.records if record.status != "ok")

    @cached_property
    def pairs(self) -> tuple[Pair, ...]:
        """Every variant that can be compared with its reference."""
        return tuple(pair for family in self.families for pair in family.pairs)

    @cached_property
    def causes(self) -> dict[tuple[str, str], list[Record]]:
        """The failures by status and reason in words, the most frequent first."""
        found: dict[tuple[str, str], list[Record]] = {}
        for record in self.failures:
            reason = labels.plain(record.reason or "no reason was recorded")
            found.setdefault((labels.status(record), reason), []).append(record)
        return dict(sorted(found.items(), key=lambda item: -len(item[1])))

    def some(self, records: Sequence[Record], most: int) -> str:
        """The labels of the first few of `records`, and how many more there are."""
        shown = "; ".join(self.label(record) for record in records[:most])
        return shown + (f"; and {len(records) - most} more" if len(records) > most else "")

    @cached_property
    def _hosts(self) -> dict[str, Host]:
        return {_fingerprint(host.records[0]): host for host in self.hosts}

    def host(self, record: Record) -> Host:
        """The host on which `record` was measured."""
        return self._hosts[_fingerprint(record)]

    def run_number(self, record: Record) -> int:
        """The place of the record's run in time, from 1: ids are too long for a label."""
        return self.runs.index(record.run) + 1

    @cached_property
    def repeats(self) -> bool:
        """Whether some machine has several runs, so that a label must say which."""
        return any(len({record.run for record in host.records}) > 1 for host in self.hosts)

    def label(self, record: Record, but: Iterable[str] = ()) -> str:
        """What tells the record from the others of the study, leaving out the axes `but`."""
        hidden = set(but)
        words = labels.point(values(record), [name for name in self.varying if name not in hidden])
        where = [f"machine {self.host(record).label}"] if len(self.hosts) > 1 else []
        where += [f"run {self.run_number(record)}"] if self.repeats else []
        return ", ".join([word for word in [words, *where] if word]) or labels.variant(values(record))


def _fingerprint(record: Record) -> str:
    return str(record.host.get("fingerprint"))


def letters(index: int) -> str:
    """A, B, ..., Z, AA, AB, ..."""
    high, low = divmod(index, 26)
    return (letters(high - 1) if high else "") + chr(ord("A") + low)


def study(
    records: Iterable[Record],
    comparisons: Iterable[Comparison] = (),
    past: Iterable[Record] = (),
    answer: "Answer | None" = None,
) -> Study:
    """Group `records`. A record given twice (a store named twice) counts once; the order is that of the axes.

    Intervals that rest on too few processes are dropped (`reports.certainty.supported`).
    """
    unique = list({(r.run, r.point, r.started_at): certainty.supported(r) for r in records}.values())
    vary = points.varying([values(record) for record in unique])
    # What another tool measured is known by its name alone, so that is said even where there is only one.
    named = ["benchmark"] * any(values(record)["benchmark"] != "none" for record in unique)
    varying = tuple(name for name in BY_NAME if name in {*vary, *named})
    ordered = sorted(unique, key=lambda r: (labels.order(values(r), varying), r.started_at))
    by_host: dict[str, list[Record]] = {}
    by_family: dict[tuple[object, ...], list[Record]] = {}
    for record in ordered:
        by_host.setdefault(_fingerprint(record), []).append(record)
        if record.status == "ok":
            text = record.facts.get("corpus_sha256")
            by_family.setdefault((_fingerprint(record), text, point(record).family), []).append(record)
    hosts = tuple(
        Host(letters(index), members[0].host, tuple(members))
        for index, members in enumerate(sorted(by_host.values(), key=lambda m: min(r.started_at for r in m)))
    )
    first = sorted(ordered, key=lambda r: r.started_at)
    runs = tuple(dict.fromkeys(record.run for record in first))
    families = tuple(Family(tuple(members)) for members in by_family.values())
    return Study(tuple(ordered), hosts, runs, varying, families, tuple(comparisons), tuple(past), answer)
