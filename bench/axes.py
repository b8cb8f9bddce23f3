"""What can be varied. One row an axis: its flag, validation, column and plot label all derive from the row.

Importing this module imports no torch, so `--help` answers at once.
"""

from dataclasses import dataclass
from functools import cached_property

from bench import profiles
from bench.errors import UserError
from bench.kinds import Choice, Kind, Number, Pattern, nearest
from bench.record import Value
from model import plugins, shapes
from model.shapes import classifier


@dataclass(frozen=True)
class Axis:
    """One thing that can be varied.

    `compares` marks an axis whose values are variants of the same work (precision, compression): points that differ
    in those alone are measured interleaved with each other and shown as ratios to the axis' default. `dimension` marks
    a field of the architecture's Config; its default `preset` keeps what the preset has. `answers` marks what decides
    the weights of a trained model or what it makes of them: points that agree on those are of equal quality. `found`
    marks what the command line finds out from a flag of its own: a spec cannot choose it.
    """

    name: str
    kind: Kind
    default: Value
    label: str
    help: str
    flags: tuple[str, ...] = ()
    compares: bool = False
    dimension: bool = False
    answers: bool = False
    found: bool = False

    @cached_property
    def options(self) -> tuple[str, ...]:
        """The flags of the command line, the long one first."""
        return (f"--{self.name.replace('_', '-')}", *self.flags)

    @cached_property
    def names_itself(self) -> bool:
        """Whether a value says by itself what it is a value of, as `amp-bf16` does, and `8` or `on` do not."""
        if self.dimension or isinstance(self.kind, Number):
            return False
        return not (isinstance(self.kind, Choice) and "on" in self.kind.words())

    def says_nothing(self, raw: Value) -> bool:
        """Whether a label can leave `raw` out: a dimension that keeps what the preset has, or what there is not."""
        return ((self.dimension or self.found) and raw == self.default) or raw == FOREIGN.get(self.name)

    def parse(self, raw: Value) -> Value:
        """A validated value. Raises `UserError` that names the axis and what is allowed."""
        try:
            return self.kind.parse(raw)
        except ValueError as error:
            raise UserError(
                f"{self.name} = {raw!r} {error}", f"Mend the spec, or the flag {self.options[0]}."
            ) from None


def _dimension(name: str, kind: Choice | Number, says: str, *, compares: bool = False) -> Axis:
    label = name.replace("_", " ")
    return Axis(name, kind, "preset", label, says, compares=compares, dimension=True, answers=True)


def _sizes() -> tuple[str, ...]:
    return (*shapes.presets(), OWN_SIZE)


def _words(*words: str) -> Choice:
    return Choice(lambda: ("preset", *words))


#: What a point has on the axes of our own models where another tool measured something else: no value of theirs.
FOREIGN: dict[str, Value] = {"architecture": "none", "size": "none", "workload": "benchmark"}
#: The size of a model that brings its dimensions with it.
OWN_SIZE = "own"

AXES: tuple[Axis, ...] = (
    Axis(
        "architecture",
        Choice(shapes.names),
        "lstm",
        "architecture",
        "reference model, or hf: a model of transformers (--model)",
        ("-a",),
        answers=True,
    ),
    Axis(
        "model",
        Pattern(r"none|\S+@[0-9a-f]{8}", "none or NAME@HASH"),
        "none",
        "model",
        "model of transformers, and a hash of its files",
        answers=True,
        found=True,
    ),
    Axis(
        "benchmark",
        Pattern(r"none|.*\S.*", "none or a benchmark's name"),
        "none",
        "benchmark",
        "what another tool measured, as it names it",
        found=True,
    ),
    Axis("size", Choice(_sizes), "nano", "size", "preset of the model's dimensions", ("-s",), answers=True),
    Axis(
        "workload",
        Choice(lambda: plugins.names("bench.workloads")),
        "train",
        "workload",
        "what one iteration does",
        ("-w",),
    ),
    Axis(
        "profile",
        Choice(lambda: (profiles.NONE, *profiles.PROFILES)),
        profiles.NONE,
        "profile",
        "mix of lengths and batch size, where those are not given",
    ),
    Axis("batch_size", Number(1, 1 << 16), 1, "batch size", "sequences that run together", ("-b",)),
    Axis(
        "sequence_length",
        Number(1, 1 << 20),
        64,
        "sequence length",
        "tokens that the encoder reads (the prompt)",
        ("-p", "--n-prompt"),
    ),
    Axis(
        "generated_length",
        Number(1, 1 << 20),
        16,
        "generated length",
        "tokens that the decoder predicts (training) or generates (decode)",
        ("-n", "--n-gen"),
    ),
    _dimension("vocabulary", Number(8, 1 << 24, words=("preset",)), "rows of the embedding"),
    _dimension("embedding", Number(1, 1 << 16, words=("preset",)), "width of the embedding, where it has its own"),
    _dimension("hidden", Number(1, 1 << 16, words=("preset",)), "width of the hidden state"),
    _dimension("layers", Number(1, 1024, words=("preset",)), "layers (of encoder and decoder, each)"),
    _dimension("encoder", _words(*classifier.ENCODERS), "what reads the text of a classifier"),
    _dimension("heads", Number(1, 1024, words=("preset",)), "attention heads of a Transformer"),
    _dimension("kv_heads", Number(1, 1024, words=("preset",)), "heads of keys and values, fewer for grouped queries"),
    _dimension("head_dim", Number(1, 1 << 16, words=("preset",)), "width of a head, where it is not hidden / heads"),
    _dimension("feed_forward", Number(1, 1 << 18, words=("preset",)), "width of a Transformer's feed-forward"),
    _dimension("attention", _words("off", "on"), "attention over the encoder's states (lstm, rnn)"),
    _dimension("kernel", Number(1, 1 << 16, words=("preset",)), "neighbours that a convolution sees, an odd number"),
    _dimension("positions", _words("learned", "rotary"), "how a Transformer knows the order of its tokens"),
    _dimension("context", Number(1, 1 << 24, words=("preset",)), "learned positions, the longest text they allow"),
    _dimension("activation", _words("gelu", "swiglu"), "what a Transformer's feed-forward has between its matrices"),
    _dimension("norm", _words("layer", "rms"), "how a Transformer normalizes: LayerNorm or RMSNorm"),
    _dimension("tied", _words("off", "on"), "whether a Transformer's projection is its embedding's matrix"),
    _dimension("bias", _words("off", "on"), "whether a Transformer's linear layers and norms have a bias"),
    _dimension(
        "rotary_base", Number(1e-3, 1e9, whole=False, words=("preset",)), "base of the rotary positions' angles"
    ),
    _dimension("norm_epsilon", Number(1e-12, 1, whole=False, words=("preset",)), "what a norm adds to the variance"),
    _dimension(
        "kv_cache",
        _words("auto", "fp32", "bf16", "int8"),
        "number format of a Transformer's KV cache",
        compares=True,
    ),
    Axis(
        "dropout",
        Number(0, 0.95, whole=False),
        0.0,
        "dropout",
        "share of activations dropped in training",
        answers=True,
    ),
    Axis("optimizer", Choice(lambda: tuple(shapes.MOMENTS)), "adamw", "optimizer", "what updates the weights"),
    Axis("learning_rate", Number(1e-9, 100, whole=False), 1e-3, "learning rate", "step size of the optimizer"),
    Axis(
        "precision",
        Choice(lambda: tuple(shapes.ITEMSIZES)),
        "fp32",
        "precision",
        "number format; amp-* keeps fp32 weights",
        compares=True,
        answers=True,
    ),
    Axis(
        "prune",
        Number(0, 0.999, whole=False),
        0.0,
        "pruned share",
        "share of weights set to zero, or of units removed",
        compares=True,
        answers=True,
    ),
    Axis(
        "prune_scheme",
        Choice(lambda: ("unstructured", "structured", "2:4")),
        "unstructured",
        "pruning scheme",
        "single weights, whole units, or two of every four weights",
        compares=True,
        answers=True,
    ),
    Axis(
        "prune_rounds",
        Number(1, 100),
        1,
        "pruning rounds",
        "rounds in which the pruned share is reached, with training after each",
        compares=True,
        answers=True,
    ),
    Axis(
        "tuning_steps",
        Number(0, 100_000),
        0,
        "tuning steps",
        "training steps after each round",
        compares=True,
        answers=True,
    ),
    Axis(
        "factorize",
        Pattern(
            r"none|rank:[1-9]\d{0,4}|energy:0?\.\d{0,5}[1-9]|energy:1", "none, rank:64 or energy:0.9 (above 0, up to 1)"
        ),
        "none",
        "factorization",
        "low-rank factors in place of the matrices of linear layers",
        compares=True,
        answers=True,
    ),
    Axis(
        "quantize",
        Choice(lambda: ("none", "int8-dynamic", "int8-weight", "int4-weight", "fp8")),
        "none",
        "quantization",
        "number format of the stored weights",
        compares=True,
        answers=True,
    ),
    Axis(
        "compile",
        Choice(lambda: ("eager", "compiled")),
        "eager",
        "compilation",
        "torch.compile of what an iteration calls; its own time is kept apart",
        compares=True,
    ),
    Axis(
        "accumulation",
        Number(1, 1024),
        1,
        "accumulation",
        "parts in which a training batch is read, for the same update from less memory",
        compares=True,
    ),
    Axis(
        "checkpointing",
        Choice(lambda: ("off", "on")),
        "off",
        "checkpointing",
        "whether blocks forget their activations in training and compute them again",
        compares=True,
    ),
    Axis(
        "device",
        Pattern(r"auto|cpu|cuda(:\d+)?", "auto, cpu, cuda or cuda:N"),
        "auto",
        "device",
        "where the model runs; auto takes CUDA where there is one",
        answers=True,
    ),
    Axis("threads", Number(1, 4096, words=("auto",)), "auto", "threads", "threads on the CPU; auto: cores we may use"),
    Axis("seed", Number(0, 2**31 - 1), 0, "seed", "seed of weights, dropout and sampling", answers=True),
)

BY_NAME = {axis.name: axis for axis in AXES}
DEFAULTS: dict[str, Value] = {axis.name: axis.default for axis in AXES}


def find(name: str) -> Axis:
    """The axis of that name. Raises `UserError` with the nearest name and all that exist."""
    if name not in BY_NAME:
        known = ", ".join(axis.name for axis in AXES if not axis.found)
        raise UserError(f"There is no axis '{name}'.{nearest(name, BY_NAME)}", f"The axes are: {known}.")
    return BY_NAME[name]
