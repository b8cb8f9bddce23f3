"""The LSTM encoder-decoder: its dimensions and what they cost.

Sutskever et al. (2014); tied weights as in Press and Wolf (2017).
"""

from dataclasses import dataclass, replace

from model.errors import UserError
from model.shapes import MOMENTS, Costs, Work

#: Bytes of one token's code: torch indexes with int64.
CODE_B = 8

#: More than any machine holds, few enough to say so at once: a stranger's checkpoint names its own dimensions.
MOST_ROWS = 1 << 24
MOST_LAYERS = 1024


@dataclass(frozen=True)
class Config:
    """Rows of the embedding, its width, width of the hidden state, layers of encoder and of decoder, share dropped.

    Raises `UserError` for a dimension that is no whole number from 1, or a dropout outside [0, 1).
    """

    vocabulary: int
    embedding: int
    hidden: int
    layers: int
    dropout: float = 0.0

    def __post_init__(self) -> None:
        for name in ("vocabulary", "embedding", "hidden", "layers"):
            value, most = getattr(self, name), MOST_LAYERS if name == "layers" else MOST_ROWS
            if type(value) is not int or not 1 <= value <= most:
                raise UserError(f"{name} = {value!r} is no dimension.", f"Give a whole number from 1 to {most}.")
        if not isinstance(self.dropout, (int, float)) or not 0 <= self.dropout < 1:
            raise UserError(f"dropout = {self.dropout!r} is no share.", "Give a number from 0 up to, not including, 1.")

    @property
    def tied(self) -> bool:
        """Whether the projection to the vocabulary is the embedding itself, which takes equal widths."""
        return self.embedding == self.hidden

    @property
    def inputs(self) -> tuple[int, ...]:
        """Width of what each layer of a stack reads, first to last."""
        return (self.embedding, *[self.hidden] * (self.layers - 1))


PRESETS = {
    "nano": Config(vocabulary=4096, embedding=160, hidden=160, layers=1),  # 1,071,616 parameters
    "tiny": Config(vocabulary=8192, embedding=288, hidden=288, layers=2),  # 5,030,912
    "small": Config(vocabulary=16384, embedding=672, hidden=672, layers=2),  # 25,498,624
    "base": Config(vocabulary=32768, embedding=1216, hidden=1216, layers=3),  # 110,912,512
}


def narrowed(config: Config, share: float) -> Config:
    """The Config after `share` of the hidden units of each layer is removed; a tied embedding narrows with them."""
    hidden = max(round(config.hidden * (1 - share)), 1)
    if not config.tied and hidden == config.embedding:
        hidden += 1  # equal widths would tie two matrices that are not one
    return replace(config, hidden=hidden, embedding=hidden if config.tied else config.embedding)


def costs(config: Config, work: Work) -> Costs:
    """Exact counts for one iteration of `work`.

    `train` is one optimizer step: forward, backward, gradient clipping, update. `prefill` is the encoder's pass.
    `decode` is the whole generation of `generated_length` steps. The weights of the whole model stay resident in
    every phase.

    FLOPs are torch's own, as its flop counter sees them with oneDNN off: a layer is 8*H*(I+H) a token forward (four
    gates, 2 per multiply-add), the projection 2*H*V. Backward costs the same again for the weights and for the
    inputs, less one step of hidden-state gradient a layer in the encoder, whose first state is no variable.

    Traffic counts each operator's operands and results once, at the width they have in memory. The input products of
    a layer are one operator over all steps; each step of the recurrence is one more, which reads W_hh again. Weight
    gradients are one product over all steps, as oneDNN and cuDNN compute them. Under autocast (activations narrower
    than weights) each weight is read once to be cast, and the products read the copy. Dropout's masks are left out.
    """
    parts = {"train": _train, "prefill": _prefill, "decode": _decode}
    tokens, flops, moved, activations = parts[work.phase](config, work)
    parameters = _parameters(config)
    weights = parameters * work.weight_itemsize
    training = work.phase == "train"
    return Costs(
        parameters=parameters,
        tokens=tokens,
        flops=flops,
        bytes_moved=moved,
        weights_B=weights,
        gradients_B=weights if training else 0,
        # torch gives the moments the format of their parameter
        optimizer_B=MOMENTS[work.optimizer] * weights if training else 0,
        activations_B=activations,
        # h and c of every decoder layer; in training they are among the activations
        state_B=0 if training else 2 * config.layers * work.batch_size * config.hidden * work.activation_itemsize,
    )


def _stack_parameters(config: Config) -> int:
    # four gates a layer, each with W_ih (I), W_hh (H) and, as in torch and cuDNN, two biases
    return sum(4 * config.hidden * (width + config.hidden + 2) for width in config.inputs)


def _projection_parameters(config: Config) -> int:
    return config.vocabulary * (config.hidden + 1)


def _parameters(config: Config) -> int:
    shared = config.vocabulary * config.hidden if config.tied else 0
    embedding = config.vocabulary * config.embedding
    return embedding + 2 * _stack_parameters(config) + _projection_parameters(config) - shared


def _stack_flops(config: Config, tokens: int) -> int:
    return sum(8 * config.hidden * (width + config.hidden) * tokens for width in config.inputs)


def _projection_flops(config: Config, tokens: int) -> int:
    return 2 * config.hidden * config.vocabulary * tokens


def _train(config: Config, work: Work) -> tuple[int, int, int, int]:
    batch, read, graded = work.batch_size, work.sequence_length, work.generated_length
    forward = _stack_flops(config, batch * (read + graded)) + _projection_flops(config, batch * graded)
    # the encoder's zero state needs no gradient, which saves one step of dgates @ W_hh in each of its layers
    no_gradient = 8 * config.hidden * config.hidden * batch * config.layers
    moved = (
        _embedding_bytes(config, work, batch * read)
        + _embedding_bytes(config, work, batch * graded)
        + _stack_bytes(config, work, read)
        + _stack_bytes(config, work, graded)
        + _projection_bytes(config, work, batch * graded)
        + _cast_bytes(work, _parameters(config))
        + _backward_bytes(config, work)
        + _optimizer_bytes(config, work)
    )
    return batch * (read + graded), 3 * forward - no_gradient, moved, _kept_bytes(config, work)


def _prefill(config: Config, work: Work) -> tuple[int, int, int, int]:
    tokens = work.batch_size * work.sequence_length
    moved = (
        _embedding_bytes(config, work, tokens)
        + _stack_bytes(config, work, work.sequence_length)
        + _cast_bytes(work, _stack_parameters(config))
    )
    transient = _layer_transient_bytes(config, work, work.sequence_length)
    copies = _autocast_copies_bytes(work, _stack_parameters(config))
    return tokens, _stack_flops(config, tokens), moved, transient + copies


def _decode(config: Config, work: Work) -> tuple[int, int, int, int]:
    batch, steps = work.batch_size, work.generated_length
    step_flops = _stack_flops(config, batch) + _projection_flops(config, batch)
    step_bytes = (
        _embedding_bytes(config, work, batch) + _stack_bytes(config, work, 1) + _projection_bytes(config, work, batch)
    )
    # autocast keeps its copies over the steps, so the weights are cast once
    used = _stack_parameters(config) + _projection_parameters(config)
    moved = steps * step_bytes + _cast_bytes(work, used)
    # the layers' transients are gone when the logits are made
    logits = batch * (config.vocabulary + config.hidden) * work.activation_itemsize
    transient = max(logits, _layer_transient_bytes(config, work, 1)) + _autocast_copies_bytes(work, used)
    return batch * steps, steps * step_flops, moved, transient


def _product_itemsize(work: Work) -> int:
    return min(work.weight_itemsize, work.activation_itemsize)


def _autocast_copies_bytes(work: Work, parameters: int) -> int:
    return parameters * work.activation_itemsize if work.activation_itemsize < work.weight_itemsize else 0


def _cast_bytes(work: Work, parameters: int) -> int:
    copies = _autocast_copies_bytes(work, parameters)
    return parameters * work.weight_itemsize + copies if copies else 0


def _embedding_bytes(config: Config, work: Work, tokens: int) -> int:
    row = config.embedding * (work.weight_itemsize + work.activation_itemsize)  # read a row of the table, write it out
    return tokens * (CODE_B + row)


def _stack_bytes(config: Config, work: Work, steps: int) -> int:
    hidden, batch = config.hidden, work.batch_size
    weight, activation = _product_itemsize(work), work.activation_itemsize
    # one recurrent step reads W_hh and its bias, the gates' input part (4H), h and c; it writes h and c
    step = 4 * hidden * (hidden + 1) * weight + 8 * hidden * batch * activation
    moved = 0
    for width in config.inputs:
        moved += 4 * hidden * (width + 1) * weight + (width + 4 * hidden) * batch * steps * activation + steps * step
    return moved


def _projection_bytes(config: Config, work: Work, tokens: int) -> int:
    logits = tokens * (config.hidden + config.vocabulary) * work.activation_itemsize
    return _projection_parameters(config) * _product_itemsize(work) + logits


def _backward_bytes(config: Config, work: Work) -> int:
    batch, graded = work.batch_size, work.generated_length
    steps = work.sequence_length + graded
    hidden, rows = config.hidden, config.vocabulary
    weight, activation = _product_itemsize(work), work.activation_itemsize
    # loss, in the weights' format: log-softmax reads and writes the logits; backward writes the gradient of the
    # picked entries, then reads it and the log-softmax to write the gradient of the logits
    moved = batch * graded * (6 * rows * work.weight_itemsize + CODE_B)
    # projection: dlogits @ W, dlogits.T @ x, and the bias' sum over the tokens
    moved += (2 * rows * hidden + rows) * weight + batch * graded * (3 * rows + 2 * hidden) * activation
    for width in config.inputs:
        # a recurrent step reads W_hh, the gates, two cell states and the gradients of h and c; it writes dgates (4H),
        # and the gradients of the h and c before it: 8H read, 6H written
        moved += steps * (4 * hidden * hidden * weight + 14 * hidden * batch * activation)
        # encoder and decoder, each over all its steps: dgates @ W_ih, dgates.T @ x, dgates.T @ h, two bias sums
        moved += 2 * (4 * hidden * (2 * width + hidden) + 8 * hidden) * weight
        moved += (4 * 4 * hidden + 2 * width + hidden) * batch * steps * activation
    # the table's gradient is dense: source and target each write one, and autograd adds them up, with the
    # projection's where that is the same matrix
    table = rows * config.embedding * work.weight_itemsize
    moved += batch * steps * (CODE_B + config.embedding * activation) + 2 * table
    moved += 3 * (2 if config.tied else 1) * table
    return moved


def _optimizer_bytes(config: Config, work: Work) -> int:
    # clipping reads the gradients for their norm, then reads and writes them; the update reads weight and gradient and
    # writes the weight, and reads and writes each moment
    return _parameters(config) * work.weight_itemsize * (3 + 3 + 2 * MOMENTS[work.optimizer])


def _kept_bytes(config: Config, work: Work) -> int:
    """What lives when backward begins: what every operator kept, autocast's copies, and the loss.

    A layer keeps its input, its output and oneDNN's workspace. Of that, fitted to torch 2.13's over widths of 90 to
    640 (within 10 %, tests/test_shapes.py): 9H a token and 6*max(I, H) a token and one step more, of which 3H and
    4*max(I, H) stay in fp32 under bf16. cuDNN and torch's own kernels keep less, about 7H a token.
    """
    batch, activation, hidden = work.batch_size, work.activation_itemsize, config.hidden
    kept = 0
    for steps in (work.sequence_length, work.generated_length):
        for width in config.inputs:
            kept += batch * steps * (width + hidden) * activation
            kept += batch * steps * hidden * (6 * activation + 3 * 4)
            kept += batch * (steps + 1) * max(width, hidden) * (2 * activation + 4 * 4)
    # log-softmax, its gradient and the gradient of the logits
    kept += 3 * batch * work.generated_length * config.vocabulary * work.weight_itemsize
    return kept + _autocast_copies_bytes(work, _parameters(config))


def _layer_transient_bytes(config: Config, work: Work, steps: int) -> int:
    """The most that lives while one layer of a stack runs forward, when nothing is kept for backward.

    For every token: the embedding and its copy in time-major order, a layer's input (where that is another layer's
    output), its gates (4H) and its output; the states in and out. oneDNN also copies the layer's matrices into its own
    order at each call, which outweighs the rest in decoding. For nano, tiny and a layer of 128 by 256, in fp32 and
    bf16, torch 2.13's profiler saw at most 15 % more on the CPU with 16 sequences or in decoding; with a prompt of
    one sequence, where the copied matrices count most, up to half more.
    """
    hidden = config.hidden
    token = 2 * config.embedding + (6 if config.layers > 1 else 5) * hidden
    states = 4 * config.layers * hidden
    matrices = 4 * hidden * (max(config.inputs) + hidden) * _product_itemsize(work)
    return matrices + work.batch_size * (steps * token + states) * work.activation_itemsize
