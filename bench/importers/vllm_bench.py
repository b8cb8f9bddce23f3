"""vLLM's `vllm bench serve --save-result`, `latency --output-json` and `throughput --output-json`.

A server's figures are of whole requests, so they stay a benchmark of their own. The files name neither vLLM's version
nor the machine: the one is told by their shape, the other not at all. Fields as in vllm/benchmarks/serve.py,
latency.py and throughput.py, versions 0.9 to 0.32. A file of `--append-result` holds one result a line.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from bench.importers import _fields, _making
from bench.importers._facts import Told, without_folders
from bench.importers._fields import Fields
from bench.record import Metric, Record, Value, Warn

NAME = "vllm-bench"
DESCRIPTION = "vLLM's: vllm bench serve, latency or throughput, as JSON"

_LATENCIES = {
    "ttft": ("ttft", "time to first token"),
    "tpot": ("tpot", "time per output token after the first, of a request"),
    "itl": ("itl", "time between two chunks of a stream"),
    "e2el": ("latency", "time of a request"),
}
#: What `serve` writes itself; other texts and numbers of a file were given with --metadata.
_OWN = re.compile(
    r"date|endpoint_type|backend|label|model_id|tokenizer_id|num_prompts|request_rate|burstiness|max_concurrency|"
    r"duration|completed|failed|total_.*|request_.*|output_.*|max_.*|rtfx|ramp_up_.*|spec_decode_.*|diffusion_.*|"
    r"(mean|median|std|p[\d.]+)_.*_ms|probe_.*|goodput.*"
)


def recognises(raw: bytes) -> bool:
    """Whether it names what one of the three holds."""
    marks = ((b'"num_prompts"', b'"output_throughput"'), (b'"avg_latency"', b'"percentiles"'),
             (b'"elapsed_time"', b'"tokens_per_second"'))  # fmt: skip
    return any(all(mark in raw for mark in pair) for pair in marks)


def records(path: Path) -> list[Record]:
    """One record a result. Raises `UserError` that names the line and the field of what is wrong."""
    results, content = _fields.json_objects(path)
    dates = [_date(each) for each in results if "date" in each.raw]
    run = _making.run(path, content, NAME, min(dates) if dates else None)
    return _making.records(run, [_measured(each) for each in results])


def _measured(result: Fields) -> _making.Measured:
    if "num_prompts" in result.raw:
        return _serve(result)
    if "avg_latency" in result.raw:
        return _latency(result)
    if "elapsed_time" in result.raw:
        return _throughput(result)
    raise result.refuse(
        "num_prompts", "is missing, and so are avg_latency and elapsed_time: of no vllm bench known here"
    )


def _date(result: Fields) -> str:
    """Its moment; the file has it in the machine's own time and names no zone, so it is taken as UTC."""
    text = result.text("date")
    try:
        found = datetime.strptime(text, "%Y%m%d-%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        raise result.refuse("date", f"is {text[:40]!r}, and not such as 20260102-030405") from None
    return found.isoformat(timespec="seconds")


def _model(result: Fields, *names: str) -> str | None:
    named = result.optional_text(*names)
    return None if named is None else without_folders(named)


def _serve(result: Fields) -> _making.Measured:
    sent, completed = result.count("num_prompts"), result.count("completed", 0)
    concurrency = None if result.raw.get("max_concurrency") is None else result.count("max_concurrency")
    prompt, output = (result.count(f"total_{part}_tokens", 0) / max(completed, 1) for part in ("input", "output"))
    model = _model(result, "model_id")
    told = Told(model=model, engine=None, concurrency=concurrency, prompt_tokens=prompt, output_tokens=output)
    offered = result.raw.get("request_rate")
    pace = "" if offered in (None, "inf") else f"{result.amount('request_rate'):g} requests/s"
    words = [model or "", "serve", pace]
    facts: dict[str, Value] = {
        "requests": sent,
        "requests_completed": completed,
        "duration_s": result.amount("duration"),
    }
    facts |= {"client": client} if (client := result.optional_text("backend", "endpoint_type")) else {}
    facts |= {"label": label} if (label := result.optional_text("label")) else {}
    facts |= (
        {"request_rate_per_s": "unlimited" if offered == "inf" else result.amount("request_rate")} if offered else {}
    )
    facts |= {
        name: each for name, each in _fields.scalars(result.raw, "metadata_").items() if not _OWN.fullmatch(name[9:])
    }
    warnings = []
    if completed < sent:
        said = f"{sent - completed} of {sent} requests were not completed; the figures are of the others."
        warnings = [Warn("failed_requests", said, "Mend what made them fail, and measure again.")]
    return _making.Measured(
        name=", ".join(word for word in words if word),
        axes=_making.served(concurrency, prompt, output),
        facts={**told.facts(), **facts},
        metrics=_served(result, completed),
        host={},
        warnings=warnings,
        moment=_date(result),
        where=result,
    )


def _served(result: Fields, completed: int) -> dict[str, Metric]:
    if not completed:
        reason = "no request was completed"
        return {"throughput_tokens_per_s": Metric(None, "tokens/s", 1, "output tokens of all requests", reason=reason)}
    found = {
        "throughput_tokens_per_s": _making.rate(
            result.amount("output_throughput"), "tokens/s", "output tokens of all requests"
        ),
        "requests_per_s": _making.rate(result.amount("request_throughput"), "1/s", "requests completed"),
    }
    if (total := result.optional_amount("total_token_throughput")) is not None:
        found["total_throughput_tokens_per_s"] = _making.rate(total, "tokens/s", "prompt and output tokens")
    for name, (stem, label) in _LATENCIES.items():
        known = _in_s(result, name)
        quantiles = {key[1:]: value for key, value in known.items() if key.startswith("p")}
        if "median" in known:
            quantiles.setdefault("50", known["median"])
        found |= _making.spread(stem, label, known.get("mean"), known.get("std"), quantiles, completed)
    return found


def _in_s(result: Fields, name: str) -> Mapping[str, float]:
    """`mean`, `median`, `std` and percentiles such as `p99` of a time, in s, as far as the file has them."""
    wanted = re.compile(rf"(mean|median|std|p\d[\d.]*)_{name}_ms")
    keys = {found[1]: key for key in result.raw if (found := wanted.fullmatch(key))}
    return {word: result.amount(key) / 1e3 for word, key in keys.items()}


def _latency(result: Fields) -> _making.Measured:
    """Batches of equal prompts, one after the other; the file tells neither lengths nor how many run together."""
    samples = result.amounts("latencies")
    mean_s = result.amount("avg_latency")
    blocks, why = _making.block(samples)
    model = _model(result, "model_id", "model")
    percentiles = result.within("percentiles")
    metrics = _making.times(blocks, mean_s, 0, None, "one batch, prompt and output")
    for share in percentiles.raw:
        if re.fullmatch(r"\d{1,2}", share):
            label = f"time of one batch, {share}th percentile"
            metrics.setdefault(f"latency_p{share}_s", Metric(percentiles.amount(share), "s", -1, label, n=len(samples)))
    name = ", ".join(word for word in (model, "latency of a batch") if word)
    facts = {**Told(model=model, engine="vLLM").facts(), **why}
    return _making.Measured(name, {}, facts, metrics, {}, blocks, where=result)


def _throughput(result: Fields) -> _making.Measured:
    elapsed_s, requests = result.amount("elapsed_time"), result.count("num_requests")
    tokens = result.count("total_num_tokens")
    if not elapsed_s:
        raise result.refuse("elapsed_time", "is 0")
    model = _model(result, "model_id", "model")
    label = "prompt and output tokens"
    metrics = {
        "total_throughput_tokens_per_s": _making.rate(tokens / elapsed_s, "tokens/s", label),
        "requests_per_s": _making.rate(requests / elapsed_s, "1/s", "requests completed"),
    }
    name = ", ".join(word for word in (model, f"throughput of {requests} requests, {tokens} tokens") if word)
    facts = {**Told(model=model, engine="vLLM").facts(), "requests": requests, "duration_s": elapsed_s}
    return _making.Measured(name, {}, facts, metrics, {}, where=result)
