"""What a sweep will take: which points are measured together, and memory and time before anything is tried."""

from collections.abc import Mapping, Sequence
from typing import Any

from bench import host, points
from bench.points import Point
from bench.record import Value
from bench.spec import Spec

#: What a child holds beside the model, the interpreter and torch's libraries: 242 MiB when it infers and 323 MiB when
#: it trains (torch 2.13 for CPU).
CHILD_B = 325 * 2**20
#: Children of a group may together take this share of the memory that is available when the sweep begins.
MOST_MEMORY = 0.6

#: Sequential rate that the estimate of a dry run assumes, and the start-up of a child: measured for the LSTM presets on
#: two cores of a Xeon server (7 to 70 GFLOP/s, 2.5 s). A rough guess elsewhere, and said to be one.
ASSUMED_FLOPS = 15e9
ASSUMED_START_S = 2.5


def memory_B(point: Point) -> int:
    """What a child needs for the point: exact counts of the model's tensors, and the interpreter with torch."""
    return CHILD_B + points.costs(point.axes).memory_B


def shared_memory_B(machine: Mapping[str, Value | None]) -> int:
    """Memory that children may share: of the host's, and of the accelerator's, where they may all end up."""
    accelerator = machine.get("accelerator_memory_B")
    free = host.available_memory_B()
    return int((free if accelerator is None else min(free, int(accelerator))) * MOST_MEMORY)


def estimate_s(spec: Spec) -> float:
    """Rough time of the sweep: children start and warm up one after the other, then blocks follow. An assumption."""
    seconds = 0.0
    for point in spec.points:
        iteration = points.costs(point.axes).flops / ASSUMED_FLOPS
        block = max(float(spec.settings["block_seconds"]), iteration)
        warmup = min(max(10 * iteration, 0.1), float(spec.settings["warmup_limit"]) + 3 * iteration)
        seconds += ASSUMED_START_S + warmup + int(spec.settings["rounds"]) * block
    return seconds * int(spec.settings["repetitions"])


def groups(chosen: Sequence[Point], most: int, memory: int) -> list[list[Point]]:
    """Points that are measured interleaved: whole families together, as many as `most` and the memory allow.

    A family (variants of the same work) is split only where it alone is too large, its reference in the first part.
    """
    families: dict[Any, list[Point]] = {}
    for point in chosen:
        families.setdefault(point.family, []).append(point)
    found: list[list[Point]] = []
    room, left = 0, 0
    for family in families.values():
        ordered = sorted(family, key=lambda point: not point.is_reference)
        need = sum(memory_B(point) for point in ordered)
        if len(ordered) > room or need > left:
            found.append([])
            room, left = most, memory
        for point in ordered:
            if found[-1] and (room == 0 or memory_B(point) > left):
                found.append([])
                room, left = most, memory
            found[-1].append(point)
            room, left = room - 1, left - memory_B(point)
    return [group for group in found if group]
