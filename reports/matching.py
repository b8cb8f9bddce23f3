"""Which records of two sides are of the same benchmark, and why some must not be compared at all."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench import points
from bench.record import Record, Value
from reports import labels, study

#: What processes report of their set-up: with another text, device or number of threads it is other work.
_SET_UP = ("device", "threads", "corpus_sha256")
#: What records of other tools call their benchmark.
_NAME = "benchmark"


@dataclass(frozen=True)
class Match:
    """One benchmark with its records on either side, one a run, the oldest first; a side that lacks it has none."""

    benchmark: str
    base: tuple[Record, ...]
    new: tuple[Record, ...]

    @property
    def same_run(self) -> bool:
        """Whether both sides are of one run, so that no drift lies between them."""
        return {record.run for record in self.base} == {record.run for record in self.new} and len(self.base) == 1

    @property
    def other_set_up(self) -> str:
        """What differs in the set-up of the processes, in words; empty where nothing does."""
        base, new = self.base[-1].facts, self.new[-1].facts
        names = [name for name in _SET_UP if name in base and name in new and base[name] != new[name]]
        return ", ".join(_against(name, base[name], new[name]) for name in names)


@dataclass(frozen=True)
class Matches:
    """The benchmarks of both sides; or `refused`, why none may be compared, and the remedy."""

    matches: tuple[Match, ...] = ()
    refused: str | None = None
    notes: tuple[str, ...] = ()


def match(base: Sequence[Record], new: Sequence[Record], identity: Sequence[str], *, anyway: bool = False) -> Matches:
    """Match by host and point. Without a common host nothing is compared, unless `anyway`: then by point alone.

    `identity` names what makes up a host's fingerprint (`bench.host.IDENTITY`), to say what differs.
    """
    if not base or not new:
        return Matches(refused=f"{'BASE' if not base else 'NEW'} has no record. Measure it first: pinchpoint sweep.")
    hosts = {_host(record) for record in base} & {_host(record) for record in new}
    differ = "" if hosts else _differences(base[-1].host, new[-1].host, identity)
    if not hosts and not anyway:
        return Matches(
            refused=f"They were measured on different machines or set-ups: {differ}. "
            "Measure both on one, or compare all the same: --anyway."
        )
    notes = [] if hosts else [f"Compared although machines or set-ups differ (--anyway): {differ}."]
    left_out = [record for record in (*base, *new) if hosts and _host(record) not in hosts]
    if left_out:
        notes.append(f"{labels.count(len(left_out), 'record')} of other machines left out: one side alone has them.")
    kept = [[record for record in side if not hosts or _host(record) in hosts] for side in (base, new)]
    sides = [_by_key(side, by_host=bool(hosts)) for side in kept]
    if not sides[0].keys() & sides[1].keys():
        return Matches(
            refused="They have no point in common. Measure the same sweep on both sides.", notes=tuple(notes)
        )
    names = _names([*kept[0], *kept[1]], several_hosts=len(hosts) > 1)
    found = [
        Match(names[key], tuple(sides[0].get(key, ())), tuple(sides[1].get(key, ())))
        for key in dict.fromkeys([*sides[0], *sides[1]])
    ]
    return Matches(tuple(found), notes=tuple(notes))


def _by_key(records: Iterable[Record], *, by_host: bool) -> dict[tuple[str, str], list[Record]]:
    """Records by host and point, one a run (the newest), in the order of time."""
    found: dict[tuple[str, str], dict[str, Record]] = {}
    for record in sorted(records, key=lambda record: record.started_at):
        found.setdefault((_host(record) if by_host else "", record.point), {})[record.run] = record
    return {key: list(runs.values()) for key, runs in found.items()}


def _names(records: Sequence[Record], *, several_hosts: bool) -> dict[tuple[str, str], str]:
    """A name for each key of `_by_key`, with or without a host; no two alike."""
    among = [study.point(record) for record in records]
    names: dict[tuple[str, str], str] = {}
    for record in records:
        told = record.facts.get(_NAME)
        name = labels.plain(told if told is not None else points.describe(study.point(record), among))
        if several_hosts:
            name += f" on {labels.plain(record.host.get('accelerator') or record.host.get('cpu'))}"
        if any(other == name and key[1] != record.point for key, other in names.items()):
            name += f" ({record.point})"
        if several_hosts and any(other == name and key[0] != _host(record) for key, other in names.items() if key[0]):
            name += f" ({_host(record)[:4]})"
        names |= {(_host(record), record.point): name, ("", record.point): name}
    return names


def _differences(base: Mapping[str, Value | None], new: Mapping[str, Value | None], identity: Sequence[str]) -> str:
    names = [name for name in identity if base.get(name) != new.get(name)]
    return ", ".join(_against(name, base.get(name), new.get(name)) for name in names) or "their fingerprints differ"


def _against(name: str, base: Value | None, new: Value | None) -> str:
    was, now = ("none" if value is None else labels.value(value) for value in (base, new))
    return f"{name.replace('_', ' ')} {was} against {now}"


def _host(record: Record) -> str:
    return str(record.host.get("fingerprint"))
