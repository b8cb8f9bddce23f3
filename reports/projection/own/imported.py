"""Records of other tools as jobs: llama-bench, optimum-benchmark, vLLM's and aiperf's benchmarks of servers."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from bench.errors import UserError
from bench.record import Record, Value
from reports import datasheet_lookup, labels
from reports.projection import engines, formats, model_names
from reports.projection.calibrated import OWN
from reports.projection.models import Model
from reports.projection.own.job import Job, LeftOut, Timed, counted, metric, number, whole
from reports.projection.own.machines import Found, Machines
from reports.projection.situations import Situation

#: What the tools call backends, as the calibration has them.
_BACKENDS = {"cuda": "CUDA", "hip": "ROCm", "rocm": "ROCm", "metal": "Metal", "mtl": "Metal", "mps": "Metal",
             "vulkan": "Vulkan", "sycl": "SYCL", "xpu": "SYCL", "cpu": "CPU", "blas": "CPU"}  # fmt: skip
_FORMATS = {"bfloat16": "bf16", "float16": "fp16", "half": "fp16", "float32": "fp32", "float": "fp32"}
#: Facts that only benchmarks of servers have: their `latency_s` is of a request and not of all.
_SERVED = ("requests", "requests_completed")
#: What vLLM's files do not say can be told with --metadata: under these names, whatever comes first.
_WEIGHTS = ("weights_format", "metadata_weights_format", "metadata_quantization", "metadata_dtype")
_DEVICE = ("metadata_device", "metadata_gpu", "metadata_accelerator")
_DEVICES = ("devices", "metadata_devices", "metadata_tensor_parallel", "metadata_tensor_parallel_size")
#: Facts of the engine's settings that give the processor's threads.
_THREADS = ("n_threads", "backend_intra_op_num_threads")
#: So many times as many requests as run at once: with fewer, much of the time has fewer of them.
FULL = 2


@dataclass(frozen=True)
class _Ran:
    """What was timed: its phase, sequences, lengths, and seconds with bounds."""

    phase: str
    batch: int
    prompt: int
    output: int
    depth: int
    seconds: Timed


def job(record: Record, machines: Machines) -> Job:
    """What the record measured. Raises `LeftOut` where nothing of it can be projected."""
    facts = record.facts
    if record.status != "ok":
        raise LeftOut(f"they hold no measurement ({record.status})")
    model, weights = _model(facts), _weights(facts)
    kv = _kv(facts, weights)
    ran = _served(record) if any(name in facts for name in _SERVED) else _timed(record)
    found = _device(record, machines)
    devices = _count(facts, found)
    engine = str(facts["engine"]).casefold() if "engine" in facts else None
    counts = counted(model, weights, kv, batch=ran.batch, prompt=ran.prompt, output=ran.output, depth=ran.depth)
    split = engines.split(engine, devices)
    return Job(
        record=record,
        model=model,
        situation=Situation(found.device, engine, weights, counts, devices, split, _backend(facts), OWN),
        kv=kv,
        phase=ran.phase,
        batch=ran.batch,
        prompt=ran.prompt,
        output=ran.output,
        depth=ran.depth,
        asked=(ran.prompt or ran.depth, ran.output),
        seconds=ran.seconds,
        notes=found.notes,
    )


def _model(facts: Mapping[str, Value]) -> Model:
    if "model" not in facts:
        raise LeftOut("their file names no model")
    found = model_names.published(str(facts["model"]), number(facts.get("model_parameters")))
    if found is None:
        raise LeftOut(f"'{labels.plain(facts['model'])[:60]}' is no published model that is known here")
    return found


def _weights(facts: Mapping[str, Value]) -> str:
    """The first fact that tells a format, as `formats` names it."""
    told = next((str(facts[name]) for name in _WEIGHTS if name in facts), None)
    if told is None:
        raise LeftOut("their file tells no number format")
    found = _format(told)
    if found is None:
        raise LeftOut(f"'{labels.plain(told)[:40]}' is no number format that is known here")
    return found


def _format(told: str) -> str | None:
    plain = told.removeprefix("torch.").casefold()
    try:
        return formats.named(_FORMATS.get(plain, plain))
    except UserError:
        return None


def _kv(facts: Mapping[str, Value], weights: str) -> str:
    """The format of the cache: the engines' default is that of the activations."""
    told = _format(str(facts["kv_format"])) if "kv_format" in facts else None
    return told or (weights if weights in ("fp32", "bf16") else "fp16")


def _timed(record: Record) -> _Ran:
    """Iterations of one batch: a prompt, a generation, or both."""
    facts, workload = record.facts, record.axes.get("workload")
    unclear = "their file does not tell what was done in the time that was measured"
    metric(record, "throughput_tokens_per_s", unclear)
    seconds = metric(record, "latency_s", unclear)
    batch = whole(facts, "concurrency")
    prompt, output, depth = (whole(facts, name) or 0 for name in ("prompt_tokens", "output_tokens", "depth_tokens"))
    steps = whole(record.axes, "generated_length") or output
    if batch is None:
        raise LeftOut("their file does not tell how many sequences ran together")
    if workload == "prefill" and prompt:
        return _Ran("prefill", batch, prompt, 0, depth, seconds)
    if workload == "decode" and steps:
        return _Ran("decode", batch, 0, steps, depth, seconds)
    if workload in ("prefill", "decode") or not (prompt and output):
        raise LeftOut("their file tells no lengths")
    return _Ran("serving", batch, prompt, output, depth, seconds)


def _served(record: Record) -> _Ran:
    """Requests to a server, so many at a time: their output tokens a second give the time of so many requests."""
    facts = record.facts
    rate = metric(record, "throughput_tokens_per_s", "their file tells no output tokens a second")
    batch, prompt, output = (whole(facts, name) for name in ("concurrency", "prompt_tokens", "output_tokens"))
    if batch is None:
        raise LeftOut("their file does not tell how many requests ran together")
    if prompt is None or output is None:
        raise LeftOut("their file tells no lengths")
    if facts.get("request_rate_per_s", "unlimited") != "unlimited":
        raise LeftOut("requests came at a rate of the client's, so the server may have waited for them")
    completed = whole(facts, "requests_completed")
    if completed is not None and completed < FULL * batch:
        raise LeftOut(f"fewer than {FULL} times as many requests ran as at once: the server was filling and emptying")
    tokens = batch * output
    bounds = (tokens / each if each else None for each in (rate.high, rate.low))
    return _Ran("serving", batch, prompt, output, 0, Timed(tokens / rate.value, *bounds))


def _backend(facts: Mapping[str, Value]) -> str | None:
    told = str(facts["backend"]).split(",")[0].strip() if "backend" in facts else None
    return None if told is None else _BACKENDS.get(told.casefold(), told)


def _device(record: Record, machines: Machines) -> Found:
    facts = record.facts
    if _backend(facts) == "CPU":
        told = [whole(facts, name) for name in _THREADS] + [whole(record.axes, "threads")]
        return machines.processor(record.host, next((each for each in told if each), 0), None)
    name = record.host.get("accelerator") or next((facts[each] for each in _DEVICE if each in facts), None)
    if name is None:
        raise LeftOut("their file does not name the device")
    try:
        return machines.accelerator({**record.host, "accelerator": str(name)})
    except LeftOut:
        pass  # tools and people have names of their own for what a driver calls otherwise
    try:
        return Found(datasheet_lookup.named(machines.catalogue, str(name)))
    except UserError as error:
        raise LeftOut(labels.plain(error.message)[:200].rstrip(".")) from error


def _count(facts: Mapping[str, Value], found: Found) -> int:
    told = next((str(facts[name]) for name in _DEVICES if name in facts), None)
    if told is None and found.device.kind == "processor":
        return 1
    if told is None or not re.fullmatch(r"[1-9]\d{0,4}", told):
        raise LeftOut("their file does not tell on how many devices it ran")
    return int(told)
