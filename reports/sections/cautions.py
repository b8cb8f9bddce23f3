"""What a reader must know before trusting the figures, by code: how often, where, and what to do."""

from bench.record import Record, Warn
from reports import labels
from reports.document import Notice, Section
from reports.study import Study

ORDER = 80

#: Points named per warning; the count says how many there are in all.
_MOST_POINTS = 4


def build(study: Study) -> Section | None:
    """None where there was nothing to warn of."""
    found: dict[str, list[tuple[Record, Warn]]] = {}
    for record in study.records:
        for warning in record.warnings:
            found.setdefault(labels.plain(warning.code), []).append((record, warning))
    if not found:
        return None
    ranked = sorted(found.items(), key=lambda item: (-len(_points(item[1])), item[0]))
    affected = len({id(record) for members in found.values() for record, _ in members})
    lead = f"{affected} of {labels.count(len(study.records), 'configuration')} should be read with care."
    return Section("Warnings", lead, tuple(_notice(study, code, members) for code, members in ranked))


def _points(members: list[tuple[Record, Warn]]) -> list[Record]:
    return list({id(record): record for record, _ in members}.values())


def _notice(study: Study, code: str, members: list[tuple[Record, Warn]]) -> Notice:
    records = _points(members)
    first = members[0][1]
    title = f"{code.replace('_', ' ').replace('-', ' ').capitalize()}: {labels.count(len(records), 'configuration')}"
    alike = all(warning.message == first.message for _, warning in members)
    message = labels.plain(first.message if alike else f"For example: {first.message}")
    return Notice(title, message, labels.plain(first.remedy), study.some(records, _MOST_POINTS))
