"""A point: one value on every axis, with an id that does not change when an axis is added later."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from bench import axes, profiles
from bench.errors import Unsupported, UserError
from bench.inputs import NOTHING, Inputs
from bench.record import Value
from model import shapes
from model.shapes import hf


@dataclass(frozen=True)
class Point:
    """One configuration. `given` holds the axes that differ from their default, sorted by name."""

    given: tuple[tuple[str, Value], ...]

    @cached_property
    def axes(self) -> dict[str, Value]:
        """A value for every axis."""
        return axes.DEFAULTS | dict(self.given)

    @cached_property
    def id(self) -> str:
        """Twelve hexadecimal digits of the SHA-256 of the given values."""
        return hashlib.sha256(json.dumps(self.given, separators=(",", ":")).encode()).hexdigest()[:12]

    @cached_property
    def family(self) -> tuple[tuple[str, Value], ...]:
        """What the point shares with its variants in precision and compression: those are compared as ratios."""
        return tuple((name, value) for name, value in self.given if not axes.BY_NAME[name].compares)

    @property
    def is_reference(self) -> bool:
        """Whether it is the plain member of its family: the one that ratios refer to."""
        return self.family == self.given


def point(values: Mapping[str, Value]) -> Point:
    """A point from validated or raw values; a profile sets the lengths and the batch size that these do not give.

    Raises `UserError` for an axis or a value that does not exist.
    """
    parsed = profiles.fill({name: axes.find(name).parse(value) for name, value in values.items()})
    return Point(tuple(sorted((name, value) for name, value in parsed.items() if value != axes.DEFAULTS[name])))


def varying(points: Iterable[Mapping[str, Value]]) -> list[str]:
    """Axes that take more than one value over `points`, in the order of the axes: what a label has to say.

    Lengths and batch size that follow from the profile are left out: its name says them.
    """
    rows = [axes.DEFAULTS | dict(row) for row in points]
    vary = [axis.name for axis in axes.AXES if len({row[axis.name] for row in rows}) > 1]
    mixes = len({row["profile"] for row in rows})
    told = {name for name in profiles.AXES if len({(row["profile"], row[name]) for row in rows}) == mixes > 1}
    return [name for name in vary if name not in told]


def parent(point: Point) -> tuple[tuple[str, Value], ...]:
    """What decides the weights that the point's model is trained to: a value for every axis, the rest at default."""
    return tuple(
        (axis.name, point.axes[axis.name] if axis.answers and not axis.compares else axis.default) for axis in axes.AXES
    )


def answers(point: Point) -> tuple[Value, ...]:
    """What decides the answers of the point's model, once it is trained: equal for points of equal quality."""
    return tuple(point.axes[axis.name] for axis in axes.AXES if axis.answers)


def describe(point: Point, among: Iterable[Point]) -> str:
    """The values that tell the point from the others, in a few words: `tiny, decode, batch size 16, amp-bf16`."""
    always = {"size", "workload"} | ({"profile"} if point.axes["profile"] != profiles.NONE else set())
    shown = always.union(varying([each.axes for each in among]))
    if "profile" in shown:
        shown.difference_update(profiles.AXES)  # its word holds them
    words = []
    for name in (name for name in axes.BY_NAME if name in shown):
        row, value = axes.BY_NAME[name], point.axes[name]
        if name == "profile":
            words.append(_mix(point))
        elif (value != row.default or not row.compares) and not row.says_nothing(value):
            words.append(str(value) if row.names_itself else f"{row.label} {value}")
    return ", ".join(words)


def changes(values: Mapping[str, Value]) -> str:
    """New values of some axes in a few words: `batch size 4`, `int8-dynamic`, `structured, pruned share 0.5`."""
    rows = [row for row in axes.AXES if row.name in values]
    said = [str(values[row.name]) if row.names_itself else f"{row.label} {values[row.name]}" for row in rows]
    return ", ".join(sorted(said, key=lambda word: word[-1].isdigit()))


def _mix(point: Point) -> str:
    """The profile with the lengths that the point really has: `chat (161 + 338 tokens, 30 at once)`."""
    batch_size, prompt, output = (point.axes[name] for name in profiles.AXES)
    name = "no profile" if point.axes["profile"] == profiles.NONE else point.axes["profile"]
    return f"{name} ({prompt} + {output} tokens, {batch_size} at once)"


def check(values: Mapping[str, Value]) -> None:
    """Raise `UserError` where the architecture has no such preset or dimension."""
    if values["architecture"] != "hf":
        config(values)
        return
    chosen = list(_dimensions(values)) + ["dropout"] * bool(values["dropout"])
    if chosen:
        raise UserError(f"A model of transformers has its own {chosen[0]}.", f"Leave out {chosen[0]} for hf.")


#: How an axis writes what a Config holds as a truth value.
_SWITCH: dict[Value, Any] = {"off": False, "on": True}


def config(values: Mapping[str, Value], inputs: Inputs = NOTHING) -> Any:
    """The architecture's Config for a point's axes, before anything is pruned.

    Raises `UserError` for a preset or a dimension that it lacks, and for `hf` where `inputs` name no model.
    """
    if values["architecture"] == "hf":
        return hf.Config(inputs.model, inputs.trust_remote_code)
    dimensions = {name: _SWITCH.get(value, value) for name, value in _dimensions(values).items()}
    if inputs.classes and shapes.labels_texts(str(values["architecture"])):
        dimensions["classes"] = inputs.classes
    made = shapes.configure(str(values["architecture"]), str(values["size"]), **dimensions)
    dropout = float(values["dropout"])
    return replace(made, dropout=dropout) if dropout else made


def shaped(values: Mapping[str, Value], inputs: Inputs = NOTHING) -> Any:
    """The Config of what is run: after structured pruning, where the architecture has units that can be removed."""
    made = config(values, inputs)
    narrowed = getattr(shapes.load(str(values["architecture"])), "narrowed", None)
    if values["prune"] and values["prune_scheme"] == "structured" and narrowed is not None:
        made = narrowed(made, float(values["prune"]))
    return made


def _dimensions(values: Mapping[str, Value]) -> dict[str, Value]:
    return {axis.name: values[axis.name] for axis in axes.AXES if axis.dimension and values[axis.name] != "preset"}


def phase(values: Mapping[str, Value]) -> shapes.Phase:
    """What the workload is to `costs`: labelling reads its texts once, as a prefill does.

    Raises `Unsupported` where the architecture cannot do it.
    """
    architecture, workload = str(values["architecture"]), str(values["workload"])
    labels = shapes.labels_texts(architecture)
    if workload == "classify" and not labels:
        raise Unsupported(f"The architecture '{architecture}' continues texts; it labels none.")
    if workload in ("prefill", "decode") and labels:
        raise Unsupported(
            f"The architecture '{architecture}' labels texts; it continues none, so it has no {workload}."
        )
    return "prefill" if workload == "classify" else workload  # type: ignore[return-value]


def work(values: Mapping[str, Value]) -> shapes.Work:
    """What one iteration of the point's workload is, for `costs`."""
    weight, activation = shapes.ITEMSIZES[str(values["precision"])]
    return shapes.Work(
        phase=phase(values),
        batch_size=int(values["batch_size"]),
        sequence_length=int(values["sequence_length"]),
        generated_length=int(values["generated_length"]),
        weight_itemsize=weight,
        activation_itemsize=activation,
        optimizer=str(values["optimizer"]),
        accumulation=int(values["accumulation"]),
        checkpointing=values["checkpointing"] == "on",
    )


def tokens(values: Mapping[str, Value], inputs: Inputs = NOTHING) -> int:
    """Tokens of one iteration, which are known even where `costs` are not. Raises `Unsupported` for a point that
    cannot be run.
    """
    if values["architecture"] == "hf":
        return hf.tokens(config(values, inputs), work(values))
    return costs(values, inputs).tokens


def costs(values: Mapping[str, Value], inputs: Inputs = NOTHING) -> shapes.Costs:
    """Counts for one iteration of the point; after structured pruning, of the smaller model.

    Those that `uncounted` names are estimates, for planning alone. Raises `Unsupported` for a point that cannot be run,
    and for a model of transformers whose shape is not known.
    """
    return shapes.costs(str(values["architecture"]), shaped(values, inputs), work(values))


def uncounted(values: Mapping[str, Value]) -> dict[str, str]:
    """Counts that do not hold for the point, with the reason: no record shows them."""
    training = values["workload"] == "train"
    reasons = [
        (values["quantize"] != "none", "weights_B", "they are counted in the format before quantization"),
        (values["compile"] != "eager", "activations_B", "torch.compile fuses operators and chooses what it keeps"),
        (training and values["checkpointing"] == "on", "activations_B", "blocks compute again what they forgot"),
        (training and values["optimizer"] == "adamw-8bit", "optimizer_B", "torchao keeps some tensors in fp32"),
    ]
    found = {name: reason for holds, name, reason in reasons if holds}
    if found:
        found |= dict.fromkeys(("bytes_moved", "memory_B"), " and ".join(found.values()))
    return found
