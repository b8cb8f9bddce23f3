"""What a sweep will take: which points are measured together, and memory and time before anything is tried."""

from collections.abc import Mapping, Sequence
from typing import Any

from bench import host, points
from bench.errors import Unsupported
from bench.inputs import NOTHING, Inputs
from bench.points import Point
from bench.record import Value
from bench.spec import Spec
from model.shapes import Costs, hf

#: What a child holds beside the model, the interpreter and torch's libraries: 242 MiB when it infers and 323 MiB when
#: it trains (torch 2.13 for CPU).
CHILD_B = 325 * 2**20
#: Children of a group may together take this share of the memory that is available when the sweep begins.
MOST_MEMORY = 0.6

#: Sequential rate that the estimate of a dry run assumes, and the start-up of a child: measured for the LSTM presets on
#: two cores of a Xeon server (7 to 70 GFLOP/s, 2.5 s). A rough guess elsewhere, and said to be one.
ASSUMED_FLOPS = 15e9
ASSUMED_START_S = 2.5


def memory_B(point: Point, inputs: Inputs = NOTHING) -> int:
    """What a child needs for the point: exact counts of the model's tensors, and the interpreter with torch.

    Of a model of transformers whose shape is not known, the weights alone.
    """
    counted = _counted(point, inputs)
    if counted is not None:
        return CHILD_B + counted.memory_B
    return CHILD_B + (hf.weights_B(points.config(point.axes, inputs)) if point.axes["architecture"] == "hf" else 0)


def _counted(point: Point, inputs: Inputs) -> Costs | None:
    try:
        return points.costs(point.axes, inputs)
    except Unsupported:  # it cannot be run, or no arithmetic is known
        return None


def shared_memory_B(machine: Mapping[str, Value | None]) -> int:
    """Memory that children may share: of the host's, and of the accelerator's, where they may all end up."""
    accelerator = machine.get("accelerator_memory_B")
    free = host.available_memory_B()
    return int((free if accelerator is None else min(free, int(accelerator))) * MOST_MEMORY)


def estimate_s(spec: Spec, inputs: Inputs = NOTHING) -> float:
    """Rough time of the sweep: children start and warm up one after the other, then blocks follow. An assumption.

    An iteration whose arithmetic is not known counts as short.
    """
    seconds = 0.0
    for point in spec.points:
        counted = _counted(point, inputs)
        iteration = counted.flops / ASSUMED_FLOPS if counted else 0.0
        block = max(float(spec.settings["block_seconds"]), iteration)
        warmup = min(max(10 * iteration, 0.1), float(spec.settings["warmup_limit"]) + 3 * iteration)
        seconds += ASSUMED_START_S + warmup + int(spec.settings["rounds"]) * block
    return seconds * int(spec.settings["repetitions"])


def groups(chosen: Sequence[Point], most: int, memory: int, inputs: Inputs = NOTHING) -> list[list[Point]]:
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
        needs = {point: memory_B(point, inputs) for point in ordered}
        need = sum(needs.values())
        if len(ordered) > room or need > left:
            found.append([])
            room, left = most, memory
        for point in ordered:
            if found[-1] and (room == 0 or needs[point] > left):
                found.append([])
                room, left = most, memory
            found[-1].append(point)
            room, left = room - 1, left - needs[point]
    return [group for group in found if group]
