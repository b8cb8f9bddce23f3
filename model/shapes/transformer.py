"""The decoder-only Transformer: its presets and what it costs.

Radford et al. (2019) for GPT-2; Touvron et al. (2023) for Llama.
"""

from model.shapes import Costs, Work
from model.shapes._kv_cache import cached, converted, kv_cache_bytes
from model.shapes._operators import cross_entropy, inference, table_gradient, training
from model.shapes._transformer import (
    Config,
    attend,
    block_parameters,
    block_transient,
    embedded,
    embedding_parameters,
    feed_forward,
    narrowed,
    norm_parameters,
    projected,
    self_attention,
)

__all__ = ["PRESETS", "Config", "costs", "narrowed"]


def _gpt2(hidden: int, layers: int, heads: int) -> Config:
    return Config(
        vocabulary=50257,
        hidden=hidden,
        layers=layers,
        heads=heads,
        positions="learned",
        activation="gelu",
        norm="layer",
        bias=True,
    )


def _llama(hidden: int, layers: int, heads: int, feed_forward: int, kv_heads: int | None = None) -> Config:
    return Config(
        vocabulary=32000,
        hidden=hidden,
        layers=layers,
        heads=heads,
        kv_heads=kv_heads,
        feed_forward=feed_forward,
        tied=False,
    )


#: nano to base have the vocabulary and, within half a per cent, the parameters of the LSTM's presets.
PRESETS = {
    "nano": Config(vocabulary=4096, hidden=128, layers=3, heads=4, feed_forward=304),  # 1,072,000 parameters
    "tiny": Config(vocabulary=8192, hidden=256, layers=4, heads=4, feed_forward=608),  # 5,015,808
    "small": Config(vocabulary=16384, hidden=512, layers=6, heads=8, feed_forward=1168),  # 25,451,008
    "base": Config(vocabulary=32768, hidden=768, layers=12, heads=12, feed_forward=2080),  # 111,004,416
    "gpt2": _gpt2(768, 12, 12),  # 124,439,808: GPT-2 small
    "llama": _llama(768, 12, 12, 2048, kv_heads=4),  # 124,668,672: Llama's manner at GPT-2's size
    "medium": _gpt2(1024, 24, 16),  # 354,823,168: GPT-2 medium
    "1b": _llama(2048, 22, 32, 5632, kv_heads=4),  # 1,100,048,384: TinyLlama
    "7b": _llama(4096, 32, 32, 11008),  # 6,738,415,616: Llama 2 7B
    "13b": _llama(5120, 40, 40, 13824),  # 13,015,864,320: Llama 2 13B
    "70b": _llama(8192, 80, 64, 28672, kv_heads=8),  # 68,976,648,192: Llama 2 70B
}


def costs(config: Config, work: Work) -> Costs:
    """Exact counts for one iteration of `work`; operators as `model.shapes._operators` counts them.

    `train` is one optimizer step over S + G - 1 tokens, of which the last G are projected and graded: the last token
    is only predicted. `prefill` reads S - 1 tokens into the cache: the prompt's last is the first that decoding reads.
    `decode` is the whole generation of G steps, the first of which sees S keys. Attention counts the full rectangle,
    as torch's counter does, though a causal kernel skips about half of it.

    `activations_B` in training is what every operator keeps when backward begins, in inference the most that lives at
    one moment (tests/test_transformer.py holds both against torch 2.13 on the CPU). `state_B` is the cache with room
    for every token that is read: 2 * layers * kv_heads * head_dim values a token, and their scales in int8.
    """
    phases = {"train": _train, "prefill": _prefill, "decode": _decode}
    return phases[work.phase](config, work)


def _parameters(config: Config) -> int:
    blocks = config.layers * block_parameters(config)
    return embedding_parameters(config) + blocks + norm_parameters(config)


def _train(config: Config, work: Work) -> Costs:
    batch, graded = work.batch_size, work.batch_size * work.generated_length
    length = work.sequence_length + work.generated_length - 1
    block = (
        self_attention(config, work, batch, length)
        + attend(config, work, batch, length, length)
        + feed_forward(config, work, batch * length)
    )
    step = (
        embedded(config, work, batch, length)
        + block * config.layers
        + projected(config, work, graded)
        + cross_entropy(work, graded, config.vocabulary)
        + table_gradient(work, config.vocabulary * config.hidden, lookups=1, tied=config.tied)
    )
    if config.positions == "learned":
        step += table_gradient(work, config.context * config.hidden, lookups=1, tied=False)
    return training(work, _parameters(config), batch * length, step)


def _prefill(config: Config, work: Work) -> Costs:
    batch, length = work.batch_size, work.sequence_length - 1
    tokens = batch * length
    calls = 1 if length else 0  # nothing runs for a prompt of one token
    block = (
        self_attention(config, work, batch, length, calls)
        + cached(config, work, written=tokens, read=tokens)
        + attend(config, work, batch, length, length)
        + feed_forward(config, work, tokens, calls)
    )
    return inference(
        work,
        _parameters(config),
        config.layers * block_parameters(config) if length else 0,
        tokens,
        embedded(config, work, batch, length) + block * config.layers,
        transient_B=block_transient(config, tokens, converted(config, work, tokens)) * work.activation_itemsize,
        state_B=kv_cache_bytes(config, work, tokens),
    )


def _decode(config: Config, work: Work) -> Costs:
    batch, steps = work.batch_size, work.generated_length
    # the first step sees the prompt's S tokens, each later one sees one more
    seen = steps * work.sequence_length + steps * (steps - 1) // 2
    block = (
        self_attention(config, work, batch, 1) * steps
        + cached(config, work, written=batch * steps, read=batch * seen)
        + attend(config, work, batch, steps, seen, pairs=seen)
        + feed_forward(config, work, batch) * steps
    )
    forward = block * config.layers + (embedded(config, work, batch, 1) + projected(config, work, batch)) * steps
    room = batch * (work.sequence_length + steps - 1)
    copied = converted(config, work, room)
    # the layers' transients are gone when the logits are made
    transient = max(block_transient(config, batch, copied), batch * (config.vocabulary + 3 * config.hidden))
    return inference(
        work,
        _parameters(config),
        config.layers * block_parameters(config) + config.vocabulary * config.hidden,
        batch * steps,
        forward,
        transient_B=transient * work.activation_itemsize,
        state_B=kv_cache_bytes(config, work, room),
    )
