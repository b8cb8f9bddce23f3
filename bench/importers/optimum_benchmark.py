"""optimum-benchmark's `benchmark.json`, or its `benchmark_report.json` alone, which tells no shapes and no machine.

`prefill` and `decode` are workloads of ours: the latter takes one step less than there are new tokens, since the first
comes from the prefill. Throughput is computed here from the times: version 0.6 gives `generate` the decode's tokens as
samples. `per_token` is left out, since version 0.6 counts the tokens of earlier generations again in it.
Fields as in optimum_benchmark/benchmark and /trackers, versions 0.2 to 0.6.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from bench.errors import UserError
from bench.importers import _fields, _making
from bench.importers._facts import Told, tensor_format, without_folders
from bench.importers._fields import Fields
from bench.record import Metric, Record, Value

NAME = "optimum-benchmark"
DESCRIPTION = "its benchmark.json or benchmark_report.json"

#: The minor versions whose fields are those below.
_MINORS = tuple(f"0.{minor}" for minor in range(2, 7))
_LOADS = ("load_model", "load")
_SKIPPED = ("per_token", "per_step", "first_generate", "first_forward", "first_call")
_MEMORIES = {
    "max_ram": ("max_ram_B", "peak memory"),
    "max_allocated": ("max_allocated_B", "peak memory allocated on the device"),
    "max_reserved": ("max_reserved_B", "peak memory reserved on the device"),
    "max_process_vram": ("max_process_vram_B", "memory of the process on the device"),
}
_J_PER_KWH = 3.6e6
_DEFAULT_NEW_TOKENS = 100


@dataclass(frozen=True)
class _Shape:
    """What one iteration works on: `output` tokens are generated for each of `batch_size` prompts; None: not told."""

    batch_size: int | None = None
    prompt: int | None = None
    output: int | None = None

    @property
    def steps(self) -> int | None:
        """Decode steps: the prefill gives the first token."""
        return None if self.output is None else self.output - 1


def recognises(raw: bytes) -> bool:
    """Whether it names what such a file holds."""
    report = b'"latency"' in raw and b'"efficiency"' in raw and b'"throughput"' in raw
    return b'"optimum_benchmark_version"' in raw or report


def records(path: Path) -> list[Record]:
    """One record a target that was measured. Raises `UserError` that names the field that is wrong."""
    whole, content = _fields.json_object(path)
    config = whole.within("config") if "config" in whole.raw else replace(whole, raw={}, place="config")
    report = whole.within("report") if "report" in whole.raw else whole
    environment = config.optional_within("environment")
    version = environment.optional_text("optimum_benchmark_version")
    if version is not None and ".".join(version.split(".")[:2]) not in _MINORS:
        raise UserError(
            f"{path} was written by optimum-benchmark {version[:40]}; this pinchpoint reads its versions 0.2 to 0.6.",
            "Write it with a version that is known, or upgrade: pip install --upgrade pinchpoint.",
        )
    targets = {name: report.within(name) for name in report.raw if report.raw[name] is not None}
    timed = {
        name: each
        for name, each in targets.items()
        if name not in (*_LOADS, *_SKIPPED) and each.raw.get("latency") is not None
    }
    if not timed:
        raise report.refuse("latency", "is in no target: there is nothing that was timed")
    run = _making.run(path, content, f"{NAME} {version}" if version else NAME, None)
    load_s = next(
        (_mean_s(targets[name]) for name in _LOADS if name in targets and targets[name].raw.get("latency")), None
    )
    return _making.records(run, [_measured(name, each, config, load_s) for name, each in timed.items()])


def _measured(name: str, target: Fields, config: Fields, load_s: float | None) -> _making.Measured:
    backend, scenario = config.optional_within("backend"), config.optional_within("scenario")
    shape, regular = _shape(scenario)
    weights, precision = _formats(backend, config.optional_within("environment"))
    latency = target.within("latency")
    _unit(latency, "s")
    blocks, why = _making.block(latency.amounts("values"))
    axes = _axes(name, shape, precision) if regular else {}
    tokens, steps = _work(name, shape) if regular else (0, None)
    metrics = _making.times(blocks, _mean_s(target), tokens, steps, "one iteration")
    model = backend.optional_text("model")
    model = without_folders(model) if model else model
    devices, host = _machine(backend, config)
    engine = "transformers" if backend.raw.get("name") == "pytorch" else backend.optional_text("name")
    told = Told(
        model=model,
        weights_format=weights,
        engine=engine,
        engine_version=_engine_version(engine, backend, config),
        backend=backend.optional_text("device"),
        devices=devices,
        concurrency=shape.batch_size,
        prompt_tokens=shape.prompt,
        output_tokens=shape.output,
        depth_tokens=shape.prompt if name == "decode" else 0 if name == "prefill" else None,
    )
    ours = "workload" in axes
    words = [model or config.optional_text("name") or "", "" if precision else weights or "", "" if ours else name]
    return _making.Measured(
        name=", ".join(word for word in words if word) or name,
        axes=axes,
        facts={**told.facts(), **_settings(backend), **why},
        metrics=metrics | _memory(target) | _energy(target, tokens),
        host=host,
        blocks=blocks,
        load_s=load_s,
        where=target,
    )


def _mean_s(target: Fields) -> float:
    return target.within("latency").amount("mean")


def _unit(told: Fields, unit: str) -> None:
    if told.text("unit") != unit:
        raise told.refuse("unit", f"is {told.text('unit')[:40]!r}, and not {unit}")


def _shape(scenario: Fields) -> tuple[_Shape, bool]:
    """The shapes of an iteration, and whether every sequence is known to be of just these lengths."""
    inputs, generation = scenario.optional_within("input_shapes"), scenario.optional_within("generate_kwargs")
    if not inputs.raw:
        return _Shape(), False
    batch_size = inputs.count("batch_size") if "batch_size" in inputs.raw else None
    prompt = inputs.count("sequence_length") if "sequence_length" in inputs.raw else None
    longest, shortest = (
        generation.count(name) if generation.raw.get(name) is not None else _DEFAULT_NEW_TOKENS
        for name in ("max_new_tokens", "min_new_tokens")
    )
    single = all(generation.raw.get(name) in (None, 1) for name in ("num_beams", "num_return_sequences"))
    known = batch_size is not None and prompt is not None
    return _Shape(
        batch_size, prompt, longest if longest == shortest else None
    ), known and longest == shortest and single


def _work(name: str, shape: _Shape) -> tuple[int, int | None]:
    """Tokens and decode steps of one iteration of a target."""
    if shape.batch_size is None or shape.prompt is None or shape.output is None:
        return 0, None
    if name == "prefill":
        return shape.batch_size * shape.prompt, None
    if name == "decode":
        return shape.batch_size * (shape.output - 1), shape.output - 1
    return (shape.batch_size * shape.output if name == "generate" else 0), None


def _axes(name: str, shape: _Shape, precision: str | None) -> dict[str, Value]:
    """The axes of ours that a target is a point of; without a workload where it is none of ours."""
    lengths = {"batch_size": shape.batch_size, "sequence_length": shape.prompt}
    lengths["generated_length"] = {"decode": shape.steps, "prefill": 1}.get(name, shape.output)
    axes: dict[str, Value] = {axis: each for axis, each in lengths.items() if each}
    if name == "prefill" or (name == "decode" and shape.steps):
        axes["workload"] = name
    return axes | ({"precision": precision} if precision else {})


def _formats(backend: Fields, environment: Fields) -> tuple[str | None, str | None]:
    """The format of the weights, and the precision as our axis has it, None where that is not certain.

    transformers before version 5 loads in float32 where nothing is said; later ones in what the files hold.
    """
    quantization = backend.raw.get("quantization_config")
    method = quantization.get("quant_method") if isinstance(quantization, dict) else None
    scheme = method or backend.raw.get("quantization_scheme")
    if isinstance(scheme, str) and scheme:
        return scheme, None
    told = backend.optional_text("torch_dtype", "dtype")
    old = re.match(r"[1-4]\.", environment.optional_text("transformers_version") or "")
    if told is None and backend.raw.get("name") == "pytorch" and old:
        told = "float32"
    if told is None or told == "auto":
        return None, None
    weights = tensor_format(told)
    if backend.raw.get("autocast_enabled") is True:
        cast = {"bfloat16": "amp-bf16", "float16": "amp-fp16"}.get(str(backend.raw.get("autocast_dtype")))
        return weights, cast if weights == "F32" else None
    tf32 = backend.raw.get("allow_tf32") is True
    return weights, {"F32": "tf32" if tf32 else "fp32", "BF16": "bf16"}.get(weights)


def _engine_version(engine: str | None, backend: Fields, config: Fields) -> str | None:
    if engine == "transformers":
        return config.optional_within("environment").optional_text("transformers_version")
    return backend.optional_text("version")


def _settings(backend: Fields) -> dict[str, Value]:
    found = _fields.scalars(backend.raw, "backend_")
    names = ("attn_implementation", "cache_implementation", "torch_compile", "to_bettertransformer", "tp_plan",
             "device_map", "version", "intra_op_num_threads")  # fmt: skip
    return {name: value for name, value in found.items() if name.removeprefix("backend_") in names}


def _machine(backend: Fields, config: Fields) -> tuple[int | None, dict[str, Value | None]]:
    """How many devices the model ran on, None where that is not sure, and the machine."""
    environment = config.optional_within("environment")
    if not environment.raw:
        return None, {}
    gpus = (
        [name for name in environment.raw.get("gpu") or [] if isinstance(name, str)]
        if isinstance(environment.raw.get("gpu"), list)
        else []
    )
    memory_MB = environment.optional_amount("cpu_ram_mb")
    words = [environment.optional_text(name) for name in ("system", "machine")]
    cpu = environment.optional_text("cpu", "processor")
    host: dict[str, Value | None] = {
        "cpu": cpu.strip() if cpu else None,
        "cores": environment.count("cpu_count") if environment.raw.get("cpu_count") is not None else None,
        "memory_B": None if memory_MB is None else round(memory_MB * 1e6),
        "accelerator": ", ".join(dict.fromkeys(gpus)) or None,
        "accelerators": len(gpus) or None,
        "os": " ".join(word for word in words if word) or None,
        "python": environment.optional_text("python_version"),
    }
    return _devices(backend, config), host


def _devices(backend: Fields, config: Fields) -> int | None:
    if backend.raw.get("device") == "cpu":
        return 1
    ids = backend.raw.get("device_ids")
    number = len(str(ids).split(",")) if ids is not None else None
    spread = config.optional_within("launcher").raw.get("name") == "torchrun" or any(
        backend.raw.get(name) is not None for name in ("device_map", "tp_plan")
    )
    return number if spread or number == 1 else 1 if number else None


def _memory(target: Fields) -> dict[str, Metric]:
    if target.raw.get("memory") is None:
        return {}
    told = target.within("memory")
    _unit(told, "MB")
    known = {name: told.optional_amount(name) for name in _MEMORIES}
    return {
        _MEMORIES[name][0]: Metric(value * 1e6, "B", -1, _MEMORIES[name][1])
        for name, value in known.items()
        if value is not None
    }


def _energy(target: Fields, tokens: int) -> dict[str, Metric]:
    """Energy of one iteration as codecarbon has it: of processors, memory and GPUs, the former two by its estimate."""
    if target.raw.get("energy") is None:
        return {}
    told = target.within("energy")
    _unit(told, "kWh")
    joules: Mapping[str, float] = {name: told.amount(name) * _J_PER_KWH for name in ("total", "cpu", "gpu", "ram")}
    found = {"energy_J": Metric(joules["total"], "J", -1, "energy of one iteration (codecarbon's)")}
    found |= {f"energy_{part}_J": Metric(joules[part], "J", -1, f"of it, {part}") for part in ("cpu", "gpu", "ram")}
    if tokens:
        found["joules_per_token"] = Metric(joules["total"] / tokens, "J/token", -1, "energy per token (codecarbon's)")
    return found
