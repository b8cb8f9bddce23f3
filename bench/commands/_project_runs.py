"""How pinchpoint itself runs what was projected: the axes of a spec, for an acceptance pack."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.axes import FOREIGN, OWN_SIZE
from bench.errors import UserError
from bench.record import Value

if TYPE_CHECKING:
    from bench.record import Record
    from reports.projection.answers import Workload
    from reports.projection.own import OwnWork

#: Formats of weights -> how pinchpoint makes them. It has none of fp16 alone: `amp-fp16` keeps weights of 32 bits.
_WEIGHTS: Mapping[str, Mapping[str, Value]] = {
    "fp32": {"precision": "fp32"},
    "tf32": {"precision": "tf32"},
    "bf16": {"precision": "bf16"},
    "fp8": {"precision": "bf16", "quantize": "fp8"},
    "int8": {"precision": "bf16", "quantize": "int8-dynamic"},
    "int8-dynamic": {"precision": "bf16", "quantize": "int8-dynamic"},
    "int8-weight": {"precision": "bf16", "quantize": "int8-weight"},
    "int4-weight": {"precision": "bf16", "quantize": "int4-weight"},
}
_CACHES = ("fp32", "bf16", "int8")
#: What a point says of the work and the machine, and not of the model.
_NOT_OF_MODEL = (
    "workload", "profile", "batch_size", "sequence_length", "generated_length", "device", "threads", "seed",
)  # fmt: skip


def axes(model: str | None, point: "OwnWork | None", records: "Sequence[Record]", work: "Workload") -> dict[str, Value]:
    """The axes by which pinchpoint builds the model, named or that of a point of `records`, in the formats of the work.

    Raises `UserError` where it cannot: no vendor could run the pack.
    """
    if model is None:
        assert point is not None, "the question has a model or a point"
        return _of_point(point, records, work)
    if model.startswith("transformer/"):
        built: dict[str, Value] = {"architecture": "transformer", "size": model.partition("/")[2]}
    elif (Path(model) / "config.json").is_file():
        from bench.commands import _inputs
        from bench.inputs import Inputs

        identity = _inputs.identity(model, Inputs(model=str(Path(model).resolve())))
        built = {"architecture": "hf", "model": identity, "size": OWN_SIZE}
    else:
        raise UserError(
            f"pinchpoint cannot run {work.model.name} from its name alone, so no vendor could measure it.",
            "Give the model's own folder, transformer/SIZE, or a STORE that measured it.",
        )
    return built | _formats(work, built)


def _formats(work: "Workload", built: Mapping[str, Value]) -> dict[str, Value]:
    weights = _WEIGHTS.get(work.weights)
    if weights is None:
        raise UserError(
            f"pinchpoint has no weights in {work.weights}, so no vendor could measure it.",
            f"Project for one of: {', '.join(_WEIGHTS)}.",
        )
    usual = "fp32" if weights["precision"] in ("fp32", "tf32") else "bf16"
    cache = "bf16" if work.kv == "fp16" else work.kv
    if cache == usual:
        return dict(weights)
    if built["architecture"] != "transformer" or cache not in _CACHES:
        raise UserError(
            f"pinchpoint has no cache in {work.kv} for this model, so no vendor could measure it.",
            f"Project for --kv {usual}.",
        )
    return {**weights, "kv_cache": cache}


def _of_point(point: "OwnWork", records: "Sequence[Record]", work: "Workload") -> dict[str, Value]:
    """Those of its records, where the formats are still theirs."""
    from bench import points

    if (work.weights, work.kv) != (point.weights, point.kv):
        raise UserError(
            "The acceptance pack of a STORE's point is in the formats that were measured.",
            "Leave out --weights and --kv, or name the model with --model.",
        )
    values = next(record.axes for record in records if record.point == point.measured[0].point)
    if values["architecture"] == FOREIGN["architecture"]:
        raise UserError(
            f"Another tool measured {point.model.name}, and pinchpoint cannot run it.",
            "Name a model that it builds: --model transformer/SIZE, or a folder.",
        )
    return {name: value for name, value in points.point(values).given if name not in _NOT_OF_MODEL}
