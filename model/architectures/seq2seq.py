"""An encoder Transformer reads the source in both directions; a decoder Transformer looks at it and predicts."""

from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor, nn

from model.architectures import LanguageModel, _kv_cache
from model.architectures._blocks import (
    Angles,
    Block,
    Embedding,
    FeedForward,
    SelfAttention,
    attend,
    block_units,
    head_members,
    initialize,
    make_norm,
    split_heads,
)
from model.architectures._kv_cache import KVCache
from model.architectures._padding import real
from model.shapes.seq2seq import Config
from model.structured import Group, made_by, read_by
from model.text import BOS

#: Keys and values (B, kv_heads, S, D) that a layer of the decoder made of the source.
KeysValues = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Past:
    """The source, as each layer of the decoder sees it and with its real places, and `length` tokens read since."""

    memory: tuple[KeysValues, ...]
    mask: Tensor | None
    caches: tuple[KVCache, ...]
    length: int


class Seq2Seq(LanguageModel):
    """The model of `model.shapes.seq2seq`; one embedding for both sides, and the decoder reads <bos>, then targets."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.embedding = Embedding(config)
        self.encoder = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.encoder_norm = make_norm(config)
        self.decoder = nn.ModuleList(DecoderBlock(config) for _ in range(config.layers))
        self.norm = make_norm(config)
        self.projection = nn.Linear(config.hidden, config.vocabulary, bias=False)
        initialize(self, config.layers)
        if config.tied:
            self.projection.weight = self.embedding.tokens.weight

    def forward(self, source: Tensor, target: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Logits (B, G, V); see `LanguageModel`."""
        before = torch.cat([self.first(source).unsqueeze(1), target[:, :-1]], dim=1)  # (B, G)
        return self._decode(before, replace(self.prefill(source, lengths), caches=()))

    def prefill(self, source: Tensor, lengths: Tensor | None = None, steps: int = 0) -> Past:
        """The encoder's pass, and what each layer of the decoder will look at."""
        mask = real(source, lengths)  # (B, 1, 1, S)
        x, angles = self.embedding(source, 0)  # (B, S, H)
        for block in self.encoder:
            x = block(x, angles, mask, causal=False)
        x = self.encoder_norm(x)
        memory = tuple(cast(DecoderBlock, block).cross.remember(x) for block in self.decoder)
        caches = tuple(_kv_cache.make(self.config.kv_cache, steps) for _ in self.decoder)
        return Past(memory, mask, caches, 0)

    def first(self, source: Tensor, lengths: Tensor | None = None) -> Tensor:
        """<bos> (B,): the encoder has read all of the source."""
        return source.new_full((len(source),), BOS)

    def step(self, tokens: Tensor, state: Past) -> tuple[Tensor, Past]:
        """One step of the decoder; see `LanguageModel`."""
        logits = self._decode(tokens.unsqueeze(1), state).squeeze(1)  # (B, V)
        return logits, replace(state, length=state.length + 1)

    def _decode(self, codes: Tensor, past: Past) -> Tensor:
        """Logits (B, T, V) of what follows each of `codes` (B, T), which go into the caches of `past`."""
        x, angles = self.embedding(codes, past.length)  # (B, T, H)
        caches = past.caches or [None] * len(self.decoder)
        for block, memory, cache in zip(self.decoder, past.memory, caches, strict=True):
            x = block(x, angles, memory, past.mask, cache, past.length)
        return self.projection(self.norm(x))  # type: ignore[no-any-return]  # torch leaves a module's call untyped


class CrossAttention(nn.Module):
    """Attention of the decoder over the encoder's states; it has no positions."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.head_dim = config.head_width
        self.query = nn.Linear(config.hidden, config.query_width, bias=config.bias)
        self.key_value = nn.Linear(config.hidden, 2 * config.key_value_width, bias=config.bias)
        self.out = nn.Linear(config.query_width, config.hidden, bias=config.bias)

    def remember(self, states: Tensor) -> KeysValues:
        """Keys and values (B, kv_heads, S, D) of the encoder's `states` (B, S, H)."""
        key, value = (split_heads(part, self.head_dim) for part in self.key_value(states).chunk(2, dim=-1))
        return key, value

    def forward(self, x: Tensor, memory: KeysValues, mask: Tensor | None) -> Tensor:
        """What each of `x` (B, T, H) finds in `memory`, where `mask` (B, 1, 1, S) is true."""
        mixed = attend(split_heads(self.query(x), self.head_dim), *memory, mask, causal=False)  # (B, T, Q)
        return self.out(mixed)  # type: ignore[no-any-return]  # torch leaves a module's call untyped


class DecoderBlock(nn.Module):
    """Attention to the past, attention to the source, feed-forward, each on the normalized stream and added to it."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.attention_norm = make_norm(config)
        self.attention = SelfAttention(config)
        self.cross_norm = make_norm(config)
        self.cross = CrossAttention(config)
        self.feed_forward_norm = make_norm(config)
        self.feed_forward = FeedForward(config)
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self,
        x: Tensor,
        angles: Angles | None,
        memory: KeysValues,
        memory_mask: Tensor | None,
        cache: KVCache | None,
        start: int,
    ) -> Tensor:
        """The stream `x` (B, T, H), which stands at position `start` after what `cache` holds, after this block."""
        x = x + self.dropout(self.attention(self.attention_norm(x), angles, None, True, cache, start))
        x = x + self.dropout(self.cross(self.cross_norm(x), memory, memory_mask))
        return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))  # type: ignore[no-any-return]


def build(config: Config) -> Seq2Seq:
    """A model of `config` with fresh weights, drawn from torch's generator."""
    return Seq2Seq(config)


def units(config: Config) -> tuple[Group, ...]:
    """The heads and the feed-forward units of each block of either side, and the heads of cross attention."""
    groups = []
    for i in range(config.layers):
        decoder = f"decoder.{i}"
        groups += block_units(config, f"encoder.{i}") + block_units(config, decoder)
        groups.append(cross_heads(config, f"{decoder}.cross"))
    return tuple(groups)


def cross_heads(config: Config, attention: str) -> Group:
    """The heads of the `CrossAttention` of that name: keys and values, with the queries that look at them."""
    queries, keys = head_members(config)
    made = made_by(f"{attention}.query", queries, bias=config.bias)
    made += made_by(f"{attention}.key_value", keys, bias=config.bias)
    return Group("key_value_heads", (*made, read_by(f"{attention}.out", queries)))
