"""What a Transformer's KV cache holds, and what it moves."""

from model.shapes import Work
from model.shapes._operators import Operator
from model.shapes._transformer import KV_CACHE_ITEMSIZES, Config

#: Bytes of the scale that each key and each value of a head has beside it, in the formats that have one: fp32.
KV_CACHE_SCALES = {"int8": 4}


def kv_itemsize(config: Config, work: Work) -> int:
    """Bytes of one cached key or value."""
    return KV_CACHE_ITEMSIZES[config.kv_cache] or work.activation_itemsize


def kv_token_bytes(config: Config, work: Work) -> int:
    """Keys and values of one token in the cache of one layer, with their scales."""
    head = config.head_width * kv_itemsize(config, work) + KV_CACHE_SCALES.get(config.kv_cache, 0)
    return 2 * config.key_value_heads * head


def kv_cache_bytes(config: Config, work: Work, tokens: int) -> int:
    """Keys and values of `tokens` (over the batch) in every layer."""
    return config.layers * tokens * kv_token_bytes(config, work)


def converted(config: Config, work: Work, tokens: int) -> int:
    """How many values of `tokens` in one layer are copied out of the cache, for it has not the activations' format."""
    return 2 * config.key_value_width * tokens if kv_itemsize(config, work) != work.activation_itemsize else 0


def cached(config: Config, work: Work, written: int, read: int) -> Operator:
    """Keys and values of `written` tokens put into the cache, and of `read` ones taken out of another format.

    A cache in the format of the activations is read in place, by the attention itself. Rounding to int8, or back, is
    one operator, as a fused kernel has it.
    """
    stored, activation = kv_token_bytes(config, work), work.activation_itemsize
    moved = written * (2 * config.key_value_width * activation + stored)
    copies = converted(config, work, read)
    return Operator(moved=moved + (copies * activation + read * stored if copies else 0))
