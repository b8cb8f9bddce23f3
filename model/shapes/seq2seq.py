"""The encoder-decoder Transformer: its presets and what it costs.

Vaswani et al. (2017), with the norms before the layers.
"""

from model.shapes import Costs, Work
from model.shapes._kv_cache import cached, converted, kv_cache_bytes
from model.shapes._operators import (
    Operator,
    cross_entropy,
    elementwise,
    inference,
    linear,
    table_gradient,
    training,
)
from model.shapes._transformer import (
    Config,
    attend,
    block_parameters,
    block_transient,
    embedded,
    embedding_parameters,
    feed_forward,
    linear_parameters,
    narrowed,
    norm,
    norm_parameters,
    projected,
    residual,
    self_attention,
)

__all__ = ["PRESETS", "Config", "costs", "narrowed"]

#: With the vocabulary and, within half a per cent, the parameters of the LSTM's presets.
PRESETS = {
    "nano": Config(vocabulary=4096, hidden=128, layers=1, heads=4, feed_forward=456),  # 1,072,000 parameters
    "tiny": Config(vocabulary=8192, hidden=256, layers=2, heads=4, feed_forward=440),  # 5,024,768
    "small": Config(vocabulary=16384, hidden=512, layers=3, heads=8, feed_forward=832),  # 25,502,208
    "base": Config(vocabulary=32768, hidden=768, layers=6, heads=12, feed_forward=1568),  # 111,009,792
}


def costs(config: Config, work: Work) -> Costs:
    """Exact counts for one iteration of `work`; operators as `model.shapes._operators` counts them.

    `train` is one optimizer step: the encoder over S tokens, the decoder over <bos> and all but the last of G.
    `prefill` is the encoder's pass and, for each layer of the decoder, the keys and values that it will look at.
    `decode` is the whole generation of G steps, each of which looks at S keys of the encoder and its own past.
    `state_B` is those keys and values and the decoder's own cache. `activations_B` is what lives beside them; see
    `model.shapes.transformer.costs`.
    """
    phases = {"train": _train, "prefill": _prefill, "decode": _decode}
    return phases[work.phase](config, work)


def _cross_parameters(config: Config) -> int:
    """Attention over the encoder: queries, keys and values, what mixes the heads, and the norm before it."""
    width, queries = config.hidden, config.query_width
    looking = linear_parameters(config, width, queries) + linear_parameters(config, queries, width)
    return looking + linear_parameters(config, width, 2 * config.key_value_width) + norm_parameters(config)


def _parameters(config: Config) -> int:
    blocks = config.layers * (2 * block_parameters(config) + _cross_parameters(config))
    return embedding_parameters(config) + blocks + 2 * norm_parameters(config)


def _encoder(config: Config, work: Work) -> Operator:
    """All blocks over the source, and the last norm."""
    batch, read = work.batch_size, work.sequence_length
    block = (
        self_attention(config, work, batch, read)
        + attend(config, work, batch, read, read)
        + feed_forward(config, work, batch * read)
    )
    return embedded(config, work, batch, read) + block * config.layers + norm(config, work, batch * read)


def _memory(config: Config, work: Work) -> Operator:
    """What each layer of the decoder makes of the encoder's states, which they all share."""
    read = work.batch_size * work.sequence_length
    each = linear(work, read, config.hidden, 2 * config.key_value_width, bias=config.bias, keeps_input=False)
    values = read * config.hidden
    # one copy of the states is kept; their gradients are added up
    shared = elementwise(work, 0, 0, backward=3 * values * (config.layers - 1), kept=values)
    return each * config.layers + shared


def _looking(config: Config, work: Work, tokens: int) -> Operator:
    """A decoder layer's norm, queries, heads mixed and residual sum: all but the cross attention itself."""
    width, queries = config.hidden, config.query_width
    return (
        norm(config, work, tokens)
        + linear(work, tokens, width, queries, bias=config.bias)
        + linear(work, tokens, queries, width, bias=config.bias)
        + residual(config, work, tokens)
    )


def _train(config: Config, work: Work) -> Costs:
    batch, read, graded = work.batch_size, work.sequence_length, work.generated_length
    block = (
        self_attention(config, work, batch, graded)
        + attend(config, work, batch, graded, graded)
        + _looking(config, work, batch * graded)
        + attend(config, work, batch, graded, read)
        + feed_forward(config, work, batch * graded)
    )
    step = (
        _encoder(config, work)
        + _memory(config, work)
        + embedded(config, work, batch, graded)
        + block * config.layers
        + projected(config, work, batch * graded)
        + cross_entropy(work, batch * graded, config.vocabulary)
        + table_gradient(work, config.vocabulary * config.hidden, lookups=2, tied=config.tied)
    )
    if config.positions == "learned":
        step += table_gradient(work, config.context * config.hidden, lookups=2, tied=False)
    return training(work, _parameters(config), batch * (read + graded), step)


def _prefill(config: Config, work: Work) -> Costs:
    tokens = work.batch_size * work.sequence_length
    memory = config.layers * linear_parameters(config, config.hidden, 2 * config.key_value_width)
    used = config.layers * block_parameters(config) + memory
    state = _memory_bytes(config, work)
    # keys and values are made when the blocks' transients are gone; then the stream and its norm live
    at_the_end = 2 * tokens * config.hidden * work.activation_itemsize
    blocks = block_transient(config, tokens) * work.activation_itemsize
    return inference(
        work,
        _parameters(config),
        used,
        tokens,
        _encoder(config, work) + _memory(config, work),
        transient_B=max(at_the_end, blocks - state),
        state_B=state,
    )


def _decode(config: Config, work: Work) -> Costs:
    batch, read, steps = work.batch_size, work.sequence_length, work.generated_length
    own = steps * (steps + 1) // 2  # the first step sees <bos> alone, each later one sees one more
    block = (
        (self_attention(config, work, batch, 1) + _looking(config, work, batch) + feed_forward(config, work, batch))
        * steps
        + cached(config, work, written=batch * steps, read=batch * own)
        + attend(config, work, batch, steps, own, pairs=own)
        + attend(config, work, batch, steps, steps * read, pairs=steps * read)
    )
    forward = block * config.layers + (embedded(config, work, batch, 1) + projected(config, work, batch)) * steps
    keys = linear_parameters(config, config.hidden, 2 * config.key_value_width)
    used = config.layers * (block_parameters(config) + _cross_parameters(config) - keys)
    copied = converted(config, work, batch * steps)
    # the layers' transients are gone when the logits are made
    transient = max(block_transient(config, batch, copied), batch * (config.vocabulary + 3 * config.hidden))
    return inference(
        work,
        _parameters(config),
        used + config.vocabulary * config.hidden,
        batch * steps,
        forward,
        transient_B=transient * work.activation_itemsize,
        state_B=_memory_bytes(config, work) + kv_cache_bytes(config, work, batch * steps),
    )


def _memory_bytes(config: Config, work: Work) -> int:
    """Keys and values of the source in every layer of the decoder, in the format of the activations."""
    values = 2 * config.layers * config.key_value_width * work.batch_size * work.sequence_length
    return values * work.activation_itemsize
