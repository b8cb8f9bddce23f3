"""What an engine holds of each device beside weights and caches: work space, libraries, and what it will not touch."""

from dataclasses import dataclass

from reports.projection.memory.device_memory import GIB
from reports.projection.models import Model

#: Inputs of a micro-batch that llama.cpp keeps ready when layers lie on several devices (`n_copies=4` in its logs).
LLAMA_COPIES = 4


@dataclass(frozen=True)
class Engine:
    """`set_aside_B` a device is for its context and libraries, `link_B` more for talking to other devices.

    `reserve` is the share of a device that the engine leaves alone; `chunk` tokens of prompts are read at once;
    `table_on_device`: the table of tokens lies there too. `doubts` are the shares of work space and of what is set
    aside by which real ones were seen to differ.
    """

    set_aside_B: float
    link_B: float
    reserve: float
    chunk: int
    table_on_device: bool
    doubts: tuple[float, float]


#: CUDA's context with PyTorch and cuBLAS takes 0.4 to 0.6 GiB (nvidia-smi against PyTorch's own count), NCCL's buffers
#: some 0.2 GiB; prompts in chunks of 2048 tokens are what vLLM and SGLang do on most cards.
PYTORCH = Engine(0.5 * GIB, 0.25 * GIB, 0.0, 2048, True, (0.4, 0.5))
#: vLLM takes `gpu_memory_utilization` of a device, 0.9 unless told otherwise (its documentation, engine arguments).
#: Its log for Llama 3 8B on 79.22 GiB: weights 14.96, activations 1.26 for chunks of 8192 tokens and 256 sequences
#: (github.com/vllm-project/vllm/pull/10511), and 0.16 to 0.2 beside the context (pull/12126, pull/14447).
VLLM = Engine(0.5 * GIB, 0.25 * GIB, 0.1, 2048, True, (0.4, 0.5))
#: llama.cpp's programs with CUDA hold 0.25 to 0.6 GiB beside their buffers; micro-batches of 512 tokens by default; its
#: logs put the table into a `CPU buffer`.
LLAMA_CPP = Engine(0.4 * GIB, 0.0, 0.0, 512, False, (0.2, 0.4))
#: Metal counts buffers alone: the same log of an 8 GB M1 has 4403.5 MiB of weights, all others as with CUDA.
LLAMA_CPP_METAL = Engine(0.05 * GIB, 0.0, 0.0, 512, False, (0.2, 0.4))


def named(engine: str | None, vendor: str) -> Engine:
    """The engine of that name on a device of `vendor`; one that runs PyTorch where it is None or not known."""
    name = (engine or "").casefold()
    if "llama.cpp" in name or name in ("ollama", "llamafile", "lm studio"):
        return LLAMA_CPP_METAL if vendor == "Apple" else LLAMA_CPP
    return VLLM if name.startswith("vllm") else PYTORCH


def feed_forward(model: Model) -> float:
    """Width of the feed-forward that a token passes, all its experts together, from the weights of a gated one.

    A layer's other weights are those of attention: queries and output, keys and values.
    """
    tables = model.table_parameters + model.vocabulary * model.hidden
    layer = (model.active_parameters - tables) / model.layers
    attention = model.hidden * (2 * model.attention_width + model.kv_values / model.layers)
    return max((layer - attention) / (3 * model.hidden), float(model.hidden))


def work_B(model: Model, *, batch: int, prompt: int, context: int, chunk: int, together: int, flash: bool) -> float:
    """Bytes of work space on each of `together` devices that split each layer, for a chunk of the prompts.

    `flash`: attention never writes its scores out, heads * chunk * context values of 4 B. Every other tensor of a layer
    is 2 B a value and gone with the layer: streams and norms, queries, and the three of the feed-forward at once.
    """
    tokens = max(batch, min(batch * prompt, chunk))
    scores = 0.0 if flash else 4.0 * (model.heads or 1) * tokens * context / together
    layer = 2 * tokens * (4 * model.hidden + 3 * feed_forward(model) / together) + scores
    logits = 2 * 4.0 * batch * model.vocabulary  # in 32 bits, and the probabilities made of them
    return layer + logits


def llama_work_B(model: Model, *, batch: int, context: int, chunk: int, devices: int, flash: bool) -> float:
    """Bytes of llama.cpp's `compute buffer` on each device: the largest of what lives at once, all in 32 bits.

    The logits of a micro-batch, or attention with its mask and four streams, or the feed-forward. It gives 258.5 MiB
    for Llama 3 8B with 512 tokens of context, as a log has it, and without `flash` 1200 MiB for the 70B with 8192 on
    six cards, where the log has 1216.
    """
    cells = batch * context
    heads = 0 if flash else (model.heads or 1)
    attention = cells * (heads + 1) + 4 * model.hidden
    widest = max(model.vocabulary + model.hidden, attention, 2 * model.hidden + 2 * feed_forward(model))
    copies = (LLAMA_COPIES - 1) * (cells + model.hidden) if devices > 1 else 0
    return 4.0 * chunk * (widest + copies)
