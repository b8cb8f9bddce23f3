"""How long each operator of a step takes: torch's profiler, corrected for what profiling adds.

The profiler notes the beginning of an operator after its own work at the entry, and the end before that at the exit.
So what profiling an operator costs does not fall into its own time but into that of its caller: a composed operator, or
Python. `overhead_s`, measured on an empty operator in the same session (wall time profiled less unprofiled), is
therefore taken off an operator's time once for each operator within it. What is left of an iteration that ran
unprofiled is the host's; where noise leaves less than nothing, all operators shrink alike, so that the sum holds.
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count as numbered
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile, record_function

from bench.modules import PREFIX, Modules
from bench.observation import Operator
from bench.operator_counts import Count, Counts, key
from bench.operator_kinds import communicates, is_input, kind_of
from bench.stopwatch import Step

_ITERATION = "pinchpoint iteration"
#: Code that torch.compile made: what happens in it is not told apart, except for calls of libraries.
_COMPILED = ("Torch-Compiled Region", "## Call CompiledFxGraph")
COMPILED_NAME = "compiled code"
_FUSED = ("triton_", "graph_", "cpp_fused", "fused_")
#: Ranges that are Python, autograd's engine or the profiler itself: what runs in them counts, they do not.
_TRANSPARENT = ("autograd::engine", "torch::autograd", "Optimizer.", "profiler::", "TorchDynamo", "ProfilerStep")
#: Calls of an empty operator; at 1 us each a millisecond.
_CALIBRATION_CALLS = 500


@dataclass
class _Row:
    kind: str
    calls: float = 0.0
    seconds: float = 0.0
    flops: float | None = None
    bytes_moved: float | None = None
    places: float = 0.0
    largest_B: int = 0
    shape: tuple[int, ...] = ()
    most_work: float = -1.0
    uncounted: bool = False


@dataclass(frozen=True)
class Profiled:
    """Iterations as the profiler saw them, and seconds that it added to an iteration for each operator."""

    iterations: list[Any]
    elsewhere: list[Any]
    overhead_s: float
    device: str


def run(step: Step, iterations: int, device: torch.device, model: torch.nn.Module | None = None) -> Profiled:
    """Profile `step` that many times, after once that is not looked at: the first sets up what profiling needs."""
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if device.type == "cuda" else [])]
    plain_s = _empty_s()
    with profile(activities=activities, record_shapes=True) as profiler, Modules(model):
        overhead_s = max(_empty_s() - plain_s, 0.0)
        if iterations > 1:
            step()
        for _ in range(iterations):
            with record_function(_ITERATION):
                step()
                if device.type == "cuda":
                    torch.cuda.synchronize(device)
    events = [event for event in profiler.events() or [] if event.device_type.name == "CPU"]
    found = [event for event in events if event.name == _ITERATION]
    elsewhere = [event for event in events if event.cpu_parent is None and event.name != _ITERATION]
    return Profiled(found, elsewhere, overhead_s, device.type)


def _empty_s() -> float:
    nothing = torch.empty(0)
    began = time.perf_counter()
    for _ in range(_CALIBRATION_CALLS):
        nothing.add_(nothing)
    return (time.perf_counter() - began) / _CALIBRATION_CALLS


def operators(profiled: Profiled, counts: Counts | None, iteration_s: float) -> tuple[tuple[Operator, ...], float]:
    """The operators of the middle iteration, the longest first, and the host's part of `iteration_s` in seconds.

    Operators and host add up to `iteration_s`.
    """
    each = [_Reader(profiled, counts).read(iteration) for iteration in profiled.iterations]
    each.sort(key=lambda rows: sum(row.seconds for row in rows.values()))
    rows = each[len(each) // 2] if each else {}
    total_s = sum(row.seconds for row in rows.values())
    shrink = min(iteration_s / total_s, 1.0) if total_s else 1.0
    made = [
        Operator(
            name,
            module,
            row.kind,  # type: ignore[arg-type]  # it comes from `kind_of` or a count
            dtype,
            row.calls,
            row.seconds * shrink,
            None if row.uncounted else row.flops,
            None if row.uncounted else row.bytes_moved,
            row.places,
            row.largest_B,
            row.shape,
        )
        for (name, module, dtype), row in rows.items()
    ]
    made.sort(key=lambda operator: -operator.seconds)
    return tuple(made), max(iteration_s - sum(operator.seconds for operator in made), 0.0)


class _Reader:
    """Reads one iteration: rows by name, module and number format."""

    def __init__(self, profiled: Profiled, counts: Counts | None) -> None:
        self._profiled = profiled
        self._calls = {} if counts is None else counts.calls
        self._names = set() if counts is None else counts.names
        self._turn: dict[Any, Iterator[int]] = {}
        self._forward: dict[int, str] = {}
        self._rows: dict[tuple[str, str, str], _Row] = {}

    def read(self, iteration: Any) -> dict[tuple[str, str, str], _Row]:
        start, end = iteration.time_range.start, iteration.time_range.end
        others = [
            each for each in self._profiled.elsewhere if start <= each.time_range.start and each.time_range.end <= end
        ]
        self._walk(iteration.cpu_children, "")
        if self._profiled.device == "cuda":  # backward runs in a thread of its own there
            self._walk([each for each in others if not communicates(each.name)], "")
        self._exposed(iteration, [each for each in others if communicates(each.name)])
        return self._rows

    def _walk(self, events: Iterable[Any], module: str) -> None:
        for event in events:
            name = event.name
            if name.startswith(PREFIX):
                self._walk(event.cpu_children, name.removeprefix(PREFIX))
            elif is_input(name):
                self._add(name, module, Count("input", ""), self._whole_s(event))
            elif event.scope == 1:  # autograd's node: it knows the number of the forward call
                self._walk(event.cpu_children, self._forward.get(event.sequence_nr, module))
            elif name.startswith(_COMPILED):
                self._compiled(event, module)
            elif event.is_user_annotation or name.startswith(_TRANSPARENT):
                self._walk(event.cpu_children, module)
            else:
                self._call(event, module)

    def _call(self, event: Any, module: str) -> None:
        if event.sequence_nr >= 0:
            self._forward[event.sequence_nr] = module
        count = self._count_of(event)
        if count is not None:
            self._add(event.name, module, count, self._whole_s(event))
            for inner in event.cpu_children:
                if inner.sequence_nr >= 0:
                    self._forward[inner.sequence_nr] = module
            return
        kind = kind_of(event.name)
        composed = any("::" in inner.name for inner in event.cpu_children)
        if self._names and (composed or not (event.name.startswith(_FUSED) or kind in ("communication", "input"))):
            kind = "other"  # what was not counted calls others, or is part of what was
        self._add(event.name, module, Count(kind, ""), self._own_s(event), uncounted=True)
        self._walk(event.cpu_children, module)

    def _compiled(self, event: Any, module: str) -> None:
        self._add(COMPILED_NAME, module, Count("other", ""), self._own_s(event), uncounted=True)
        self._walk(event.cpu_children, module)

    def _count_of(self, event: Any) -> Count | None:
        """The count of the same call in the counted iteration: the one in the same place among those of its shapes."""
        if event.name not in self._names:
            return None
        wanted = key(event.name, event.input_shapes or ())
        calls = self._calls.get(wanted)
        if calls is None:  # an operand that the profiler shows in another way
            wanted = (event.name, ())
            calls = [count for (name, _), found in self._calls.items() if name == event.name for count in found]
        return calls[next(self._turn.setdefault(wanted, numbered())) % len(calls)]

    def _whole_s(self, event: Any) -> float:
        if self._profiled.device == "cuda" and event.device_time_total:
            return float(event.device_time_total) / 1e6
        if self._profiled.device == "cuda" and not is_input(event.name):
            return 0.0  # it ran no kernel: the host's time is that in which the device waits
        return max(float(event.cpu_time_total) / 1e6 - self._profiled.overhead_s * _within(event), 0.0)

    def _own_s(self, event: Any) -> float:
        if self._profiled.device == "cuda":
            return float(event.self_device_time_total) / 1e6
        return max(float(event.self_cpu_time_total) / 1e6 - self._profiled.overhead_s * len(event.cpu_children), 0.0)

    def _exposed(self, iteration: Any, exchanges: list[Any]) -> None:
        """Exchanges run in threads of their own: what counts of them is when this thread ran nothing."""
        free = _gaps(iteration)
        for event in exchanges:
            span = event.time_range
            seconds = sum(max(min(end, span.end) - max(start, span.start), 0.0) for start, end in free) / 1e6
            self._add(event.name, "", Count("communication", ""), seconds, uncounted=True)

    def _add(self, name: str, module: str, count: Count, seconds: float, *, uncounted: bool = False) -> None:
        row = self._rows.setdefault((name, module, count.dtype), _Row(count.kind))
        row.calls += 1
        row.seconds += seconds
        row.uncounted |= uncounted
        if count.flops is not None:
            row.flops = (row.flops or 0.0) + count.flops
        if count.bytes_moved is not None:
            row.bytes_moved = (row.bytes_moved or 0.0) + count.bytes_moved
        row.places += count.places
        row.largest_B = max(row.largest_B, count.largest_B)
        work = count.flops or count.bytes_moved or 0.0
        if work > row.most_work:
            row.most_work, row.shape = work, count.shape


def _within(event: Any) -> int:
    """How many operators were profiled within one."""
    return len(event.cpu_children) + sum(_within(inner) for inner in event.cpu_children)


def _gaps(iteration: Any) -> list[tuple[float, float]]:
    """Spans of the iteration in which none of its operators ran, in the profiler's microseconds."""
    at, found = iteration.time_range.start, []
    for event in sorted(iteration.cpu_children, key=lambda each: each.time_range.start):
        found.append((at, event.time_range.start))
        at = max(at, event.time_range.end)
    return [*found, (at, iteration.time_range.end)]
