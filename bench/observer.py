"""Observes a step in this process: what an iteration consists of, and what it waits for.

Three passes, none of which is timed for the record: unprofiled iterations under the kernel's counters, a few under
torch's profiler, and one that counts the work of each operator.
"""

from collections.abc import Callable, Mapping
from statistics import median
from typing import Any

import torch

from bench import host, operator_counts, operator_times, process_counters
from bench.ceilings import _caches
from bench.errors import Unsupported
from bench.observation import Observation
from bench.operator_counts import Counts
from bench.process_counters import Counters
from bench.stopwatch import Step, time_iterations

#: Iterations under the counters take so long together: the kernel's clock of waiting is good to some milliseconds.
WINDOW_S = 0.3
FEWEST, MOST_ITERATIONS = 3, 10_000
#: A profile holds so many iterations, and a single one where it lasts longer than the second figure.
PROFILED, SLOW_S = 3, 2.0
#: An iteration that lasts longer is not observed: it runs five times in all.
TOO_SLOW_S = 20.0

Timed = Callable[[int], list[int]]


def observe(
    step: Step,
    device: torch.device,
    threads: int,
    model: torch.nn.Module | None = None,
    timed: Timed | None = None,
) -> Observation:
    """Run `step` some times and tell where an iteration goes; operators are grouped by the modules of `model`.

    `timed` runs that many iterations of the step and gives nanoseconds of each (`bench.stopwatch` by default). What
    could not be had stands in `unavailable`. Raises `Unsupported` where an iteration takes too long, and whatever the
    step raises.
    """
    timed = timed or (lambda iterations: time_iterations(step, iterations))
    first_s = timed(1)[0] / 1e9
    if first_s > TOO_SLOW_S:
        raise Unsupported(f"An iteration takes {first_s:.0f} s; those up to {TOO_SLOW_S:g} s are observed.")
    samples, before, after = _under_counters(timed, first_s)
    iteration_s = median(samples)
    unavailable = dict(after.unavailable) | {
        "clock_share": "It is not known at which clock the ceilings were measured."
    }
    counts: Counts | None = None
    try:
        counts = operator_counts.count(step, model)
    except Exception as error:  # noqa: BLE001 - times are worth having without counts
        unavailable["flops"] = unavailable["bytes_moved"] = f"{type(error).__name__}: {error}"[:300]
    profiled = operator_times.run(step, 1 if iteration_s > SLOW_S else PROFILED, device, model)
    operators, host_s = operator_times.operators(profiled, counts, iteration_s)
    held_B, limit_B = _memory(device)
    return Observation(
        iteration_s=iteration_s,
        device=str(device),
        threads=threads,
        cores=host.usable_cores(),
        operators=operators,
        host_s=host_s,
        held_B=held_B,
        limit_B=limit_B,
        working_set_B=0 if counts is None else counts.working_set_B,
        caches_B=_caches_B(device),
        unavailable=unavailable,
        **_waits(samples, before, after),
    )


def _caches_B(device: torch.device) -> dict[str, int]:
    """Bytes of each level of the host's caches; a GPU's are not told."""
    if device.type != "cpu":
        return {}
    return {f"L{level}": size for level, size in _caches.sizes_B().items()}


def _under_counters(timed: Timed, first_s: float) -> tuple[list[float], Counters, Counters]:
    iterations = min(max(round(WINDOW_S / max(first_s, 1e-9)), FEWEST), MOST_ITERATIONS)
    before = process_counters.look()
    samples = timed(1 if first_s > SLOW_S else iterations)
    return [sample / 1e9 for sample in samples], before, process_counters.look()


def _waits(samples: list[float], before: Counters, after: Counters) -> Mapping[str, Any]:
    """What the counters say of an iteration: times as shares of the time that passed, counts a piece."""
    passed = max(after.at_s - before.at_s, 1e-9)
    scale, pieces = median(samples) / passed, len(samples)
    thread_s = after.thread_s - before.thread_s
    idle_s = max(passed - thread_s - _grown(before.queued_s, after.queued_s), 0.0)
    return {
        "cpu_s": (after.cpu_s - before.cpu_s) * scale,
        "idle_s": idle_s * scale,
        "read_s": min(_grown(before.waited_s, after.waited_s), idle_s) * scale,
        "stalled_s": min(_grown(before.stalled_s, after.stalled_s), passed) * scale,
        "switches": _grown(before.switches, after.switches) / pieces,
        "major_faults": _grown(before.major_faults, after.major_faults) / pieces,
        "minor_faults": _grown(before.minor_faults, after.minor_faults) / pieces,
        "read_B": _grown(before.read_B, after.read_B) / pieces,
    }


def _grown(before: float | None, after: float | None) -> float:
    return 0.0 if before is None or after is None else after - before


def _memory(device: torch.device) -> tuple[int, int | None]:
    if device.type == "cuda":
        total = torch.cuda.get_device_properties(device).total_memory
        return torch.cuda.max_memory_allocated(device), int(total)
    return process_counters.memory()
