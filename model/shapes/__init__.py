"""Shapes: what an architecture costs, by plain arithmetic. No torch here, so a report or a parent process may ask."""

from dataclasses import dataclass, fields, replace
from typing import Any, Literal, Protocol, cast

from model import plugins
from model.errors import UserError

Phase = Literal["train", "prefill", "decode"]

#: Bytes of one stored weight and of one activation, by precision: amp-* keeps fp32 weights and computes in 16 bits.
ITEMSIZES = {"fp32": (4, 4), "tf32": (4, 4), "amp-bf16": (4, 2), "amp-fp16": (4, 2), "bf16": (2, 2)}

#: Moments that an optimizer keeps of each trained parameter, in the parameter's own format but for those in 8 bits.
MOMENTS = {"sgd": 0, "adam": 2, "adamw": 2, "adamw-8bit": 2}

#: Of 8-bit moments, a block of so many values shares one fp32 scale (Dettmers et al., 2022; torchao's default).
MOMENT_BLOCK = 256

#: From this size on, glibc gives each block pages of its own and takes them back when it is freed; smaller ones come to
#: lie in its heap, which keeps them (malloc.c, DEFAULT_MMAP_THRESHOLD_MAX on 64 bits).
MAPPED_B = 32 * 2**20


@dataclass(frozen=True)
class Work:
    """One iteration of a workload, as far as its cost depends on it.

    `train` reads `sequence_length` tokens and is graded on the next `generated_length`; `prefill` reads
    `sequence_length` tokens; `decode` generates `generated_length` tokens one step at a time. `accumulation` is the
    number of parts that a training batch is read in, and with `checkpointing` blocks compute their activations again:
    a shape by itself knows of neither, `costs` of this module does.
    """

    phase: Phase
    batch_size: int
    sequence_length: int
    generated_length: int
    weight_itemsize: int = 4
    activation_itemsize: int = 4
    optimizer: str = "adamw"
    accumulation: int = 1
    checkpointing: bool = False


@dataclass(frozen=True)
class Costs:
    """Exact counts for one iteration; what each architecture counts stands in its `costs` docstring.

    `flops` counts matrix products only (2 per multiply-add), as `torch.utils.flop_counter` does.
    `bytes_moved` counts each operator's operands and results once, each sequential step of a recurrence being an
    operator of its own: the traffic that no cache saves. `state_B` is what decoding carries from token to token
    (a recurrent state, or a KV cache).
    """

    parameters: int
    tokens: int
    flops: int
    bytes_moved: int
    weights_B: int
    gradients_B: int
    optimizer_B: int
    activations_B: int
    state_B: int

    @property
    def memory_B(self) -> int:
        """Bytes that live at the peak: weights, gradients, optimizer state, activations and decoding state."""
        return self.weights_B + self.gradients_B + self.optimizer_B + self.activations_B + self.state_B


class Shape(Protocol):
    """What a file in this folder offers."""

    Config: type[Any]
    PRESETS: dict[str, Any]

    def costs(self, config: Any, work: Work) -> Costs:
        """Exact counts of `work` for `config`."""
        ...


def names() -> tuple[str, ...]:
    """Every architecture that has a shape."""
    return plugins.names("model.shapes")


def load(architecture: str) -> Shape:
    """The shape module of `architecture`. Raises `UserError` for an unknown one."""
    return cast(Shape, plugins.load("model.shapes", architecture))


def labels_texts(architecture: str) -> bool:
    """Whether the architecture labels texts instead of continuing them: its shape then says `LABELS_TEXTS = True`."""
    return bool(getattr(load(architecture), "LABELS_TEXTS", False))


def costs(architecture: str, config: Any, work: Work) -> Costs:
    """Counts of `work` for `config`, its batch read in parts and its blocks computed again where it says so.

    They are exact but for these: `activations_B` with checkpointing and `optimizer_B` of 8-bit moments are the least
    that there is, and `bytes_moved` leaves out what is computed again. FLOPs never count that (Chowdhery et al.,
    2022, PaLM, appendix B: model FLOPs). Raises `UserError` for an unknown architecture.
    """
    from model.shapes import _parts  # it counts with this module's own Work and Costs

    shape = load(architecture)
    return _parts.costs(shape, config, work) if work.phase == "train" else shape.costs(config, work)


def presets() -> tuple[str, ...]:
    """Names of the presets over all architectures, in the order in which they are declared (small to large)."""
    return tuple(dict.fromkeys(size for name in names() for size in load(name).PRESETS))


def configure(architecture: str, size: str, **dimensions: Any) -> Any:
    """The preset `size` of `architecture` with the given dimensions replaced (those that are None keep the preset's).

    Raises `UserError` for a preset or a dimension that the architecture does not have.
    """
    shape = load(architecture)
    if size not in shape.PRESETS:
        raise UserError(
            f"The architecture '{architecture}' has no preset '{size}'.", f"Choose one of: {', '.join(shape.PRESETS)}."
        )
    given = {name: value for name, value in dimensions.items() if value is not None}
    known = {field.name for field in fields(shape.Config)}
    unknown = sorted(set(given) - known)
    if unknown:
        raise UserError(
            f"The architecture '{architecture}' has no dimension '{unknown[0]}'.",
            f"It has: {', '.join(sorted(known))}.",
        )
    return replace(shape.PRESETS[size], **given)
