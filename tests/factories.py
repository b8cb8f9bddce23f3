"""Plausible records for tests. Nothing here was measured, and nothing here is ever shown as a measurement."""

import random
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from bench import points
from bench.intervals import median_interval
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
SPEEDS: dict[Value, float] = {"fp32": 1.0, "amp-bf16": 1.3, "bf16": 1.5, "none": 1.0, "int8-dynamic": 0.8}
NO_METER = "no NVIDIA driver is loaded, and RAPL can be read by root only."


def record(
    status: Status = "ok", reason: str | None = None, *, rounds: int = 9, seed: int = 0, **axes: Value
) -> Record:
    """A record of the point with these axes; its rounds share a drift, as those of one machine do."""
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
    return costs["weights_B"] // (3 if axes["quantize"] == "int8-dynamic" else 1)


def _blocks(axes: dict[str, Value], costs: dict[str, int], rounds: int, seed: int) -> list[Block]:
    speed = SPEEDS.get(axes["precision"], 1.0) * SPEEDS.get(axes["quantize"], 1.0)
    base_s = (2e-3 + costs["flops"] / 4e10) / speed
    drift = random.Random(seed)
    noise = random.Random(f"{seed} {sorted(axes.items())}")
    blocks = []
    for number in range(rounds):
        machine = drift.uniform(0.85, 1.25) * noise.gauss(1, 0.03)
        samples = [int(1e9 * base_s * machine * noise.gauss(1, 0.01)) for _ in range(10)]
        blocks.append(Block("timed", number % 3, number, float(number), samples))
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
    """The record as a machine with a meter would have made it, at 100 W."""
    joules = 100 * (given.metrics["latency_s"].value or 0) / given.costs["tokens"]
    energy = {
        "joules_per_token": Metric(joules, "J/token", -1, "energy per token", joules * 0.98, joules * 1.03, 9),
        "avg_power_W": Metric(100.0, "W", 0, "mean power", 98.0, 101.0, 9),
    }
    return replace(given, metrics=given.metrics | energy)


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
