"""What a sweep will take: which points are measured together, and memory and time before anything is tried."""

from collections.abc import Mapping, Sequence
from typing import Any

from bench import allotment, host, points
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

#: What the estimate of a dry run assumes: a sequential rate, the start of the sweep, and that of a forked process (2.5
#: s where it imports torch). Seen for the LSTM presets on two cores of a Xeon server: 7 to 70 GFLOP/s, 2 to 4 s,
#: 0.1 to 0.3 s. A rough guess elsewhere, and said to be one.
ASSUMED_FLOPS = 15e9
ASSUMED_START_S = 4.0
ASSUMED_PROCESS_S = 0.2


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


def estimate_s(spec: Spec, inputs: Inputs = NOTHING) -> tuple[float, float]:
    """Rough time of the sweep, at least (each point up to its first look) and at most (to its last process), assumed.

    An iteration whose arithmetic is not known counts as short.
    """
    budget = float(spec.settings["point_budget"])
    least = most = ASSUMED_START_S
    for point in spec.points:
        counted = _counted(point, inputs)
        iteration = counted.flops / ASSUMED_FLOPS if counted else 0.0
        block = max(float(spec.settings["block_seconds"]), iteration)
        process = ASSUMED_PROCESS_S + 3 * iteration + int(spec.settings["rounds"]) * block
        # Two processes are always run; the budget ends the rest.
        bounded = max(budget, 2 * process)
        least += min(allotment.first_processes(spec.settings) * process, bounded)
        most += min(int(spec.settings["repetitions"]) * process, bounded)
    budget = float(spec.settings["sweep_budget"])
    return (min(least, budget), min(most, budget)) if budget else (least, most)


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
