"""What single operators cost: the bricks that the architectures' `costs` are built of.

Each operator's operands and results are counted once, at the width that they have in memory; products count 2 FLOPs
per multiply-add and nothing else counts, as `torch.utils.flop_counter` does. Backward, a product costs the same again
for its weights and for its inputs.
"""

from dataclasses import astuple, dataclass

from model.shapes import MOMENT_BLOCK, MOMENTS, Costs, Work

#: Bytes of one token's code: torch indexes with int64.
CODE_B = 8


@dataclass(frozen=True)
class Operator:
    """FLOPs and bytes moved, forward and backward, and the bytes that live until backward begins."""

    flops: int = 0
    moved: int = 0
    backward_flops: int = 0
    backward_moved: int = 0
    kept: int = 0

    def __add__(self, other: "Operator") -> "Operator":
        return Operator(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))

    def __mul__(self, times: int) -> "Operator":
        return Operator(*(times * each for each in astuple(self)))


def product_itemsize(work: Work) -> int:
    """Bytes of a weight as the products read it: under autocast, of its narrower copy."""
    return min(work.weight_itemsize, work.activation_itemsize)


def linear(
    work: Work, tokens: int, width: int, out: int, *, bias: bool = True, keeps_input: bool = True, calls: int = 1
) -> Operator:
    """`tokens` rows of `width` through a matrix to `out`, in `calls` calls that each read the matrix again.

    `keeps_input` is False where another operator keeps the same tensor.
    """
    weight, activation = product_itemsize(work), work.activation_itemsize
    matrix, offset = width * out, out if bias else 0
    flops = 2 * tokens * matrix
    return Operator(
        flops=flops,
        moved=calls * (matrix + offset) * weight + tokens * (width + out) * activation,
        backward_flops=2 * flops,
        # dy @ W writes dx, dy.T @ x writes dW, and the bias' gradient sums dy
        backward_moved=calls * (2 * matrix + offset) * weight
        + tokens * (2 * width + (3 if bias else 2) * out) * activation,
        kept=tokens * width * activation if keeps_input else 0,
    )


def elementwise(work: Work, reads: int, writes: int, *, backward: int = 0, kept: int = 0) -> Operator:
    """An operator without products over so many values read and written; `backward` counts both of its backward."""
    activation = work.activation_itemsize
    return Operator(moved=(reads + writes) * activation, backward_moved=backward * activation, kept=kept * activation)


def lookup(work: Work, tokens: int, width: int) -> Operator:
    """Rows of an embedding; its dense gradient is counted apart, by `table_gradient`."""
    row = width * (work.weight_itemsize + work.activation_itemsize)  # read a row of the table, write it out
    # every product that follows keeps the looked-up row by itself
    return Operator(moved=tokens * (CODE_B + row), backward_moved=tokens * (CODE_B + width * work.activation_itemsize))


def table_gradient(work: Work, entries: int, *, lookups: int, tied: bool) -> Operator:
    """The dense gradient of a table of `entries`: each lookup writes one, and autograd adds them up.

    A tied projection has a gradient of the same shape, which is added too.
    """
    table = entries * work.weight_itemsize
    sums = lookups - 1 + (1 if tied else 0)
    return Operator(backward_moved=(lookups + 3 * sums) * table)


def attention(
    work: Work, batch: int, heads: int, kv_heads: int, head_dim: int, queries: int, keys: int, pairs: int
) -> Operator:
    """Scaled dot-product attention over `pairs` of query and key a sequence, scores never leaving the cache.

    The FLOPs are those of the full rectangle, as torch counts them: a causal mask saves nothing in them. Backward
    recomputes the scores, which is not counted (Chowdhery et al., 2022, PaLM, appendix B: model FLOPs).
    Queries, keys, values and what comes out are kept, with one fp32 log-sum a query and head.
    """
    activation = work.activation_itemsize
    asked, known = batch * heads * queries * head_dim, batch * kv_heads * keys * head_dim
    flops = 4 * batch * heads * pairs * head_dim
    return Operator(
        flops=flops,
        moved=2 * (asked + known) * activation,
        backward_flops=2 * flops,
        # reads q, k, v, the output and its gradient; writes the gradients of q, k and v
        backward_moved=4 * (asked + known) * activation,
        kept=2 * (asked + known) * activation + 4 * batch * heads * queries,
    )


def cross_entropy(work: Work, graded: int, classes: int) -> Operator:
    """The loss over `graded` rows of logits, in the weights' format.

    Log-softmax reads and writes the logits; backward writes the gradient of the picked entries, then reads it and the
    log-softmax to write the gradient of the logits. Those three tensors live when backward begins.
    """
    logits = graded * classes * work.weight_itemsize
    return Operator(backward_moved=6 * logits + graded * CODE_B, kept=3 * logits)


def autocast_copies_bytes(work: Work, parameters: int) -> int:
    """Bytes of the narrow copies of `parameters` that autocast keeps."""
    return parameters * work.activation_itemsize if work.activation_itemsize < work.weight_itemsize else 0


def cast_bytes(work: Work, parameters: int) -> int:
    """Bytes that autocast moves to make those copies, once."""
    copies = autocast_copies_bytes(work, parameters)
    return parameters * work.weight_itemsize + copies if copies else 0


def moments_bytes(work: Work, parameters: int) -> int:
    """Bytes of the optimizer's state. In 8 bits the least: tensors too small for it keep the format of the weights."""
    moments = MOMENTS[work.optimizer]
    if work.optimizer == "adamw-8bit":
        return moments * (parameters + 4 * (parameters // MOMENT_BLOCK))
    return moments * parameters * work.weight_itemsize  # torch gives the moments the format of their parameter


def optimizer_bytes(work: Work, parameters: int) -> int:
    """Bytes that clipping and the update move."""
    # clipping reads the gradients for their norm, then reads and writes them; the update reads weight and gradient and
    # writes the weight, and reads and writes each moment
    return parameters * work.weight_itemsize * (3 + 3) + 2 * moments_bytes(work, parameters)


def training(work: Work, parameters: int, tokens: int, step: Operator) -> Costs:
    """One optimizer step over `tokens`, whose operators add up to `step`."""
    weights = parameters * work.weight_itemsize
    return Costs(
        parameters=parameters,
        tokens=tokens,
        flops=step.flops + step.backward_flops,
        bytes_moved=step.moved + step.backward_moved + cast_bytes(work, parameters) + optimizer_bytes(work, parameters),
        weights_B=weights,
        gradients_B=weights,
        optimizer_B=moments_bytes(work, parameters),
        activations_B=step.kept + autocast_copies_bytes(work, parameters),
        state_B=0,  # in training it is among the activations
    )


def inference(
    work: Work, parameters: int, used: int, tokens: int, forward: Operator, *, transient_B: int, state_B: int
) -> Costs:
    """One forward pass or generation, whose products read `used` parameters; all of them stay resident.

    `transient_B` is the most that lives at one moment beside the weights and the state.
    """
    return Costs(
        parameters=parameters,
        tokens=tokens,
        flops=forward.flops,
        bytes_moved=forward.moved + cast_bytes(work, used),
        weights_B=parameters * work.weight_itemsize,
        gradients_B=0,
        optimizer_B=0,
        activations_B=transient_B + autocast_copies_bytes(work, used),
        state_B=state_B,
    )
