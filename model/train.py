"""Training: one step, used by the benchmark and by `fit` alike, and the loop over epochs with held-out loss."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from model import precision as precisions
from model.architectures import LanguageModel
from model.errors import Unsupported, UserError
from model.text import PAD, Text, Windows

#: Largest norm of all gradients together (Pascanu et al., 2013); 1 is what GPT-2 and nanoGPT train with.
CLIP_NORM = 1.0

OPTIMIZERS = ("sgd", "adam", "adamw")


def optimizer(model: nn.Module, name: str, learning_rate: float, weight_decay: float = 0.0) -> torch.optim.Optimizer:
    """The optimizer `name` over what `model` has to train: plain SGD without momentum, Adam, or AdamW.

    Raises `Unsupported` where nothing can be trained (int8 weights), `UserError` for an unknown name.
    """
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not parameters:
        raise Unsupported("The model has no weights that can be trained: int8 weights have no gradient.")
    if name == "sgd":
        return torch.optim.SGD(parameters, learning_rate, weight_decay=weight_decay)
    if name == "adam":
        return torch.optim.Adam(parameters, learning_rate, weight_decay=weight_decay)
    if name == "adamw":
        return torch.optim.AdamW(parameters, learning_rate, weight_decay=weight_decay)
    raise UserError(f"There is no optimizer '{name}'.", f"Choose one of: {', '.join(OPTIMIZERS)}.")


@dataclass(frozen=True)
class WarmupCosine:
    """Factor on the learning rate: up in a line over `warmup` steps, then down a half cosine to 0 at `total` steps.

    The schedule of Loshchilov and Hutter (2017), without restarts.
    """

    warmup: int
    total: int

    def __call__(self, step: int) -> float:
        """The factor for `step`, counted from 0."""
        if step < self.warmup:
            return (step + 1) / self.warmup
        return 0.5 * (1 + math.cos(math.pi * min((step - self.warmup) / max(self.total - self.warmup, 1), 1)))


def cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Mean negative log likelihood in nats of `target` (B, G) under `logits` (B, G, V); <pad> does not count."""
    return F.cross_entropy(logits.flatten(0, 1), target.flatten(), ignore_index=PAD)


class TrainingStep:
    """One optimizer step: forward under `precision`, cross-entropy, backward, clipping, update, schedule.

    Never waits for the device, so a clock around it sees the device's time only where the caller synchronizes.
    Raises `Unsupported` where `precision` cannot train on the model's device.
    """

    def __init__(
        self,
        model: LanguageModel,
        optimizer: torch.optim.Optimizer,
        precision: str = "fp32",
        schedule: Callable[[int], float] | None = None,
    ) -> None:
        self.model = model.train()
        self.optimizer = optimizer
        self.precision = precision
        self.device = next(model.parameters()).device
        self.scaler = precisions.scaler(precision, self.device)
        self.schedule = schedule
        self.steps = 0
        self._learning_rates = [group["lr"] for group in optimizer.param_groups]
        self._parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]

    def __call__(self, source: Tensor, target: Tensor) -> Tensor:
        """Train on `source` (B, S) and `target` (B, G); the loss (scalar, detached) from before the update."""
        self._set_learning_rate()
        self.optimizer.zero_grad()
        with precisions.autocast(self.precision, self.device):
            loss = cross_entropy(self.model(source, target), target)
        if self.scaler is None:
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(self._parameters, CLIP_NORM)
            self.optimizer.step()
        else:
            self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
            self.scaler.unscale_(self.optimizer)  # the norm is of the true gradients
            nn.utils.clip_grad_norm_(self._parameters, CLIP_NORM)
            self.scaler.step(self.optimizer)
            self.scaler.update()
        self.steps += 1
        return loss.detach()

    def _set_learning_rate(self) -> None:
        # by hand: torch's schedulers warn when the scaler skips the very first step
        if self.schedule is not None:
            factor = self.schedule(self.steps)
            for group, rate in zip(self.optimizer.param_groups, self._learning_rates, strict=True):
                group["lr"] = rate * factor


@dataclass(frozen=True)
class Epoch:
    """Mean cross-entropy in nats a token over one epoch's training and, after it, over the held-out text."""

    number: int
    train_loss: float
    held_out_loss: float


@dataclass(frozen=True)
class Plan:
    """How `fit` trains. Lengths count tokens; the first `warmup_share` of all steps warms up."""

    epochs: int = 3
    batch_size: int = 16
    sequence_length: int = 32
    generated_length: int = 32
    optimizer: str = "adamw"
    learning_rate: float = 3e-3
    weight_decay: float = 0.01
    warmup_share: float = 0.05
    precision: str = "fp32"
    seed: int = 0


def fit(
    model: LanguageModel, text: Text, plan: Plan, on_epoch: Callable[[Epoch], None] = lambda epoch: None
) -> list[Epoch]:
    """Train `model` on its device and return the history; windows follow one another so that each token is graded once.

    Deterministic on the CPU for a seed (it seeds torch's generator, which dropout draws from). Raises `UserError`
    where a loss is no longer finite, or where either part of the text is shorter than a window.
    """
    torch.manual_seed(plan.seed)
    windows = Windows(text.train, plan.sequence_length, plan.generated_length, stride=plan.generated_length)
    held_out = Windows(text.held_out, plan.sequence_length, plan.generated_length, stride=plan.generated_length)
    loader = DataLoader(windows, plan.batch_size, shuffle=True)
    total = plan.epochs * len(loader)
    step = TrainingStep(
        model,
        optimizer(model, plan.optimizer, plan.learning_rate, plan.weight_decay),
        plan.precision,
        WarmupCosine(round(plan.warmup_share * total), total),
    )
    history = []
    for number in range(1, plan.epochs + 1):
        mean = _Mean()
        model.train()
        for source, target in loader:
            loss = step(source.to(step.device), target.to(step.device)).item()
            if not math.isfinite(loss):
                raise UserError(
                    f"The loss is {loss} in epoch {number}.",
                    f"Lower the learning rate: it is {plan.learning_rate:g}.",
                )
            mean.add(loss, target.numel())
        history.append(Epoch(number, mean.value, held_out_loss(model, held_out, plan.batch_size, plan.precision)))
        on_epoch(history[-1])
    return history


def held_out_loss(model: LanguageModel, windows: Windows, batch_size: int, precision: str = "fp32") -> float:
    """Mean cross-entropy of the targets in nats a token, without dropout. Leaves the model in evaluation mode."""
    device = next(model.parameters()).device
    mean = _Mean()
    model.eval()
    with torch.inference_mode(), precisions.autocast(precision, device):
        for source, target in DataLoader(windows, batch_size):
            loss = cross_entropy(model(source.to(device), target.to(device)), target.to(device))
            mean.add(loss.item(), target.numel())
    return mean.value


@dataclass
class _Mean:
    """A mean over batches of unequal size: total over total."""

    total: float = 0.0
    weight: int = 0
    value: float = field(default=math.nan, init=False)

    def add(self, mean: float, weight: int) -> None:
        self.total += mean * weight
        self.weight += weight
        self.value = self.total / self.weight
