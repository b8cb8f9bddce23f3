"""What is asked of `pinchpoint project`, from its flags and stores: the work, the devices, and the assumptions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.commands import _project_devices, _project_store
from bench.errors import UserError
from bench.kinds import nearest

if TYPE_CHECKING:
    from bench.record import Record
    from reports.catalogue import Catalogue
    from reports.projection.answers import Answer, Assumptions, Candidate, Use, Workload
    from reports.projection.calibrated import Calibrated
    from reports.projection.own import OwnWork
    from reports.projection.ranking import Criterion

_WORDS = ("currency", "rented")
_BOUNDS = (
    "Where only limits are known, {} was measured on no such device: for estimates, name an engine that was (--engine "
    "vllm, llama.cpp)."
)


@dataclass(frozen=True, eq=False)
class Asked:
    """One question, and the records that the page shows beside its answer.

    `model` is what --model names, and `point` that of a store where it names nothing.
    """

    workload: "Workload"
    candidates: "tuple[Candidate, ...]"
    assumptions: "Assumptions"
    criterion: "Criterion"
    models: "Calibrated | None"
    model: str | None
    point: "OwnWork | None" = None
    records: "tuple[Record, ...]" = ()
    past: "tuple[Record, ...]" = ()
    notes: tuple[str, ...] = ()


def read(stores: Sequence[str], flags: Mapping[str, Any], criterion: "Criterion") -> Asked:
    """The question. Raises `UserError` for whatever in it cannot be, before anything is computed."""
    known = _project_devices.catalogue(flags["catalogue"])
    own = _stored(stores, known, flags)
    here = own.device if own else None
    places, lacking = _project_devices.places(known, flags["to"], here)
    assumed = assumptions(flags["assumptions"], flags["changes"])
    _project_devices.check_currency([each.device for each in places], criterion, assumed.currency)
    work = workload(flags, own)
    most = 1 if flags["rfp"] else flags["devices_most"]  # a pack is of what one device does
    notes = list(own.notes) if own else []
    if lacking:
        notes.append(f"Left out for want of a peak, a memory size or a bandwidth in the catalogue: {lacking} devices.")
    return Asked(
        work,
        _candidates(work, places, most, own.models if own else None, criterion),
        assumed,
        criterion,
        own.models if own else None,
        flags["model"],
        own.point if own else None,
        own.records if own else (),
        own.past if own else (),
        tuple(notes),
    )


def _stored(stores: Sequence[str], known: "Catalogue", flags: Mapping[str, Any]) -> "_project_store.Stored | None":
    named = flags["model"] is not None
    if flags["point"] is not None and (named or not stores):
        raise UserError("--point chooses the work that a STORE measured.", "Name a STORE, and leave --model out.")
    return _project_store.read(stores, known, flags["point"], needed=not named) if stores else None


def answered(asked: Asked, draws: int, seed: int) -> "Answer":
    """The answer, with the notes of the question before its own."""
    from reports import procure

    found = procure.answer(
        asked.workload, asked.candidates, asked.assumptions, asked.models, asked.criterion, draws, seed
    )
    unbound = [option for option in found.options if option.outlook.trust.label == "bounds"]
    hint = () if not unbound or asked.workload.engine is None else (_BOUNDS.format(asked.workload.engine),)
    return replace(found, notes=(*asked.notes, *found.notes, *hint))


def workload(flags: Mapping[str, Any], own: "_project_store.Stored | None" = None) -> "Workload":
    """What is to be run: what the flags say, and for the rest what the point of a store was, or what is usual.

    A point of a store keeps its batch, unless a demand or a limit asks for the best one.
    """
    from reports.projection import asked, formats, models
    from reports.projection.answers import Workload

    point = own.point if own and flags["model"] is None else None
    if point is None:
        model, weights, kv, engine = models.named(flags["model"]), "fp16", "fp16", None
    else:
        model, weights, kv, engine = point.model, point.weights, point.kv, point.engine
    uses = _as_measured(point) if point is not None and not flags["mix"] else asked.parse_mix(flags["mix"] or "chat")
    output = sum(use.share * use.output for use in uses)
    demand, ttft, tpot = flags["demand"], flags["ttft"], flags["tpot"]
    batch = flags["batch_size"]
    if batch is None and point is not None and not (demand or ttft or tpot):
        batch = point.batch
    return Workload(
        model,
        formats.named(flags["weights"]) if flags["weights"] else weights,
        formats.named(flags["kv"]) if flags["kv"] else kv,
        uses,
        engine_named(flags["engine"], engine) if flags["engine"] else engine,
        asked.parse_demand(demand, output) if demand else None,
        asked.parse_seconds(ttft) if ttft else None,
        asked.parse_seconds(tpot) if tpot else None,
        batch,
    )


def _as_measured(point: "OwnWork") -> "tuple[Use, ...]":
    from reports.projection.answers import Use

    return (Use("as measured", 1.0, point.prompt, point.output),)


def engine_named(text: str, own: str | None = None) -> str:
    """`ENGINE` or `ENGINE/BACKEND` as the calibration spells them, or the `own` one of a store.

    Raises `UserError` with the nearest one.
    """
    from reports.projection import calibration

    if own is not None and _letters(text) == _letters(own):
        return own
    known: dict[str, dict[str, str]] = {}
    spelt: dict[str, str] = {}
    for each in calibration.shipped():
        spelt.setdefault(_letters(each.engine), each.engine)
        backends = known.setdefault(each.engine, {})
        if each.backend:
            backends.setdefault(each.backend.casefold(), each.backend)
    engine, slash, backend = (part.strip() for part in text.partition("/"))
    if _letters(engine) not in spelt:
        raise UserError(
            f"Nothing was measured with an engine '{engine}'.{nearest(engine.casefold(), known)}",
            f"Known are {', '.join(sorted(known))}. Without --engine, intervals hold the differences between them.",
        )
    name = spelt[_letters(engine)]
    if not slash:
        return name
    if backend.casefold() not in known[name]:
        listed = ", ".join(known[name].values())
        raise UserError(
            f"{name} was not measured with a backend '{backend}'.{nearest(backend, known[name].values())}",
            f"Known are {listed}; or name the engine alone." if listed else f"Name the engine alone: {name}.",
        )
    return f"{name}/{known[name][backend.casefold()]}"


def assumptions(path: Path | None, changes: Sequence[str]) -> "Assumptions":
    """Those of a file, or the usual ones, with single ones changed by `NAME=VALUE`. Raises `UserError`."""
    from reports.projection import assumptions as assumed
    from reports.projection.answers import Assumptions

    values: dict[str, object] = {}
    for change in changes:
        name, equals, value = (part.strip() for part in change.partition("="))
        if not (name and equals and value):
            raise UserError(f"--set {change} is not NAME=VALUE.", "Give such as --set life_years=3.")
        if name in values:
            raise UserError(f"--set {name} is given twice.", "Give it once.")
        values[name] = value if name in _WORDS else _number(value)
    return assumed.changed(assumed.assumptions_from(path) if path else Assumptions(), values)


def _number(text: str) -> object:
    """As a number where it is one; else as it is, which is refused with its name."""
    try:
        return float(text)
    except ValueError:
        return text


def _letters(name: str) -> str:
    """`TensorRT LLM`, `tensorrt_llm` and `tensorrt-llm` are one engine."""
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def _candidates(
    work: "Workload",
    places: "Sequence[_project_devices.Place]",
    most: int,
    models: "Calibrated | None",
    criterion: "Criterion",
) -> "tuple[Candidate, ...]":
    from reports import procure
    from reports.projection.answers import Candidate

    free = [place.device for place in places if place.count is None]
    chosen = iter(procure.candidates(work, free, most, models, criterion) if free else ())
    found = {}
    for place in places:
        if place.count is None:
            each = next(chosen)
        else:
            each = Candidate(place.device, place.count, procure.split(work.engine, place.count))
        found[each.label] = each
    return tuple(found.values())
