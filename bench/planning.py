"""What a sweep will take: which points are measured together, and memory and time before anything is tried."""

from collections.abc import Mapping, Sequence
from typing import Any

from bench import allotment, host, points
from bench.errors import Unsupported
from bench.inputs import NOTHING, Inputs
from bench.points import Point
from bench.record import Value
from bench.spec import Spec
from model import shapes
from model.shapes import Costs, hf

#: What a child holds before there is a model, MiB: the interpreter and torch's libraries, and what these set aside for
#: themselves (20 in training, 12 and 8 in inference). Medians of torch 2.13 for the CPU on Linux.
CHILD_MIB: Mapping[str, int] = {"train": 350, "prefill": 259, "decode": 258}
#: A child that labels texts has scikit-learn beside it, which that takes, MiB.
LABELLING_MIB = 72
#: How much more the heap grows than the tensors that live at once, since glibc keeps blocks that were freed: fitted to
#: 136 points of six architectures (tests.proofs.memory_prediction looks at others). Without that habit of glibc's
#: (MALLOC_MMAP_THRESHOLD_=131072) training takes 1.0 to 1.06 times the tensors.
HEAP_GROWTH: Mapping[str, float] = {"train": 1.3, "prefill": 1.9, "decode": 0.95}
#: Children of a group may together take this share of the memory that is available when the sweep begins.
MOST_MEMORY = 0.6

#: What the estimate of a dry run assumes: a sequential rate, the start of the sweep, and that of a forked process (2.5
#: s where it imports torch). Seen for the LSTM presets on two cores of a Xeon server: 7 to 70 GFLOP/s, 2 to 4 s,
#: 0.1 to 0.3 s. A rough guess elsewhere, and said to be one.
ASSUMED_FLOPS = 15e9
ASSUMED_START_S = 4.0
ASSUMED_PROCESS_S = 0.2


def on_gpu(point: Point, machine: Mapping[str, Value | None]) -> bool:
    """Whether the point runs on a GPU, as far as the host's description tells."""
    device = str(point.axes["device"])
    return device.startswith("cuda") or (device == "auto" and machine["accelerator"] is not None)


def memory_B(point: Point, inputs: Inputs = NOTHING) -> int:
    """The most that a child will hold for the point, estimated: exact counts of the model's tensors, what a child holds
    without a model, and how far the heap outgrows the tensors that come and go.

    Of a model of transformers whose shape is not known, the weights alone.
    """
    return _memory_B(point, inputs, HEAP_GROWTH)


def least_memory_B(point: Point, inputs: Inputs = NOTHING) -> int:
    """What a child cannot do without for the point: the same, as if the heap held nothing but living tensors."""
    return _memory_B(point, inputs, dict.fromkeys(HEAP_GROWTH, 1.0))


def resident_B(point: Point, inputs: Inputs = NOTHING) -> int:
    """What lives through every iteration of the point, exactly: weights, gradients, optimizer state, and caches."""
    counted = _counted(point, inputs)
    if counted is None:
        return least_memory_B(point, inputs) - _libraries_B(point)
    return counted.weights_B + counted.gradients_B + counted.optimizer_B + counted.state_B


def on_device_B(point: Point, inputs: Inputs = NOTHING) -> int:
    """What the point's tensors take of a device that holds nothing else: the exact counts, without any library."""
    return least_memory_B(point, inputs) - _libraries_B(point)


def _memory_B(point: Point, inputs: Inputs, growth: Mapping[str, float]) -> int:
    counted = _counted(point, inputs)
    if counted is None:
        weights = hf.weights_B(points.config(point.axes, inputs)) if point.axes["architecture"] == "hf" else 0
        return _libraries_B(point) + weights
    phase = points.phase(point.axes)
    comes_and_goes = counted.activations_B - _untouched_B(point, inputs)
    if phase == "train":
        # Activations are forgotten as gradients come to be. At the end of a step, two tensors as large as the largest
        # matrix live beside all gradients: a tied table's gradients before they are summed, or AdamW's intermediates.
        comes_and_goes = max(comes_and_goes, counted.gradients_B + 2 * _table_B(point, inputs))
    stays = counted.weights_B + counted.optimizer_B + counted.state_B
    if phase != "train":
        copies = _copies_B(point, counted)  # made once for all weights, so the heap does not outgrow them
        comes_and_goes, stays = comes_and_goes - copies, stays + copies
    return _libraries_B(point) + stays + round(growth[phase] * comes_and_goes)


def _libraries_B(point: Point) -> int:
    """What a child holds without a model."""
    architecture = str(point.axes["architecture"])
    try:
        phase = points.phase(point.axes)
    except Unsupported:
        phase = "train"
    return (CHILD_MIB[phase] + LABELLING_MIB * shapes.labels_texts(architecture)) * 2**20


def _copies_B(point: Point, counted: Costs) -> int:
    """Bytes of the narrow copies of weights that autocast keeps, at most all that is counted as activations."""
    work = points.work(point.axes)
    if work.activation_itemsize >= work.weight_itemsize:
        return 0
    return min(counted.weights_B * work.activation_itemsize // work.weight_itemsize, counted.activations_B)


def _untouched_B(point: Point, inputs: Inputs) -> int:
    """Bytes that the architecture's shape says are counted but never written to."""
    untouched = getattr(shapes.load(str(point.axes["architecture"])), "untouched_bytes", None)
    return 0 if untouched is None else int(untouched(points.config(point.axes, inputs), points.work(point.axes)))


def _table_B(point: Point, inputs: Inputs) -> int:
    """Bytes of the table of tokens, the largest matrix of nearly every language model; 0 where the Config has none."""
    config = points.config(point.axes, inputs)
    width: int = getattr(config, "embedding", getattr(config, "hidden", 0))
    rows: int = getattr(config, "vocabulary", 0)
    return rows * width * points.work(point.axes).weight_itemsize


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
