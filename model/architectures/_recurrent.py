"""Recurrent encoder-decoders: the encoder's last state is where the decoder starts, whatever their cells are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from model.architectures import LanguageModel
from model.architectures._padding import real
from model.shapes._recurrent import Config
from model.structured import Cut, Group, made_by, read_by
from model.text import BOS

#: Half-width of the embedding's uniform start (Merity et al., 2018, AWD-LSTM): tied to the projection, torch's own
#: unit normal would start with logits in the tens.
INITIAL_RANGE = 0.1

#: h (layers, B, H), or h and c of an LSTM.
CellState = Any


@dataclass(frozen=True)
class Memory:
    """What attention looks at: the encoder's states (B, 1, S, H), their keys, and which are real (B, 1, 1, S)."""

    keys: Tensor
    values: Tensor
    mask: Tensor | None


@dataclass(frozen=True)
class Recurrence:
    """What decoding carries on: the decoder's state, and the memory of a model with attention."""

    cell: CellState
    memory: Memory | None


class Recurrent(LanguageModel):
    """The encoder-decoder of `model.shapes._recurrent` with layers of `cell`; the decoder reads <bos>, then targets."""

    def __init__(self, config: Config, cell: type[nn.RNNBase]) -> None:
        super().__init__()
        self.embedding = nn.Embedding(config.vocabulary, config.embedding)
        self.encoder = layers(cell, config)
        self.decoder = layers(cell, config)
        self.attention = LuongAttention(config.hidden) if config.attention else None
        self.dropout = nn.Dropout(config.dropout)
        self.projection = nn.Linear(config.hidden, config.vocabulary)
        nn.init.uniform_(self.embedding.weight, -INITIAL_RANGE, INITIAL_RANGE)
        nn.init.zeros_(self.projection.bias)
        if config.tied:
            self.projection.weight = self.embedding.weight

    def forward(self, source: Tensor, target: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Logits (B, G, V); see `LanguageModel`."""
        first = self.first(source).unsqueeze(1)  # (B, 1)
        before = torch.cat([first, target[:, :-1]], dim=1)  # (B, G): what precedes each target
        return self._decode(before, self.prefill(source, lengths))[0]

    def prefill(self, source: Tensor, lengths: Tensor | None = None, steps: int = 0) -> Recurrence:
        """The encoder's last state, at each source's true length, and all its states where attention looks at them."""
        embedded = self.dropout(self.embedding(source))  # (B, S, E)
        output, cell = encode(self.encoder, embedded, lengths)
        return Recurrence(cell, None if self.attention is None else self.attention.remember(output, lengths))

    def first(self, source: Tensor, lengths: Tensor | None = None) -> Tensor:
        """<bos> (B,): the source is wholly in the state."""
        return source.new_full((len(source),), BOS)

    def step(self, tokens: Tensor, state: Recurrence) -> tuple[Tensor, Recurrence]:
        """One step of the decoder; see `LanguageModel`."""
        logits, state = self._decode(tokens.unsqueeze(1), state)
        return logits.squeeze(1), state  # (B, V)

    def _decode(self, codes: Tensor, state: Recurrence) -> tuple[Tensor, Recurrence]:
        """Logits (B, T, V) of what follows each of `codes` (B, T), and the state after the last."""
        output, cell = self.decoder(self.dropout(self.embedding(codes)), state.cell)  # (B, T, H)
        if self.attention is not None and state.memory is not None:
            output = self.attention(output, state.memory)  # (B, T, H)
        return self.projection(self.dropout(output)), Recurrence(cell, state.memory)


class LuongAttention(nn.Module):
    """The general score s_t W h_s and tanh(W [context; s_t]) of Luong et al. (2015), without input feeding."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.key = nn.Linear(hidden, hidden, bias=False)
        self.mix = nn.Linear(2 * hidden, hidden, bias=False)

    def remember(self, states: Tensor, lengths: Tensor | None) -> Memory:
        """The encoder's `states` (B, S, H) and, made once for all steps, their keys."""
        return Memory(self.key(states).unsqueeze(1), states.unsqueeze(1), real(states, lengths))

    def forward(self, states: Tensor, memory: Memory) -> Tensor:
        """The decoder's `states` (B, T, H), each mixed with what it found in `memory`."""
        context = F.scaled_dot_product_attention(
            states.unsqueeze(1), memory.keys, memory.values, attn_mask=memory.mask, scale=1.0
        ).squeeze(1)  # (B, T, H)
        return torch.tanh(self.mix(torch.cat([context, states], dim=-1)))


def layers(cell: type[nn.RNNBase], config: Config) -> nn.RNNBase:
    """A stack of such layers, with dropout between them."""
    between = config.dropout if config.layers > 1 else 0.0  # torch drops between layers, and warns if there is but one
    made: Any = cell  # torch types RNNBase as if its mode came first
    return made(config.embedding, config.hidden, config.layers, batch_first=True, dropout=between)  # type: ignore[no-any-return]


def encode(encoder: nn.RNNBase, embedded: Tensor, lengths: Tensor | None) -> tuple[Tensor, CellState]:
    """Outputs (B, S, H) of `encoder` over `embedded` (B, S, E), and its state at each source's true length."""
    if lengths is None:
        return encoder(embedded)  # type: ignore[no-any-return]  # torch leaves the call untyped
    # packing wants the lengths on the CPU
    packed = pack_padded_sequence(embedded, lengths.cpu(), batch_first=True, enforce_sorted=False)
    output, state = encoder(packed)
    return pad_packed_sequence(output, batch_first=True, total_length=embedded.shape[1])[0], state


def units(config: Config, gates: int) -> tuple[Group, ...]:
    """The hidden units of each layer (see `model.structured`): encoder and decoder hand over states, so both lose one.

    Attention matches and mixes the last layer's; what it puts out are units of their own.
    """
    hidden = config.hidden
    alone = torch.arange(hidden).unsqueeze(1)  # (H, 1)
    by_layer = [
        layer_cuts("encoder", layer, config, gates) + layer_cuts("decoder", layer, config, gates)
        for layer in range(config.layers)
    ]
    projected = projection_cuts(config, ("encoder.weight_ih_l0", "decoder.weight_ih_l0"))
    if config.attention:
        context_and_state = torch.arange(2 * hidden).view(2, hidden).T  # (H, 2)
        by_layer[-1] += made_by("attention.key", alone, bias=False)
        by_layer[-1] += [read_by("attention.key", alone), read_by("attention.mix", context_and_state)]
        by_layer.append(made_by("attention.mix", alone, bias=False) + projected)
    else:
        by_layer[-1] += projected
    return tuple(Group("hidden", tuple(cuts)) for cuts in by_layer)


def layer_cuts(stack: str, layer: int, config: Config, gates: int) -> list[Cut]:
    """Where the units of a layer lie within `stack`: in its own matrices, and in the next layer's columns."""
    alone = torch.arange(config.hidden).unsqueeze(1)  # (H, 1)
    stacked = torch.arange(gates * config.hidden).view(gates, config.hidden).T  # (H, gates): torch has them in a matrix
    rows = [Cut(f"{stack}.{name}_l{layer}", 0, stacked) for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
    readers = [f"{stack}.weight_hh_l{layer}"]
    if layer + 1 < config.layers:
        readers.append(f"{stack}.weight_ih_l{layer + 1}")
    return rows + [Cut(reader, 1, alone) for reader in readers]


def projection_cuts(config: Config, readers: Sequence[str]) -> list[Cut]:
    """Where the units that the projection reads lie: in its columns.

    Where it is the embedding, `readers` are all that read an embedded token: their columns go too, so the tie stays.
    """
    alone = torch.arange(config.hidden).unsqueeze(1)  # (H, 1)
    if not config.tied:
        return [read_by("projection", alone)]
    # the embedding's columns are the projection's
    return [read_by("embedding", alone), *(Cut(reader, 1, alone) for reader in readers)]
