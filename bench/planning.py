"""What a sweep will take: which points are measured together, and memory and time before anything is tried."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
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
#: themselves (18 in training, 12 in inference). Medians of torch 2.13 for the CPU on Linux, much the same on an Intel
#: Xeon and an AMD EPYC. Of a forked child the kernel counts those pages of the libraries alone that it has touched
#: itself, and all of its parent's heap: 50 MiB less in training, 10 to 65 more in inference.
CHILD_MIB: Mapping[str, int] = {"train": 336, "prefill": 259, "decode": 259}
#: oneDNN's LSTM brings this in training, MiB; scikit-learn, which a child that labels texts has, this.
LSTM_MIB, LABELLING_MIB = 11, 72
#: How far glibc's heap outgrows the tensors that come and go in it, since it keeps blocks that were freed and cannot
#: always use them again. Fitted to 65 points of training and 45 of inference (six architectures, batches of 1 to 32,
#: torch 2.13 on two cores of an AMD EPYC; tests.proofs.memory_prediction looks at others). With pages of its own for
#: every block (MALLOC_MMAP_THRESHOLD_=131072) the heap hardly outgrows what lives, but the pages cost time.
HEAP_GROWTH: Mapping[str, float] = {"train": 1.33, "prefill": 1.9, "decode": 0.95}
#: The same of logits and their gradients, which are each as large as a hole must be for the next to fit in.
LOGITS_GROWTH = 1.9
#: What activations leave behind in the heap when gradients have come to lie between them.
HOLES = 1.1
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
    """The most that a fresh child will hold for the point, estimated: exact counts of the model's tensors, what a child
    holds without a model, and how far the heap outgrows the tensors that come and go.

    Of a model of transformers whose shape is not known, the weights alone.
    """
    return _memory_B(point, inputs, grows=True)


def least_memory_B(point: Point, inputs: Inputs = NOTHING) -> int:
    """What a child cannot do without for the point: the same, as if the heap held nothing but living tensors."""
    return _memory_B(point, inputs, grows=False)


def resident_B(point: Point, inputs: Inputs = NOTHING) -> int:
    """What lives through every iteration of the point, exactly: weights, gradients, optimizer state, and caches."""
    counted = _counted(point, inputs)
    if counted is None:
        return least_memory_B(point, inputs) - _libraries_B(point)
    return counted.weights_B + counted.gradients_B + counted.optimizer_B + counted.state_B


def on_device_B(point: Point, inputs: Inputs = NOTHING) -> int:
    """What the point's tensors take of a device that holds nothing else: the exact counts, without any library."""
    return least_memory_B(point, inputs) - _libraries_B(point)


def _memory_B(point: Point, inputs: Inputs, *, grows: bool) -> int:
    counted = _counted(point, inputs)
    if counted is None:
        weights = hf.weights_B(points.config(point.axes, inputs)) if point.axes["architecture"] == "hf" else 0
        return _libraries_B(point) + weights
    stays = counted.weights_B + counted.optimizer_B + counted.state_B
    comes_and_goes = _training_B if points.phase(point.axes) == "train" else _inference_B
    return _libraries_B(point) + stays + round(comes_and_goes(point, inputs, counted, grows=grows))


def _training_B(point: Point, inputs: Inputs, counted: Costs, *, grows: bool) -> float:
    """The most beside weights and moments: when backward begins, or at the end of a step.

    Activations are forgotten as gradients come to be. At the end, two tensors as large as the largest matrix live
    beside all gradients: a tied table's gradients before they are summed, or AdamW's intermediates.
    """
    table, logits = _table_B(point, inputs), 3 * _logits_B(point, inputs)
    activations = counted.activations_B - _told_by_shape(point, inputs, "untouched_bytes")
    if not grows:
        return max(activations, counted.gradients_B + 2 * table)
    mapped_logits = logits if logits >= 3 * shapes.MAPPED_B else 0
    mapped_tables = 3 * table if table >= shapes.MAPPED_B else 0
    logits -= mapped_logits
    others = max(activations - mapped_logits - logits, 0)
    gradients = counted.gradients_B + 2 * table - mapped_tables
    heap = max(HEAP_GROWTH["train"] * others + LOGITS_GROWTH * logits, gradients + HOLES * (others + logits))
    heap += _told_by_shape(point, inputs, "scattered_bytes")
    return max(mapped_logits, mapped_tables) + heap  # the heap keeps its size, whichever of the two moments made it


def _inference_B(point: Point, inputs: Inputs, counted: Costs, *, grows: bool) -> float:
    """The most beside weights and state.

    In inference mode autocast remembers none of its narrow copies of weights: the largest, of the projection to the
    vocabulary, counts alone, where there is one.
    """
    phase, work = points.phase(point.axes), points.work(point.axes)
    copies, transient = 0, counted.activations_B
    if work.activation_itemsize < work.weight_itemsize:
        uncopied = replace(work, weight_itemsize=work.activation_itemsize)
        config = points.config(point.axes, inputs)
        transient = shapes.costs(str(point.axes["architecture"]), config, uncopied).activations_B
        copies = _table_B(point, inputs) * work.activation_itemsize // work.weight_itemsize if phase == "decode" else 0
        copies += _told_by_shape(point, inputs, "converted_bytes")
    transient -= _told_by_shape(point, inputs, "untouched_bytes")
    return copies + (HEAP_GROWTH[phase] if grows else 1.0) * transient


def _libraries_B(point: Point) -> int:
    """What a child holds without a model."""
    architecture = str(point.axes["architecture"])
    try:
        phase = points.phase(point.axes)
    except Unsupported:
        phase = "train"
    lstm = LSTM_MIB if phase == "train" and architecture in ("lstm", "cnn") else 0
    return (CHILD_MIB[phase] + lstm + LABELLING_MIB * shapes.labels_texts(architecture)) * 2**20


def _told_by_shape(point: Point, inputs: Inputs, name: str) -> int:
    """Bytes that the architecture's shape tells of in a function of its own; 0 where it has none of that name."""
    told = getattr(shapes.load(str(point.axes["architecture"])), name, None)
    return 0 if told is None else int(told(points.config(point.axes, inputs), points.work(point.axes)))


def _logits_B(point: Point, inputs: Inputs) -> int:
    """Bytes of the logits that a training batch, or a part of it, is graded by; a label's are too few to count."""
    if shapes.labels_texts(str(point.axes["architecture"])):
        return 0
    work, config = points.work(point.axes), points.config(point.axes, inputs)
    graded = -(-work.batch_size // work.accumulation) * work.generated_length
    return graded * int(getattr(config, "vocabulary", 0)) * work.weight_itemsize


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
