"""Every way of making a model smaller, in one order, and the refusal of combinations that make no sense.

The order, each step on what the one before it left:

1. the model goes to its device;
2. pruning, in one shot or in rounds with training between them: units removed, or weights set to zero;
3. factorization: low rank is sought for what pruning has left;
4. precision: what must see exact weights (magnitudes, singular values) has seen them;
5. quantization, or the sparse kernels: they decide how the weights are stored, so they come last.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Generic, TypeVar

import torch
from torch import nn

from model import factorize, precision, prune, quantize, structured
from model.architectures import LanguageModel
from model.errors import Unsupported, UserError
from model.text import Text, Windows
from model.train import Plan, TrainingStep, WarmupCosine, endless, optimizer

Model = TypeVar("Model", bound=nn.Module)

PRUNE_SCHEMES = ("unstructured", "structured", "2:4")

#: Precisions whose weights and activations have one format; between two, autocast would cast what is quantized.
QUANTIZABLE = ("fp32", "bf16")


@dataclass(frozen=True)
class Compression:
    """What is done to a model. `prune` is the share of weights, or of units where structured, that goes.

    Pruning happens in `prune_rounds` rounds with `tuning_steps` training steps after each. `factorize` is `none`,
    `rank:N` or `energy:SHARE`. Raises `UserError` for a value out of range or a word that is not known, `Unsupported`
    for a combination that makes no sense, with the reason.
    """

    prune: float = 0.0
    prune_scheme: str = "unstructured"
    prune_rounds: int = 1
    tuning_steps: int = 0
    factorize: str = "none"
    precision: str = "fp32"
    quantize: str = "none"

    def __post_init__(self) -> None:
        for value, known, what in (
            (self.prune_scheme, PRUNE_SCHEMES, "pruning scheme"),
            (self.precision, precision.PRECISIONS, "precision"),
            (self.quantize, quantize.SCHEMES, "quantization"),
        ):
            if value not in known:
                raise UserError(f"There is no {what} '{value}'.", f"Choose one of: {', '.join(known)}.")
        prune.gradual(self.prune, self.prune_rounds)
        if self.tuning_steps < 0:
            raise UserError(f"{self.tuning_steps} training steps cannot be taken.", "Give 0 or more.")
        factorize.parse(self.factorize)
        for reason in self._senseless():
            raise Unsupported(reason)

    @property
    def masks(self) -> bool:
        """Whether zeros are set, rather than units removed."""
        return self.prune > 0 and self.prune_scheme != "structured"

    def _senseless(self) -> Iterator[str]:
        two_of_four = self.prune > 0 and self.prune_scheme == "2:4"
        if two_of_four and self.prune != 0.5:
            yield f"2:4 keeps two of every four weights: it prunes 0.5, not {self.prune:g}."
        if two_of_four and self.prune_rounds > 1:
            yield "2:4 is a fixed pattern, which cannot be approached in rounds."
        if self.prune_rounds > 1 and not (self.prune and self.tuning_steps):
            yield "Rounds of pruning without training between them prune what one shot prunes."
        if self.tuning_steps and not self.prune:
            yield "Training steps repair what pruning broke, and nothing is pruned."
        if self.masks and self.factorize != "none":
            yield f"The factors of a matrix have none of the zeros that {self.prune_scheme} pruning has set in it."
        if two_of_four and self.quantize != "none":
            yield f"The sparse kernels of 2:4 take 16-bit floats, not {self.quantize} weights."
        if self.quantize != "none" and self.precision not in QUANTIZABLE:
            yield f"{self.quantize} replaces the weights that {self.precision} would cast for each product."

    def check_training(self) -> None:
        """Raise `Unsupported` where what comes out could not be trained."""
        if self.quantize != "none":
            raise Unsupported(f"{self.quantize} weights have no gradient, so they cannot train.")
        if self.prune > 0 and self.prune_scheme == "2:4":
            raise Unsupported("The sparse kernels of 2:4 only infer; training would multiply with the zeros.")


@dataclass(frozen=True)
class Compressed(Generic[Model]):
    """The compressed model, its Config (a smaller one where units were removed), and what happened, in its order.

    `sparsity` is the share of zeros among the weights that are multiplied with or, where units were removed, the share
    of all weights that is gone. `sparse_kernels` is None where no 2:4 pruning was asked for. `factors` tells what
    became of each Linear where a factorization was.
    """

    model: Model
    config: Any
    steps: tuple[str, ...]
    sparsity: float
    stored_B: int
    sparse_kernels: prune.SparseKernels | None
    factors: tuple[factorize.Layer, ...]


def apply(
    model: Model,
    architecture: str,
    config: Any,
    asked: Compression,
    device: torch.device,
    *,
    training: bool = False,
    text: Text | None = None,
    plan: Plan | None = None,
) -> Compressed[Model]:
    """Do to `model`, which may be changed by it, what is `asked`, for use on `device`; for `training` where it is set.

    The training steps between rounds of pruning run over `text` as `plan` says (its epochs do not count); the sparse
    zeros hold meanwhile. Raises `Unsupported` where device, build, architecture or combination cannot do it, and
    `UserError` where a loss is no longer finite.
    """
    if training:
        asked.check_training()
    steps: list[str] = []
    model = model.to(device)
    parameters = _count(model)
    if asked.prune:
        model, config = _prune(model, architecture, config, asked, text, plan or Plan())
        steps.append(_told(asked))
    removed = 1 - _count(model) / parameters
    truncation = factorize.parse(asked.factorize)
    factors: tuple[factorize.Layer, ...] = ()
    if truncation is not None:
        model, factors = factorize.factorize(model, truncation)
        steps.append(f"factorization, {asked.factorize}, of {sum(each.factored for each in factors)} matrices")
    sparsity = removed if asked.prune_scheme == "structured" else prune.sparsity(model)
    model = precision.apply(model, asked.precision, device, training=training)
    steps.append(f"precision {asked.precision}")
    kernels = prune.use_sparse_kernels(model) if asked.masks and asked.prune_scheme == "2:4" else None
    if asked.quantize != "none":
        model = quantize.quantize(model, asked.quantize)
        steps.append(f"{asked.quantize} quantization")
    return Compressed(model, config, tuple(steps), sparsity, quantize.stored_bytes(model), kernels, factors)


def _told(asked: Compression) -> str:
    rounds = f" in {asked.prune_rounds} rounds" if asked.prune_rounds > 1 else ""
    tuning = f", {asked.tuning_steps} training steps after each" if asked.tuning_steps else ""
    return f"{asked.prune_scheme} pruning of {asked.prune:g}{rounds}{tuning}"


def _prune(
    model: Model, architecture: str, config: Any, asked: Compression, text: Text | None, plan: Plan
) -> tuple[Model, Any]:
    original = config
    if not isinstance(model, LanguageModel) and asked.tuning_steps:
        raise Unsupported("Training between rounds of pruning is for models that continue a text.")
    for share in prune.gradual(asked.prune, asked.prune_rounds):
        if asked.prune_scheme == "structured":
            smaller = structured.narrowed(architecture, original, share)
            model = structured.structured(model, architecture, config, smaller)
            config = smaller
        elif asked.prune_scheme == "2:4":
            prune.two_of_four(model)
        else:
            prune.unstructured(model, share)
        if asked.tuning_steps:
            _tune(model, asked, text, plan)
    return model, config


def _tune(model: nn.Module, asked: Compression, text: Text | None, plan: Plan) -> None:
    if text is None:
        raise ValueError("training steps were asked for without a text to train on")
    windows = Windows(text.train, plan.sequence_length, plan.generated_length, stride=plan.generated_length)
    updating = optimizer(model, plan.optimizer, plan.learning_rate, plan.weight_decay)
    if asked.masks:
        prune.keep_zeros(model, updating)  # the optimizer ends with this round, and its hook with it
    mode = model.training
    schedule = WarmupCosine(round(plan.warmup_share * asked.tuning_steps), asked.tuning_steps)  # ends where it settles
    step = TrainingStep(model, updating, plan.precision, schedule)
    for _ in islice(endless(step, windows, plan), asked.tuning_steps):
        pass
    model.train(mode)


def _count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())
