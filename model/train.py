"""Training: one step, used by the benchmark and by `fit` alike, and the loop over epochs with held-out loss."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import apply_activation_checkpointing
from torch.nn import functional as F
from torch.utils.data import DataLoader

from model import ao
from model import precision as precisions
from model.architectures import LanguageModel
from model.errors import Unsupported, UserError
from model.shapes import MOMENTS
from model.text import PAD, Text, Windows

#: Largest norm of all gradients together (Pascanu et al., 2013); 1 is what GPT-2 and nanoGPT train with.
CLIP_NORM = 1.0

OPTIMIZERS = ("sgd", "adam", "adamw")
EIGHT_BIT = "adamw-8bit"


def optimizer(model: nn.Module, name: str, learning_rate: float, weight_decay: float = 0.0) -> torch.optim.Optimizer:
    """The optimizer `name` over what `model` has to train: plain SGD without momentum, Adam, or AdamW, the
    last also with its moments in 8 bits.

    Raises `Unsupported` where nothing can be trained (int8 weights) or torchao is missing (8 bits), `UserError` for an
    unknown name.
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
    if name == EIGHT_BIT:
        return ao.adamw_8bit(parameters, learning_rate, weight_decay)
    raise UserError(f"There is no optimizer '{name}'.", f"Choose one of: {', '.join([*OPTIMIZERS, EIGHT_BIT])}.")


def state_bytes(model: nn.Module, name: str) -> int:
    """Bytes of the moments that the optimizer `name` keeps of what `model` has to train, exactly."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    each = ao.moment_bytes if name == EIGHT_BIT else _plain_moment_bytes
    return MOMENTS[name] * sum(each(parameter) for parameter in parameters)


def _plain_moment_bytes(parameter: Tensor) -> int:
    return parameter.numel() * parameter.element_size()


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


def cross_entropy(logits: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """Negative log likelihood in nats of `target` (B, G) under `logits` (B, G, V), mean or sum; <pad> counts not."""
    return F.cross_entropy(logits.flatten(0, 1), target.flatten(), ignore_index=PAD, reduction=reduction)


def checkpoint_activations(model: nn.Module) -> None:
    """Let each block of `model` forget its activations and compute them again in backward (Chen et al., 2016).

    A block is an element of an nn.ModuleList, or a recurrent stack outside of one. In place: torch wraps each block,
    under whose old name the state dict still finds it. Raises `Unsupported` where there is none.
    """
    listed = [block for found in model.modules() if isinstance(found, nn.ModuleList) for block in found]
    inside = {id(module) for block in listed for module in block.modules()}
    stacks = [stack for stack in model.modules() if isinstance(stack, nn.RNNBase) and id(stack) not in inside]
    blocks = {id(block) for block in (*listed, *stacks)}
    if not blocks:
        raise Unsupported("The model has no blocks whose activations could be computed again.")
    apply_activation_checkpointing(model, check_fn=lambda module: id(module) in blocks)


class TrainingStep:
    """One optimizer step: forward under `precision`, cross-entropy, backward, clipping, update, schedule.

    With `accumulation` n, a batch is read in n parts whose gradients are added up: the same update from less memory.
    With `checkpointing`, the blocks of the model forget their activations (`checkpoint_activations`). Never waits for
    the device, so a clock around it sees the device's time only where the caller synchronizes. Raises `Unsupported`
    where `precision` cannot train on the model's device, `UserError` for an accumulation below 1.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        precision: str = "fp32",
        schedule: Callable[[int], float] | None = None,
        *,
        accumulation: int = 1,
        checkpointing: bool = False,
    ) -> None:
        if accumulation < 1:
            raise UserError(f"Gradients of {accumulation} parts cannot be added up.", "Give an accumulation from 1.")
        if checkpointing:
            checkpoint_activations(model)
        self.model = model.train()
        self.optimizer = optimizer
        self.precision = precision
        self.accumulation = accumulation
        self.device = next(model.parameters()).device
        self.scaler = precisions.scaler(precision, self.device)
        self.schedule = schedule
        self.steps = 0
        self._learning_rates = [float(group["lr"]) for group in optimizer.param_groups]
        self._parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]

    def __call__(self, source: Tensor, target: Tensor) -> Tensor:
        """Train on `source` (B, S) and `target` (B, G); the loss (scalar, detached) from before the update.

        Raises `UserError` where the batch has fewer sequences than it is to have parts.
        """
        self._set_learning_rate()
        self.optimizer.zero_grad()
        loss = self._backward(source, target) if self.accumulation == 1 else self._accumulate(source, target)
        if self.scaler is None:
            nn.utils.clip_grad_norm_(self._parameters, CLIP_NORM)
            self.optimizer.step()
        else:
            self.scaler.unscale_(self.optimizer)  # the norm is of the true gradients
            nn.utils.clip_grad_norm_(self._parameters, CLIP_NORM)
            self.scaler.step(self.optimizer)
            self.scaler.update()
        self.steps += 1
        return loss

    def _accumulate(self, source: Tensor, target: Tensor) -> Tensor:
        if len(source) < self.accumulation:
            raise UserError(
                f"A batch of {len(source)} cannot be read in {self.accumulation} parts.",
                "Take a larger batch, or a smaller accumulation.",
            )
        graded = self._graded(target)
        parts = zip(source.tensor_split(self.accumulation), target.tensor_split(self.accumulation), strict=True)
        return torch.stack([self._backward(*part, graded) for part in parts]).sum()

    def _backward(self, source: Tensor, target: Tensor, graded: Tensor | None = None) -> Tensor:
        """Add to the gradients; the detached loss, as a mean over `target`, or over `graded` tokens where given."""
        with precisions.autocast(self.precision, self.device):
            loss = self._loss(source, target) if graded is None else self._loss(source, target, "sum") / graded
        scaled = loss if self.scaler is None else self.scaler.scale(loss)
        scaled.backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def _loss(self, source: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
        return cross_entropy(self.model(source, target), target, reduction)

    def _graded(self, target: Tensor) -> Tensor:
        """How many tokens of `target` count."""
        return (target != PAD).sum()

    def _set_learning_rate(self) -> None:
        # by hand: torch's schedulers warn when the scaler skips the very first step
        if self.schedule is not None:
            factor = self.schedule(self.steps)
            for group, rate in zip(self.optimizer.param_groups, self._learning_rates, strict=True):
                if isinstance(group["lr"], Tensor):
                    group["lr"].fill_(rate * factor)  # torchao wants its tensor back
                else:
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
    learning_rate: float = 1e-3
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
            mean.add(_trained(step, source, target, plan), target.numel())
        history.append(Epoch(number, mean.value, held_out_loss(model, held_out, plan.batch_size, plan.precision)))
        on_epoch(history[-1])
    return history


def endless(step: TrainingStep, windows: Windows, plan: Plan) -> Iterator[float]:
    """Train on `windows`, epoch after epoch, and give the loss of each step in nats a token; the caller stops.

    Raises `UserError` where a loss is no longer finite.
    """
    generator = torch.Generator().manual_seed(plan.seed)
    while True:
        for source, target in DataLoader(windows, plan.batch_size, shuffle=True, generator=generator):
            step.model.train()
            yield _trained(step, source, target, plan)


def _trained(step: TrainingStep, source: Tensor, target: Tensor, plan: Plan) -> float:
    loss = step(source.to(step.device), target.to(step.device)).item()
    if not math.isfinite(loss):
        raise UserError(
            f"The loss is {loss} in step {step.steps}.", f"Lower the learning rate: it is {plan.learning_rate:g}."
        )
    return loss


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
