"""The LSTM encoder-decoder: its presets and what it costs.

Sutskever et al. (2014); tied weights as in Press and Wolf (2017).
"""

from model.shapes import MAPPED_B, Costs, Work, _recurrent
from model.shapes._operators import product_itemsize
from model.shapes._recurrent import Cell, Config, narrowed

__all__ = ["PRESETS", "Config", "costs", "narrowed", "untouched_bytes"]

PRESETS = {
    "nano": Config(vocabulary=4096, embedding=160, hidden=160, layers=1),  # 1,071,616 parameters
    "tiny": Config(vocabulary=8192, embedding=288, hidden=288, layers=2),  # 5,030,912
    "small": Config(vocabulary=16384, embedding=672, hidden=672, layers=2),  # 25,498,624
    "base": Config(vocabulary=32768, embedding=1216, hidden=1216, layers=3),  # 110,912,512
}


def costs(config: Config, work: Work) -> Costs:
    """Exact counts for one iteration of `work`; see `model.shapes._recurrent.costs`.

    FLOPs are torch's own, as its flop counter sees them with oneDNN off: a layer is 8*H*(I+H) a token forward (four
    gates, 2 per multiply-add), the projection 2*H*V.
    """
    return _recurrent.costs(CELL, config, work)


def kept_bytes(width: int, hidden: int, batch: int, steps: int, work: Work) -> int:
    """What a layer keeps for backward: its input, its output and oneDNN's workspace.

    Of that, fitted to torch 2.13's over widths of 90 to 640 (within 10 %, tests/test_shapes.py): 9H a token and
    6*max(I, H) a token and one step more, of which 3H and 4*max(I, H) stay in fp32 under bf16. cuDNN and torch's own
    kernels keep less, about 7H a token.
    """
    activation = work.activation_itemsize
    kept = batch * steps * (width + hidden) * activation
    kept += batch * steps * hidden * (6 * activation + 3 * 4)
    return kept + batch * (steps + 1) * max(width, hidden) * (2 * activation + 4 * 4)


def transient_bytes(config: Config, batch: int, steps: int, work: Work) -> int:
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
    matrices = 4 * hidden * (max(config.inputs) + hidden) * product_itemsize(work)
    return matrices + batch * (steps * token + states) * work.activation_itemsize


#: Of what oneDNN sets aside for a layer, so much is never written to and so never resident: the rest of a training
#: workspace is about 4H a token. Seen with torch 2.13 on the CPU, 16 to 64 sequences of 64 to 128 tokens.
UNTOUCHED = 0.73


def untouched_bytes(config: Config, work: Work) -> int:
    """Bytes among `activations_B` that are set aside but, by estimate, take no memory of the machine.

    In training those of a workspace on pages of its own (`MAPPED_B`): a smaller one lies where others have written.
    """
    if work.phase == "decode":
        return 0
    if work.phase == "train":
        return untouched_workspace_bytes(config, work, (work.sequence_length, work.generated_length))
    token = 2 * config.embedding + (6 if config.layers > 1 else 5) * config.hidden
    return round(UNTOUCHED * work.batch_size * work.sequence_length * token * work.activation_itemsize)


def untouched_workspace_bytes(config: Config, work: Work, stacks: tuple[int, ...]) -> int:
    """The same in training, for stacks over so many steps."""
    batch, hidden = work.batch_size, config.hidden
    reserved = [
        kept_bytes(width, hidden, batch, steps, work) - batch * steps * (width + hidden) * work.activation_itemsize
        for width in config.inputs
        for steps in stacks
    ]
    return round(UNTOUCHED * sum(each for each in reserved if each >= MAPPED_B))


CELL = Cell(
    gates=4,
    states=2,  # h and c
    step=8,  # reads the gates' input part (4H), h and c; writes h and c
    # reads the gates, two cell states and the gradients of h and c; writes dgates (4H) and the gradients of both
    backward_step=14,
    kept=kept_bytes,
    keeps_output=True,
    transient=transient_bytes,
)
