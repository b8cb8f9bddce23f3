"""What `pinchpoint project` takes from STOREs: a point to project, and measurements beside the published ones."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.errors import UserError
from bench.kinds import nearest

if TYPE_CHECKING:
    from bench.record import Record
    from reports.catalogue import Catalogue, Device
    from reports.projection.calibrated import Calibrated
    from reports.projection.own import OwnWork

_MOST_NAMED = 6
_WORD = re.compile(r"[\w.-]+")


@dataclass(frozen=True, eq=False)
class Stored:
    """The records, the device that they are of, the point chosen, and the models that know their measurements.

    `point` is None where none is needed, `device` where none could be told, and `models` where nothing could be fitted
    to; `notes` say what was measured and what was left out.
    """

    records: "tuple[Record, ...]"
    past: "tuple[Record, ...]"
    device: "Device | None"
    point: "OwnWork | None"
    models: "Calibrated | None"
    notes: tuple[str, ...]


def read(stores: Sequence[str], catalogue: "Catalogue", words: str | None, *, needed: bool) -> Stored:
    """The newest run of each store or export, as `bench.references` finds it.

    Raises `UserError` where a point is `needed` and there is none that can be projected, and for `words` that none has.
    """
    from bench import references
    from reports.projection import calibrated, own

    found = [references.find(each, "pinchpoint-results") for each in dict.fromkeys(stores)]
    records = tuple(record for each in found for record in each.records)
    past = tuple(record for each in found for record in each.past)
    read = own.read(records, catalogue)
    if needed and not read.workloads:
        why = f": {'; '.join(note.rstrip('.') for note in read.notes[:2])}" if read.notes else ""
        raise UserError(
            f"Nothing in {', '.join(stores)} can be projected{why}.",
            "Measure a decode of a language model there (pinchpoint sweep -w decode), or name one with --model.",
        )
    models = None
    if read.fitted:
        models = calibrated.calibrated((*calibrated.shipped().fitted, *read.fitted), calibrated.scales())
    point = _chosen(read.workloads, words) if needed else None
    notes = list(read.notes)
    if point is not None:
        notes.insert(0, f"The work is that of {label(point)}, as it was measured{_others(read.workloads)}.")
    return Stored(records, past, read.device, point, models, tuple(notes))


def label(point: "OwnWork") -> str:
    """What tells a point from others: `transformer/tiny, fp32, batch 8, 64x16`."""
    return f"{point.model.name}, {point.weights}, batch {point.batch}, {point.prompt}x{point.output}"


def _chosen(points: "Sequence[OwnWork]", words: str | None) -> "OwnWork":
    """The one with all the `words`; of several the largest model's, in the widest format, with the smallest batch."""
    from reports.projection import formats

    wanted = set(_WORD.findall((words or "").casefold()))
    found = [each for each in points if wanted <= set(_WORD.findall(label(each).casefold()))]
    if not found:
        labels = [label(each) for each in points]
        raise UserError(
            f"No point has '{words}'.{nearest(words or '', labels)}",
            f"There are: {'; '.join(labels[:_MOST_NAMED])}{'; …' if len(labels) > _MOST_NAMED else ''}.",
        )
    return min(found, key=lambda each: _order(each, formats.FORMATS[each.weights].bits))


def _order(point: "OwnWork", bits: float) -> tuple[float, ...]:
    return (-point.model.parameters, -point.output, -bits, point.batch, -point.prompt)


def _others(points: "Sequence[OwnWork]") -> str:
    return f" ({len(points) - 1} more can be chosen with --point)" if len(points) > 1 else ""
