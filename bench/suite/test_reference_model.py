"""Benchmarks of the reference model: each workload over size, batch, precision and quantization."""

import dataclasses
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench import assembly, points, summary
from bench.errors import Unsupported
from bench.executors.local import cache_folder
from bench.record import Value
from bench.session import Session

SETTINGS = {"block_seconds": 0.05, "warmup_limit": 0.5, "corpus": None, "cache": str(cache_folder())}
#: Readings that pytest-benchmark has no place for; a value that could not be had stands as its reason.
READINGS = ("max_ram_B", "ram_above_start_B", "max_allocated_B", "avg_power_W", "energy_J", "joules_per_token")

GRID: tuple[dict[str, Value], ...] = (
    {"size": "nano", "batch_size": 1},
    {"size": "nano", "batch_size": 16},
    {"size": "tiny", "batch_size": 1},
    {"size": "tiny", "batch_size": 16},
    {"size": "tiny", "batch_size": 16, "precision": "amp-bf16"},
    {"size": "tiny", "batch_size": 1, "quantize": "int8-dynamic"},
)


def name(axes: dict[str, Value]) -> str:
    """What tells one configuration from another, short."""
    return "-".join(f"b{value}" if axis == "batch_size" else str(value) for axis, value in axes.items())


@pytest.mark.parametrize("workload", ["train", "prefill", "decode"])
@pytest.mark.parametrize("axes", GRID, ids=name)
def test_iteration(benchmark: BenchmarkFixture, workload: str, axes: dict[str, Value]) -> None:
    """One iteration of the workload; costs, memory and energy beside it."""
    point = points.point({**axes, "workload": workload})
    session = Session(point.axes, SETTINGS)
    try:
        report = session.build()
    except Unsupported as reason:
        pytest.skip(str(reason))
    benchmark.group = workload
    benchmark.extra_info = extra_info(session, point, report)
    benchmark(session.step)


def extra_info(session: Session, point: points.Point, report: dict[str, Any]) -> dict[str, Any]:
    """The point, its exact costs, what it stores, and what the probes read around a block of iterations."""
    blocks = [session.block("timed", 0, 0)]
    if report["window_s"] > 0:
        blocks.append(session.block("observed", -1, 0))
    provided, reasons = assembly.declared(report)
    costs = points.costs(point.axes)
    metrics = summary.metrics(blocks, costs.tokens, costs.flops, provided, reasons, None)
    read = {
        reading: metrics[reading].reason if metrics[reading].value is None else metrics[reading].value
        for reading in READINGS
        if reading in metrics
    }
    return {"axes": dict(point.given), "costs": dataclasses.asdict(costs), "facts": report["facts"], "read": read}
