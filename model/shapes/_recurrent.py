"""What recurrent encoder-decoders share: their dimensions, and what their layers and the whole model cost."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from model.shapes import Costs, Work
from model.shapes._dimensions import check_counts, check_flags, check_share
from model.shapes._narrowing import left
from model.shapes._operators import (
    Operator,
    attention,
    cross_entropy,
    elementwise,
    inference,
    linear,
    lookup,
    product_itemsize,
    table_gradient,
    training,
)


@dataclass(frozen=True)
class Config:
    """Rows of the embedding, its width, width of the hidden state, layers of encoder and of decoder, share dropped.

    With `attention`, each step of the decoder also looks at every state of the encoder (Luong et al., 2015: the
    general score, without input feeding). Raises `UserError` for a dimension that is no whole number from 1, or a
    dropout outside [0, 1).
    """

    vocabulary: int
    embedding: int
    hidden: int
    layers: int
    dropout: float = 0.0
    attention: bool = False

    def __post_init__(self) -> None:
        check_counts(self, ("vocabulary", "embedding", "hidden", "layers"))
        check_share(self, "dropout")
        check_flags(self, ("attention",))

    @property
    def tied(self) -> bool:
        """Whether the projection to the vocabulary is the embedding itself, which takes equal widths."""
        return self.embedding == self.hidden

    @property
    def inputs(self) -> tuple[int, ...]:
        """Width of what each layer of a stack reads, first to last."""
        return (self.embedding, *[self.hidden] * (self.layers - 1))


def narrowed(config: Config, share: float) -> Config:
    """The Config after `share` of the hidden units of each layer is removed; a tied embedding narrows with them."""
    hidden = left(config.hidden, share)
    if not config.tied and hidden == config.embedding:
        hidden += 1  # equal widths would tie two matrices that are not one
    return replace(config, hidden=hidden, embedding=hidden if config.tied else config.embedding)


@dataclass(frozen=True)
class Cell:
    """One kind of recurrent layer. Gates and states count in widths of the hidden state H, a token each.

    `step` is what one step of the recurrence reads and writes beside W_hh, `backward_step` the same for its gradient.
    `kept` are the bytes of a layer that live when backward begins, given (width, hidden, batch, steps, work), and
    `keeps_output` says whether the output that the next operator reads is among them.
    `transient` are the most bytes that live while a stack runs forward and nothing is kept for backward, given
    (config, batch, steps, work).
    """

    gates: int
    states: int
    step: int
    backward_step: int
    kept: Callable[[int, int, int, int, Work], int]
    keeps_output: bool
    transient: Callable[[Config, int, int, Work], int]


def layer_parameters(cell: Cell, width: int, hidden: int) -> int:
    """W_ih (I) and W_hh (H) of each gate and, as in torch and cuDNN, two biases."""
    return cell.gates * hidden * (width + hidden + 2)


def stack_parameters(cell: Cell, config: Config) -> int:
    """All layers of the encoder, or of the decoder."""
    return sum(layer_parameters(cell, width, config.hidden) for width in config.inputs)


def stack(cell: Cell, config: Config, work: Work, batch: int, steps: int, *, from_zero: bool = False) -> Operator:
    """A stack of layers over `steps` steps.

    The input products of a layer are one operator over all steps; each step of the recurrence is one more, which reads
    W_hh again. Weight gradients are one product over all steps, as oneDNN and cuDNN compute them. `from_zero`: the
    first state is no variable, which saves one step of hidden-state gradient a layer.
    """
    hidden, gates = config.hidden, cell.gates * config.hidden
    weight, activation = product_itemsize(work), work.activation_itemsize
    total = Operator()
    for width in config.inputs:
        flops = 2 * gates * (width + hidden) * batch * steps
        total += Operator(
            flops=flops,
            moved=gates * (width + 1) * weight
            + (width + gates) * batch * steps * activation
            + steps * (gates * (hidden + 1) * weight + cell.step * hidden * batch * activation),
            backward_flops=2 * flops - (2 * gates * hidden * batch if from_zero else 0),
            # steps; then dgates @ W_ih, dgates.T @ x, dgates.T @ h, two bias sums
            backward_moved=steps * (gates * hidden * weight + cell.backward_step * hidden * batch * activation)
            + (gates * (2 * width + hidden) + 2 * gates) * weight
            + (4 * gates + 2 * width + hidden) * batch * steps * activation,
            kept=cell.kept(width, hidden, batch, steps, work),
        )
    return total


def costs(cell: Cell, config: Config, work: Work) -> Costs:
    """Exact counts for one iteration of `work`, by an encoder-decoder of such cells.

    `train` is one optimizer step: forward, backward, gradient clipping, update. `prefill` is the encoder's pass.
    `decode` is the whole generation of `generated_length` steps. The weights of the whole model stay resident in
    every phase. Operators as `model.shapes._operators` counts them; dropout's masks are left out.
    """
    phases = {"train": _train, "prefill": _prefill, "decode": _decode}
    return phases[work.phase](cell, config, work)


def _parameters(cell: Cell, config: Config) -> int:
    tables = config.vocabulary * (config.embedding + (0 if config.tied else config.hidden))
    return tables + config.vocabulary + 2 * stack_parameters(cell, config) + _attention_parameters(config)


def _attention_parameters(config: Config) -> int:
    # keys from the encoder's states, and what mixes context and state
    return 3 * config.hidden * config.hidden if config.attention else 0


def _keys(config: Config, work: Work, batch: int) -> Operator:
    """The encoder's states made keys, once."""
    if not config.attention:
        return Operator()
    # the stack's output is in time-major order, so the product keeps a copy of its own
    return linear(work, batch * work.sequence_length, config.hidden, config.hidden, bias=False)


def _attended(config: Config, work: Work, batch: int, queries: int) -> Operator:
    """The decoder's states look at the encoder's: tanh(W [context; state])."""
    if not config.attention:
        return Operator()
    hidden, tokens, seen = config.hidden, batch * queries, work.sequence_length
    return (
        attention(work, batch, 1, 1, hidden, queries, seen, queries * seen)
        + elementwise(work, 2 * hidden * tokens, 2 * hidden * tokens, backward=4 * hidden * tokens)
        + linear(work, tokens, 2 * hidden, hidden, bias=False)
        + elementwise(work, hidden * tokens, hidden * tokens, backward=3 * hidden * tokens)
    )


def _train(cell: Cell, config: Config, work: Work) -> Costs:
    batch, read, graded = work.batch_size, work.sequence_length, work.generated_length
    keeps_input = config.attention or not cell.keeps_output
    step = (
        lookup(work, batch * read, config.embedding)
        + lookup(work, batch * graded, config.embedding)
        + stack(cell, config, work, batch, read, from_zero=True)
        + _keys(config, work, batch)
        + stack(cell, config, work, batch, graded)
        + _attended(config, work, batch, graded)
        + linear(work, batch * graded, config.hidden, config.vocabulary, keeps_input=keeps_input)
        + cross_entropy(work, batch * graded, config.vocabulary)
        + table_gradient(work, config.vocabulary * config.embedding, lookups=2, tied=config.tied)
    )
    return training(work, _parameters(cell, config), batch * (read + graded), step)


def _prefill(cell: Cell, config: Config, work: Work) -> Costs:
    batch, read = work.batch_size, work.sequence_length
    forward = (
        lookup(work, batch * read, config.embedding)
        + stack(cell, config, work, batch, read)
        + _keys(config, work, batch)
    )
    used = stack_parameters(cell, config) + (config.hidden**2 if config.attention else 0)
    return inference(
        work,
        _parameters(cell, config),
        used,
        batch * read,
        forward,
        # what attention will look at is made at the end: its values are the stack's output, its keys come last
        transient_B=cell.transient(config, batch, read, work) - _memory_bytes(config, work),
        state_B=_state_bytes(cell, config, work),
    )


def _decode(cell: Cell, config: Config, work: Work) -> Costs:
    batch, steps = work.batch_size, work.generated_length
    step = (
        lookup(work, batch, config.embedding)
        + stack(cell, config, work, batch, 1)
        + _attended(config, work, batch, 1)
        + linear(work, batch, config.hidden, config.vocabulary)
    )
    attended = 2 * config.hidden**2 if config.attention else 0
    used = stack_parameters(cell, config) + attended + config.vocabulary * (config.hidden + 1)
    # the layers' transients are gone when the logits are made
    logits = batch * (config.vocabulary + (2 if config.attention else 1) * config.hidden) * work.activation_itemsize
    return inference(
        work,
        _parameters(cell, config),
        used,
        batch * steps,
        step * steps,
        transient_B=max(logits, cell.transient(config, batch, 1, work)),
        state_B=_state_bytes(cell, config, work),
    )


def _state_bytes(cell: Cell, config: Config, work: Work) -> int:
    states = cell.states * config.layers * config.hidden * work.batch_size * work.activation_itemsize
    return states + _memory_bytes(config, work)


def _memory_bytes(config: Config, work: Work) -> int:
    """What attention looks at: the encoder's states and their keys."""
    read = work.batch_size * work.sequence_length
    return 2 * read * config.hidden * work.activation_itemsize if config.attention else 0
