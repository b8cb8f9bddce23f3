"""Plausible observations, ceilings and experiments for tests. Nothing here was measured."""

import random
from collections.abc import Mapping
from dataclasses import replace

from bench.observation import Kind, Observation, Operator
from bench.record import Ceiling, Experiment, Record

MiB = 2**20
_RATES = {
    "matmul_fp32_FLOP_per_s": ("FLOP/s", 100e9),
    "matmul_bf16_FLOP_per_s": ("FLOP/s", 190e9),
    "matmul_int8_OP_per_s": ("OP/s", 400e9),
    "read_B_per_s": ("B/s", 10e9),
    "copy_B_per_s": ("B/s", 9e9),
    "triad_B_per_s": ("B/s", 8e9),
    "read_L1_B_per_s": ("B/s", 200e9),
    "read_L2_B_per_s": ("B/s", 180e9),
    "read_L3_B_per_s": ("B/s", 40e9),
    "one_row_fp32_B_per_s": ("B/s", 9.5e9),
    "disk_read_B_per_s": ("B/s", 1e9),
    "dispatch_small_s": ("s", 1e-6),
    "fresh_page_s": ("s", 2e-6),
}
#: What share of an iteration each wall takes, by workload; 0.05 of each is in nothing that was seen.
MIXTURES: Mapping[str, Mapping[str, float]] = {
    "decode": {"memory bandwidth": 0.61, "dispatch": 0.2, "kernel": 0.14},
    "prefill": {"compute": 0.7, "memory bandwidth": 0.15, "dispatch": 0.1},
    "train": {"compute": 0.4, "kernel": 0.3, "memory bandwidth": 0.15, "input": 0.1},
}


def ceilings(**changes: float | None) -> dict[str, Ceiling]:
    """The ceilings of a made-up machine; `changes` by name."""
    found = {
        name: Ceiling(value, unit, -1 if unit == "s" else 1, "made up", 0.97 * value, 1.03 * value, 9, how="made up")
        for name, (unit, value) in _RATES.items()
    }
    return found | {name: replace(found[name], value=value) for name, value in changes.items()}


def observation(seconds: float, mixture: Mapping[str, float]) -> Observation:
    """An iteration of `seconds` whose shares of `compute`, `memory bandwidth`, `kernel`, `dispatch` and `input` are as
    `mixture` has them, on the machine of `ceilings()`; the rest is in nothing that was seen."""
    part = {wall: share * seconds for wall, share in mixture.items()}
    operators = [
        _operator("aten::addmm", "layers.0.linear", "product", part.get("compute", 0.0), flops=100e9, bytes_moved=1e9),
        _operator("aten::mul", "layers.0.norm", "elementwise", part.get("memory bandwidth", 0.0), bytes_moved=8e9),
        _operator("aten::mm", "output", "product", part.get("kernel", 0.0), flops=1e7, bytes_moved=1e7),
        _operator("loader", "", "input", part.get("input", 0.0)),
    ]
    host_s = part.get("dispatch", 0.0)
    calls = host_s / 20e-6  # as many calls as make that time between them dispatch
    operators.append(Operator("aten::view", "", "other", "", calls, 0.0, 0.0, 0.0))
    known = tuple(each for each in operators if each.seconds > 0 or each.calls > 1)
    return Observation(
        seconds,
        "cpu",
        2,
        2,
        known,
        host_s,
        cpu_s=2 * seconds,
        held_B=200 * MiB,
        working_set_B=100 * MiB,
        caches_B={"L1": 32 * 1024, "L2": MiB, "L3": 16 * MiB},
    )


def _operator(
    name: str, module: str, kind: Kind, seconds: float, flops: float | None = None, bytes_moved: float | None = None
) -> Operator:
    """An operator with so much work a second."""
    work = [None if rate is None else rate * seconds for rate in (flops, bytes_moved)]
    return Operator(name, module, kind, "fp32", 1, seconds, *work, largest_B=64 * MiB)


def observed(given: Record, mixture: Mapping[str, float] | None = None) -> Record:
    """The record as a sweep after `pinchpoint ceilings` would have made it."""
    seconds = given.metrics["latency_s"].value or 0.0
    shares = MIXTURES[str(given.axes["workload"])] if mixture is None else mixture
    return replace(given, observation=observation(seconds, shares), ceilings=ceilings())


def diagnosed(given: Record, changes: Mapping[str, float] | None = None) -> Record:
    """The record with experiments, pairs in 9 processes; `changes` are ln(time with / time without) by name."""
    told = {"more_threads": -0.04, "bandwidth_antagonist": 0.36, "cache_antagonist": 0.01, "extra_dispatches": 0.03}
    return replace(given, experiments=[_experiment(name, log) for name, log in (changes or told).items()])


#: How each made-up intervention changes the rates of resources: ln(rate with / rate without).
_MOVED: Mapping[str, Mapping[str, float]] = {
    "more_threads": {"compute": 0.6, "memory bandwidth": 0.05},
    "fewer_threads": {"compute": -0.7, "memory bandwidth": -0.1},
    "bandwidth_antagonist": {"memory bandwidth": -0.5, "compute": -0.02},
    "cache_antagonist": {"memory bandwidth": 0.0, "compute": -0.02},
    "extra_dispatches": {"dispatch": -0.5},
}


def _experiment(name: str, log: float) -> Experiment:
    noise = random.Random(name)
    logs = [log + noise.gauss(0, 0.005) for _ in range(18)]
    return Experiment(name, logs, dict(_MOVED.get(name, {})), null=name == "nothing")
