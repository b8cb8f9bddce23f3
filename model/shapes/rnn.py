"""The Elman RNN encoder-decoder: its presets and what it costs.

Elman (1990), with tanh; encoder-decoder as in Cho et al. (2014), tied weights as in Press and Wolf (2017).
"""

from model.shapes import MAPPED_B, Costs, Work, _recurrent
from model.shapes._recurrent import Cell, Config, narrowed

__all__ = ["PRESETS", "Config", "costs", "narrowed", "scattered_bytes"]

#: With the vocabulary and, within half a per cent, the parameters of the LSTM's presets: of fewer gates, but wider.
PRESETS = {
    "nano": Config(vocabulary=4096, embedding=216, hidden=216, layers=1),  # 1,076,320 parameters
    "tiny": Config(vocabulary=8192, embedding=432, hidden=432, layers=2),  # 5,043,584
    "small": Config(vocabulary=16384, embedding=1032, hidden=1032, layers=2),  # 25,453,120
    "base": Config(vocabulary=32768, embedding=1968, hidden=1968, layers=3),  # 111,020,096
}


def costs(config: Config, work: Work) -> Costs:
    """Exact counts for one iteration of `work`; see `model.shapes._recurrent.costs`. A layer is 2*H*(I+H) a token."""
    return _recurrent.costs(CELL, config, work)


def kept_bytes(width: int, hidden: int, batch: int, steps: int, work: Work) -> int:
    """What a layer keeps for backward: its input, and every step's state with the first."""
    return batch * (steps * (width + hidden) + hidden) * work.activation_itemsize


def transient_bytes(config: Config, batch: int, steps: int, work: Work) -> int:
    """The most that lives while a stack runs forward, when nothing is kept for backward.

    For every token: the embedding, a layer's input (where that is another layer's output), its sums, its states one by
    one and in one piece; and the states in and out.
    """
    hidden = config.hidden
    token = config.embedding + (4 if config.layers > 1 else 3) * hidden
    return batch * (steps * token + config.layers * hidden) * work.activation_itemsize


def converted_bytes(config: Config, work: Work) -> int:
    """Bytes of the copies of W_hh that torch makes of one layer in prefill under autocast: one for each step.

    Seen with torch 2.13 on the CPU in inference mode, where autocast remembers none of its copies; without that mode
    there is one.
    """
    if work.phase != "prefill" or work.activation_itemsize >= work.weight_itemsize:
        return 0
    return work.sequence_length * config.hidden**2 * work.activation_itemsize


#: Tensors as large as the table of tokens that find no place of their own in a training step's heap, in fp32 and under
#: autocast, and what holes of the libraries' heap offer them, MiB. Fitted with torch 2.13 on the CPU to 24 points of
#: `nano` and `tiny` (batches of 4 to 32, 32 to 128 steps), whose peaks it explains within 5 %. Of `small`, whose table
#: has pages of its own, two processes of the same work differ by a third.
TABLES_FP32, TABLES_AUTOCAST, HOLES_MIB = 5.0, 2.4, 16


def scattered_bytes(config: Config, work: Work) -> int:
    """Bytes by which a training step's heap outgrows what other architectures need.

    torch runs the recurrence on the CPU step by step. Its small tensors come to lie where larger ones were freed, so
    that those which are as large as the table (its gradients, the optimizer's intermediates) do not fit there again.
    """
    table = config.vocabulary * config.embedding * work.weight_itemsize
    if work.phase != "train" or table >= MAPPED_B:
        return 0
    tables = TABLES_AUTOCAST if work.activation_itemsize < work.weight_itemsize else TABLES_FP32
    return max(round(tables * table) - HOLES_MIB * 2**20, 0)


CELL = Cell(
    gates=1,
    states=1,
    step=3,  # reads the input's part and h, writes h
    backward_step=4,  # reads h and its gradient; writes the gradients of the sum and of the h before
    kept=kept_bytes,
    keeps_output=False,
    transient=transient_bytes,
)
