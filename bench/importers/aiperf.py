"""NVIDIA aiperf's `profile_export_aiperf.json`, and `profile_export_genai_perf.json` of genai-perf before it.

Both summarize requests to a server, so they stay a benchmark of their own. Of aiperf's terms, `inter_token_latency` is
a request's mean over its tokens (others call that TPOT) and `inter_chunk_latency` the time between two chunks (ITL).
Fields as in aiperf/common/models/export_models.py, schema 1.0 to 1.4, and genai_perf/export_data/json_exporter.py.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from bench.errors import UserError
from bench.importers import _fields, _making
from bench.importers._facts import Told, without_folders
from bench.importers._fields import Fields
from bench.record import Metric, Record, Value, Warn

NAME = "aiperf"
DESCRIPTION = "NVIDIA aiperf's or genai-perf's profile_export_*.json"

#: Schema 2 may mean something else by the same names.
_SCHEMAS = ("1",)
_SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "sec": 1.0, "s": 1.0}
_TOKENS_PER_S = {"tokens/sec": 1.0, "tokens/s": 1.0}
_TIMES = {
    "time_to_first_token": ("ttft", "time to first token"),
    "inter_token_latency": ("tpot", "time per output token after the first, of a request"),
    "inter_chunk_latency": ("itl", "time between two chunks of a stream"),
    "request_latency": ("latency", "time of a request"),
}
#: Rates by their name in the file: name and unit here, what they count, and the units that the file may have.
_RATES = {
    "output_token_throughput": (
        "throughput_tokens_per_s", "tokens/s", "output tokens of all requests", _TOKENS_PER_S),
    "total_token_throughput": (
        "total_throughput_tokens_per_s", "tokens/s", "prompt and output tokens", _TOKENS_PER_S),
    "request_throughput": ("requests_per_s", "1/s", "requests completed", {"requests/sec": 1.0, "requests/s": 1.0}),
}  # fmt: skip
#: Energies of the devices; their names in the file begin with the vendor.
_ENERGIES: dict[str, tuple[str, str, str, dict[str, float]]] = {
    "energy_per_request": ("energy_J", "J", "energy of one request", {"joules/request": 1.0, "J/request": 1.0}),
    "energy_per_output_token": (
        "joules_per_token", "J/token", "energy per output token", {"mJ/token": 1e-3, "J/token": 1.0}),
    "average_gpu_power": ("avg_power_W", "W", "mean power of all devices", {"W": 1.0, "mW": 1e-3}),
}  # fmt: skip
_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d{1,4})?)")


def recognises(raw: bytes) -> bool:
    """Whether it names what every such file holds."""
    return b'"input_config"' in raw and b'"request_latency"' in raw


def records(path: Path) -> list[Record]:
    """The one record of a file. Raises `UserError` that names the field that is wrong."""
    whole, content = _fields.json_object(path)
    version = _version(whole)
    moment = whole.moment("start_time") if whole.raw.get("start_time") is not None else None
    run = _making.run(path, content, version, moment)
    return _making.records(run, [_measured(whole)])


def _version(whole: Fields) -> str:
    """The tool and its version. Raises `UserError` for a schema that is not known."""
    if not isinstance(whole.raw.get("input_config"), dict) or "request_latency" not in whole.raw:
        raise whole.refuse("input_config", "or request_latency is missing: this is no profile export of aiperf")
    schema = whole.raw.get("schema_version")
    if schema is not None and str(schema).partition(".")[0] not in _SCHEMAS:
        raise UserError(
            f"{whole.path} has schema {str(schema)[:40]} of aiperf; this pinchpoint reads schema 1.",
            "Write it with a version that is known, or upgrade: pip install --upgrade pinchpoint.",
        )
    told = whole.optional_text("aiperf_version")
    if told is not None:
        return f"{NAME} {told[:40]}"
    return NAME if schema is not None or "run_info" in whole.raw else "aiperf or genai-perf"


def _measured(whole: Fields) -> _making.Measured:
    config = whole.within("input_config")
    model, concurrency = _model(config), _concurrency(config)
    prompt, output = (_average(whole, f"{way}_sequence_length") for way in ("input", "output"))
    devices, host = _devices(whole)
    told = Told(model=model, devices=devices, concurrency=concurrency, prompt_tokens=prompt, output_tokens=output)
    requests, duration = _average(whole, "request_count"), _seconds(whole, "benchmark_duration").get("avg")
    facts: dict[str, Value] = {**told.facts()}
    facts |= {"requests_completed": requests} if requests is not None else {}
    facts |= {"duration_s": duration} if duration is not None else {}
    return _making.Measured(
        name=f"{model}, served",
        axes=_making.served(concurrency, prompt, output),
        facts=facts,
        metrics=_metrics(whole),
        host=host,
        warnings=_warnings(whole),
        where=whole,
    )


def _warnings(whole: Fields) -> list[Warn]:
    found = []
    if whole.raw.get("was_cancelled") is True or whole.raw.get("is_complete") is False:
        said = "The benchmark was ended before it was complete; the figures are of what had been done."
        found.append(Warn("cut_short", said, "Let it run to its end."))
    if failed := _average(whole, "error_request_count"):
        said = f"{failed:.0f} requests failed; the figures are of the others."
        found.append(Warn("failed_requests", said, "Mend what made them fail, and measure again."))
    return found


def _metrics(whole: Fields) -> dict[str, Metric]:
    found: dict[str, Metric] = {}
    for name, (stem, label) in _TIMES.items():
        known = _seconds(whole, name)
        quantiles = {match[1]: value for key, value in known.items() if (match := _PERCENTILE.fullmatch(key))}
        n = int(known.get("count", 0))
        found |= _making.spread(stem, label, known.get("avg"), known.get("std"), quantiles, n)
    for name, (ours, unit, label, scales) in _RATES.items():
        if (value := _average(whole, name, scales)) is not None:
            found[ours] = _making.rate(value, unit, label)
    for name, (ours, unit, label, scales) in _ENERGIES.items():
        told = [
            value for vendor in ("nvidia", "amd") if (value := _average(whole, f"{vendor}_{name}", scales)) is not None
        ]
        if len(told) == 1:
            found[ours] = Metric(told[0], unit, -1, label)
    if "throughput_tokens_per_s" not in found:
        reason = "the file holds no output_token_throughput"
        found["throughput_tokens_per_s"] = Metric(None, "tokens/s", 1, "output tokens of all requests", reason=reason)
    return found


def _seconds(whole: Fields, name: str) -> Mapping[str, float]:
    """The statistics of a time, in s (`count` as it is); empty where the file has none of that name."""
    if whole.raw.get(name) is None:
        return {}
    told = whole.within(name)
    scale = _scale(told, _SECONDS)
    wanted = [key for key in told.raw if key in ("avg", "std") or _PERCENTILE.fullmatch(key)]
    found = {key: value * scale for key in wanted if (value := told.optional_amount(key)) is not None}
    return found | ({"count": told.count("count", 0)} if told.raw.get("count") is not None else {})


def _average(whole: Fields, name: str, scales: Mapping[str, float] | None = None) -> float | None:
    """The value or mean of a metric in our unit; None where the file has none of that name."""
    if whole.raw.get(name) is None:
        return None
    told = whole.within(name)
    return told.amount("avg") * (_scale(told, scales) if scales is not None else 1.0)


def _scale(told: Fields, scales: Mapping[str, float]) -> float:
    unit = told.text("unit")
    if unit not in scales:
        raise told.refuse("unit", f"is {unit[:40]!r}, and none of {', '.join(scales)}")
    return scales[unit]


def _texts(raw: object) -> Iterator[str]:
    """The texts in a list, or the names of its objects."""
    for each in raw if isinstance(raw, list) else []:
        named = each.get("name") if isinstance(each, dict) else each
        if isinstance(named, str) and named.strip():
            yield named


def _model(config: Fields) -> str:
    """The models' names, wherever a version of the tool keeps them. Raises `UserError` where there is none."""
    models, endpoint = config.raw.get("models"), config.optional_within("endpoint").raw
    places = [models.get("items") if isinstance(models, dict) else models, endpoint.get("model_names"),
              config.raw.get("model_names"), config.raw.get("model")]  # fmt: skip
    for place in places:
        if found := list(_texts([place] if isinstance(place, str) else place)):
            return ", ".join(map(without_folders, found))
    raise config.refuse("models", "names no model")


def _concurrency(config: Fields) -> int | None:
    """Requests at most in flight while it was measured; None where only a rate was set."""
    phases = config.raw.get("phases")
    measured = [each for each in phases if isinstance(each, dict)] if isinstance(phases, list) else []
    for each in measured:
        if each.get("kind") in ("profiling", None) and each.get("concurrency") is not None:
            return Fields(each, config.path, "input_config.phases").count("concurrency")
    for name in ("loadgen", "perf_analyzer"):
        load = config.raw.get(name)
        stimulus = load.get("stimulus") if isinstance(load, dict) else None
        for holder in (load, stimulus):
            if isinstance(holder, dict) and isinstance(holder.get("concurrency"), (int, float)):
                return Fields(holder, config.path, f"input_config.{name}").count("concurrency")
    return None


def _devices(whole: Fields) -> tuple[int | None, dict[str, Value | None]]:
    """The devices whose telemetry the file holds, and the machine as far as they tell it."""
    endpoints = whole.optional_within("telemetry_data").optional_within("endpoints").raw
    names = []
    for each in endpoints.values():
        gpus = each.get("gpus") if isinstance(each, dict) else None
        told = gpus.values() if isinstance(gpus, dict) else []
        names += [gpu["gpu_name"] for gpu in told if isinstance(gpu, dict) and isinstance(gpu.get("gpu_name"), str)]
    if not names:
        return None, {}
    return len(names), {"accelerator": ", ".join(dict.fromkeys(names)), "accelerators": len(names)}
