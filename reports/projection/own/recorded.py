"""pinchpoint's own records as jobs: prefill and decode of every architecture that continues texts."""

from collections.abc import Mapping

from bench import points
from bench.axes import BY_NAME, DEFAULTS
from bench.errors import Unsupported, UserError
from bench.record import Record, Value
from reports import labels
from reports.projection import model_names, models
from reports.projection.calibrated import OWN
from reports.projection.models import Model
from reports.projection.own.job import Job, LeftOut, counted, metric, number
from reports.projection.own.machines import Machines, on_gpu, threads
from reports.projection.situations import Situation

#: Formats of weights and of activations by precision.
_PRECISIONS = {
    "fp32": ("fp32", "fp32"),
    "tf32": ("tf32", "fp32"),
    "bf16": ("bf16", "bf16"),
    "amp-bf16": ("bf16", "bf16"),
    "amp-fp16": ("fp16", "fp16"),
}
#: Architectures whose weights are all read in the format that they are quantized to: torchao reaches linear layers
#: alone, torch's own int8 linear layers and LSTMs (`model.quantize`).
_LINEAR = ("transformer", "seq2seq", "hf")
_REACHED = {"int8-dynamic": (*_LINEAR, "lstm")}
#: Architectures that begin to generate with the last token of the prompt, which prefill then leaves unread.
DECODERS = ("transformer", "hf")


def job(record: Record, machines: Machines) -> Job:
    """What the record measured. Raises `LeftOut` where nothing of it can be projected."""
    if record.status != "ok":
        raise LeftOut(f"they hold no measurement ({record.status})")
    try:
        values = DEFAULTS | {name: BY_NAME[name].parse(value) for name, value in record.axes.items() if name in BY_NAME}
        return _job(record, values, machines)
    except (UserError, Unsupported) as error:
        raise LeftOut(f"what they ran is no shape of this version: {_first(error)}") from error


def _first(error: Exception) -> str:
    said = error.message if isinstance(error, UserError) else str(error)
    return labels.plain(said)[:200].rstrip(".")


def _job(record: Record, values: Mapping[str, Value], machines: Machines) -> Job:
    workload, architecture = str(values["workload"]), str(values["architecture"])
    _check(workload, values)
    weights, activations = _formats(architecture, values)
    kv = str(values["kv_cache"]) if values["kv_cache"] not in ("auto", "preset") else activations
    seconds = metric(record, "latency_s", "they hold no time of an iteration")
    gpu = on_gpu(record)
    machine = str(record.host.get("fingerprint"))
    found = machines.accelerator(record.host) if gpu else machines.processor(record.host, threads(record), machine)
    model = _model(record, values)
    batch, length, output = (int(values[name]) for name in ("batch_size", "sequence_length", "generated_length"))
    read = length - 1 if architecture in DECODERS else length
    if workload == "prefill" and not read:
        raise LeftOut("a prompt of one token leaves a decoder nothing to prefill")
    prompt, steps, depth = (read, 0, 0) if workload == "prefill" else (0, output, read)
    counts = counted(model, weights, kv, batch=batch, prompt=prompt, output=steps, depth=depth, logits=False)
    power = record.metrics.get("avg_power_W")
    return Job(
        record=record,
        model=model,
        situation=Situation(found.device, _engine(architecture, values), weights, counts, source=OWN),
        kv=kv,
        phase=workload,
        batch=batch,
        prompt=prompt,
        output=steps,
        depth=depth,
        asked=(length, output),
        seconds=seconds,
        watts=number(power.value) if gpu and power is not None else None,
        stands_in=str(values["precision"]).startswith("amp-"),
        notes=found.notes,
    )


def _check(workload: str, values: Mapping[str, Value]) -> None:
    if workload not in ("prefill", "decode"):
        raise LeftOut(f"the workload '{workload}' is not projected from own records")
    if float(values["prune"]):
        raise LeftOut("a pruned model has no number format of its own")
    if values["factorize"] != "none":
        raise LeftOut("a factorized model has no number format of its own")


def _engine(architecture: str, values: Mapping[str, Value]) -> str:
    """The code that ran the model: a model of transformers brings its own."""
    code = "transformers" if architecture == "hf" else "pinchpoint"
    return f"{code} compiled" if values["compile"] == "compiled" else code


def _formats(architecture: str, values: Mapping[str, Value]) -> tuple[str, str]:
    """The formats of the weights as they are multiplied, and of activations.

    Raises `LeftOut` where quantization reaches a part of the weights alone.
    """
    weights, activations = _PRECISIONS[str(values["precision"])]
    quantized = str(values["quantize"])
    if quantized == "none":
        return weights, activations
    if architecture not in _REACHED.get(quantized, _LINEAR):
        raise LeftOut(f"{quantized} leaves most weights of the architecture '{architecture}' as they are")
    return quantized, activations


def _model(record: Record, values: Mapping[str, Value]) -> Model:
    """The model that was run, named as a command would name it. Raises `LeftOut`, or `UserError` for its shape."""
    architecture = str(values["architecture"])
    if architecture == "hf":
        name = str(values["model"]).rpartition("@")[0]
        found = model_names.published(name, number(record.facts.get("parameters")))
        if found is None:
            raise LeftOut(f"a record holds no config.json, and '{name[:60]}' is no published model that is known here")
        return found
    axes = [axis for axis in BY_NAME.values() if axis.dimension and values[axis.name] not in ("preset", "auto")]
    changed = [f"{axis.name}={values[axis.name]}" for axis in axes if axis.name != "kv_cache"]
    name = " ".join([f"{architecture}/{values['size']}", *changed])
    return models.of_shape(architecture, points.config({**values, "kv_cache": "preset", "dropout": 0.0}), name)
