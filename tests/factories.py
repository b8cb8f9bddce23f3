"""Plausible records for tests. Nothing here was measured, and nothing here is ever shown as a measurement."""

import math
import random
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from bench import points
from bench.intervals import median_interval
from bench.memory_parts import Tracked
from bench.record import SCHEMA, Block, Metric, Record, Status, Value, Warn

HOST: dict[str, Value | None] = {
    "cpu": "Imaginary CPU @ 2.00GHz",
    "cores": 2,
    "memory_B": 8 * 2**30,
    "accelerator": None,
    "torch": "2.13.0",
    "python": "3.11.2",
    "os": "Linux",
    "git_commit": "0123456789ab",
    "fingerprint": "feedbeef",
}
#: How many times as fast a variant does the same work, for each of these made-up machines.
SPEEDS: dict[Value, float] = {
    "amp-bf16": 1.3,
    "bf16": 1.5,
    "int8-dynamic": 0.8,
    "int8-weight": 1.0,
    "int4-weight": 0.7,
    "rank:8": 1.9,
    "rank:64": 0.9,
    "transformer": 1.7,
    "rnn": 1.2,
}
#: What a variant costs in quality, in nats a token, and what share of the bytes it stores.
_LOSSES: dict[Value, float] = {
    "amp-bf16": 0.0002, "bf16": 0.0011, "int8-dynamic": 0.0043, "int8-weight": 0.0031, "int4-weight": 0.062,
    "rank:8": 1.37, "rank:64": 0.048,
}  # fmt: skip
_SHARES: dict[Value, float] = {
    "bf16": 0.5, "int8-dynamic": 1 / 3, "int8-weight": 0.28, "int4-weight": 0.16, "rank:8": 0.35, "rank:64": 1.0,
}  # fmt: skip
_PERPLEXITIES: dict[Value, float] = {"lstm": 118.0, "rnn": 131.0, "transformer": 104.0}
NO_METER = "no NVIDIA driver is loaded, and RAPL can be read by root only."


def record(
    status: Status = "ok", reason: str | None = None, *, rounds: int = 9, seed: int = 0, **axes: Value
) -> Record:
    """A record of the point with these axes, a process a round; rounds share a drift, as those of one machine do."""
    point = points.point(axes)
    costs = _costs(point)
    blocks = _blocks(point.axes, costs, rounds, seed) if status == "ok" else []
    return Record(
        schema=SCHEMA,
        run="20260102-030405-test",
        point=point.id,
        axes=point.axes,
        status=status,
        reason=reason,
        started_at="2026-01-02T03:04:05+00:00",
        finished_at="2026-01-02T03:04:09+00:00",
        metrics=metrics(blocks, costs) if blocks else {},
        costs=costs,
        facts={"parameters": costs["parameters"], "stored_weights_B": _stored(point.axes, costs), "text": "Made up"},
        host=dict(HOST),
        warnings=[],
        unavailable={"power_nvml": NO_METER},
        blocks=blocks,
        load_s=0.5,
        warmup_s=0.2,
    )


#: Parameters of the sizes, near those of the reference model; factories do not depend on an architecture.
_PARAMETERS = {"nano": 1_071_616, "tiny": 5_030_912, "small": 25_498_624, "base": 110_912_512}


def _costs(point: points.Point) -> dict[str, int]:
    axes = point.axes
    parameters = _PARAMETERS[str(axes["size"])]
    train = axes["workload"] == "train"
    tokens = int(axes["batch_size"]) * (16 if axes["workload"] == "decode" else 64)
    weights = 4 * parameters
    return {
        "parameters": parameters,
        "tokens": tokens,
        "flops": 2 * parameters * tokens * (3 if train else 1),
        "bytes_moved": weights * 3,
        "weights_B": weights,
        "gradients_B": weights if train else 0,
        "optimizer_B": 2 * weights if train else 0,
        "activations_B": tokens * 40_000,
        "state_B": 0 if train else int(axes["batch_size"]) * 20_000,
    }


def _stored(axes: dict[str, Value], costs: dict[str, int]) -> int:
    return round(costs["weights_B"] * math.prod(_SHARES.get(value, 1.0) for value in axes.values()))


def _blocks(axes: dict[str, Value], costs: dict[str, int], rounds: int, seed: int) -> list[Block]:
    speed = math.prod(SPEEDS.get(value, 1.0) for value in axes.values())
    base_s = (2e-3 + costs["flops"] / 4e10) / speed
    drift = random.Random(seed)
    named = sorted(item for item in axes.items() if item[0] != "benchmark")  # it was added after the tests were written
    noise = random.Random(f"{seed} {named}")
    blocks = []
    for number in range(rounds):
        machine = drift.uniform(0.85, 1.25) * noise.gauss(1, 0.03)
        samples = [int(1e9 * base_s * machine * noise.gauss(1, 0.01)) for _ in range(10)]
        blocks.append(Block("timed", number, number, float(number), samples, group=f"g{number}"))
    return blocks


def metrics(blocks: list[Block], costs: dict[str, int]) -> dict[str, Metric]:
    """What a summary of these blocks would hold."""
    seconds = [sample * 1e-9 for block in blocks for sample in block.samples_ns]
    middle, low, high = median_interval([sorted(block.samples_ns)[5] * 1e-9 for block in blocks])
    ordered, tokens = sorted(seconds), costs["tokens"]
    n = len(blocks)
    rate = (tokens / middle, tokens / high if high else None, tokens / low if low else None)
    memory = 1.15 * sum(costs[k] for k in ("weights_B", "gradients_B", "optimizer_B", "activations_B")) + 9e6
    return {
        "latency_s": Metric(middle, "s", -1, "time per iteration", low, high, n),
        "latency_p99_s": Metric(ordered[int(0.99 * len(ordered))], "s", -1, "99th percentile", n=n),
        "throughput_tokens_per_s": Metric(rate[0], "tokens/s", 1, "throughput", rate[1], rate[2], n),
        "max_ram_B": Metric(memory + 4e8, "B", -1, "peak resident memory of the process", n=1),
        "ram_above_start_B": Metric(memory, "B", -1, "peak resident memory above the start", n=1),
        "joules_per_token": Metric(None, "J/token", -1, "energy per token", reason=NO_METER),
    }


def with_energy(given: Record) -> Record:
    """The record as a machine with a meter would have made it, at 100 W of which 40 W are drawn at rest too."""
    joules = 100 * (given.metrics["latency_s"].value or 0) / given.costs["tokens"]
    net = 0.6 * joules
    energy = {
        "joules_per_token": Metric(joules, "J/token", -1, "energy per token", joules * 0.98, joules * 1.03, 9),
        "net_joules_per_token": Metric(net, "J/token", -1, "net energy per token", net * 0.96, net * 1.05, 9),
        "avg_power_W": Metric(100.0, "W", -1, "average power of the GPU's board", 98.0, 101.0, 9),
        "idle_power_W": Metric(40.0, "W", -1, "power of the GPU's board at rest", 39.5, 40.5, 9),
        "net_power_W": Metric(60.0, "W", -1, "average power above idle", 57.6, 61.4, 9),
        "power_uncertainty": Metric(0.004, "", 0, "largest relative error of the average power", n=9),
        "power_from_counter": Metric(1.0, "", 0, "from the energy counter (1) or from readings (0)", n=9),
        "power_window_s": Metric(5.2, "s", 0, "time that the average power is over", n=9),
        "power_samples": Metric(52.0, "", 0, "refreshes of the meter", n=9),
    }
    return replace(given, metrics=given.metrics | energy)


def tracked(given: Record) -> Record:
    """The record with what a tracker saw: 28 MiB at the peak, when all gradients but 1 MiB were still to come."""
    weights, mib = given.costs["weights_B"], 2**20
    at_peak = {"weights": weights, "gradients": mib, "optimizer": 2 * weights, "workspace": 2 * mib}
    at_peak["activations"] = 28 * mib - sum(at_peak.values())
    seen = Tracked(at_peak, at_peak | {"gradients": weights})
    return replace(given, facts=given.facts | seen.facts())


UNTRAINED = "no parent was trained: the sweep had no training budget."


def with_quality(given: Record, delta: float | None = None) -> Record:
    """The record as a sweep with a training budget would have made it; `delta` in nats, None for a plausible one."""
    pruned = float(given.axes["prune"])
    loss = sum(_LOSSES.get(value, 0.0) for value in given.axes.values()) + 0.4 * pruned**2 if delta is None else delta
    parent = _PERPLEXITIES.get(given.axes["architecture"], 110.0) * (0.8 if given.axes["size"] == "tiny" else 1)
    error = 0.0004 + 0.05 * abs(loss) if loss else 0.0
    quality = {
        "perplexity": Metric(parent * math.exp(loss), "", -1, "perplexity", n=200),
        "parent_perplexity": Metric(parent, "", -1, "perplexity of the parent", n=200),
        "delta_ln_perplexity": Metric(loss, "nat", -1, "Δ ln perplexity", loss - error, loss + error, 200),
        "kl_mean": Metric(abs(loss) / 2, "nat", -1, "mean KL divergence", n=200),
        "same_top_1": Metric(math.exp(-2 * math.sqrt(abs(loss))), "", 1, "same likeliest word", n=200),
    }
    trained: dict[str, Value] = {"trained_steps": 480, "trained_s": 60.2, "trained_loss": math.log(parent)}
    return replace(given, metrics=given.metrics | quality, facts=given.facts | trained)


def ungraded(given: Record, reason: str = UNTRAINED) -> Record:
    """The record with the reason why its quality was not measured."""
    return replace(
        given,
        metrics=given.metrics | {"delta_ln_perplexity": Metric(None, "nat", -1, "Δ ln perplexity", reason=reason)},
    )


def masked(given: Record) -> Record:
    """The record with the warning of weights that were pruned to zeros."""
    warning = Warn("masked_only", "Pruned weights are stored as zeros: no sparse kernel ran.", "Expect no gain.")
    return replace(given, warnings=[*given.warnings, warning])


def noisy(given: Record) -> Record:
    """The record with a warning."""
    warning = Warn("noisy_host", "Another process took 4 % of the processor.", "Close other programs and run it again.")
    return replace(given, warnings=[warning])


VARIANTS: tuple[dict[str, Value], ...] = ({}, {"precision": "amp-bf16"}, {"quantize": "int8-dynamic"}, {"prune": 0.5})


def sweep(
    sizes: Iterable[str] = ("nano", "tiny"),
    batches: Iterable[int] = (1, 8),
    workloads: Iterable[str] = ("train", "prefill", "decode"),
    variants: Iterable[dict[str, Value]] = VARIANTS,
) -> list[Record]:
    """A whole sweep, with int8 unsupported in training and one point each of the other failures."""
    grid: list[dict[str, Any]] = [
        {"size": size, "batch_size": batch, "workload": workload} | variant
        for workload in workloads
        for size in sizes
        for batch in batches
        for variant in variants
    ]
    records = []
    for axes in grid:
        if axes["workload"] == "train" and axes.get("quantize") == "int8-dynamic":
            records.append(
                record("unsupported", "int8-dynamic weights have no gradient, so they cannot train.", **axes)
            )
        else:
            records.append(record(**axes))
    return records


COMPRESSIONS: tuple[dict[str, Value], ...] = (
    *VARIANTS,
    {"precision": "bf16"},
    {"prune": 0.5, "prune_scheme": "structured"},
    {"quantize": "int8-weight"},
    {"quantize": "int4-weight"},
    {"factorize": "rank:8"},
    {"factorize": "rank:64"},
)


def compressed(**axes: Value) -> list[Record]:
    """A family of every compression with its quality, at one point; the pruned weights are zeros."""
    records = [with_quality(record(**axes, **variant)) for variant in COMPRESSIONS]
    return [masked(r) if r.axes["prune"] and r.axes["prune_scheme"] == "unstructured" else r for r in records]


def architectures(batches: Iterable[int] = (1, 8)) -> list[Record]:
    """Three trained architectures of equal parameters at every workload and batch size."""
    return [
        with_quality(record(architecture=architecture, workload=workload, size="tiny", batch_size=batch))
        for architecture in _PERPLEXITIES
        for workload in ("train", "prefill", "decode")
        for batch in batches
    ]


def troubled(records: list[Record]) -> list[Record]:
    """The same sweep with an out-of-memory, a timeout, a crash and two warnings."""
    broken: dict[int, tuple[Status, str]] = {
        6: ("oom", "The kernel stopped the process: its control group may hold 512 MiB."),
        13: ("timeout", "It took longer than 60 s."),
        22: ("crashed", "The process ended with signal 11 (SIGSEGV)."),
    }
    result = [noisy(r) if place in (3, 9) else r for place, r in enumerate(records)]
    for place, (status, reason) in broken.items():
        if place < len(result):
            result[place] = replace(result[place], status=status, reason=reason, metrics={}, blocks=[])
    return result


def past(latencies_s: Iterable[float | None], *, first: int = 1, **axes: Value) -> list[Record]:
    """A run a day from day `first` on, of one point; None is a run in which it ran out of memory."""
    made = []
    for day, latency_s in enumerate(latencies_s, start=first):
        plain = record("oom", "the kernel killed it", **axes) if latency_s is None else record(**axes)
        metrics_ = dict(plain.metrics)
        if latency_s is not None:
            bounds = (latency_s * 0.99, latency_s * 1.01)
            metrics_["latency_s"] = replace(metrics_["latency_s"], value=latency_s, low=bounds[0], high=bounds[1])
        month, date = divmod(day - 1, 28)
        started = f"2026-{month + 1:02d}-{date + 1:02d}T03:04:05+00:00"
        host = plain.host | {"git_commit": f"{day:012x}", "git_branch": "main"}
        run = f"2026{month + 1:02d}{date + 1:02d}-030405-{day:04x}"
        made.append(replace(plain, run=run, started_at=started, metrics=metrics_, host=host, blocks=[]))
    return made


def step(before: int, after: int, factor: float, noise: float = 0.01, seed: int = 0) -> list[float]:
    """Latencies in seconds of so many runs before a change of the level and after it."""
    random_ = random.Random(seed)
    return [
        3e-3 * (factor if run >= before else 1) * math.exp(random_.gauss(0, noise)) for run in range(before + after)
    ]
