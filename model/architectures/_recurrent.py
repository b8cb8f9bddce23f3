"""Recurrent encoder-decoders: the encoder's last state is where the decoder starts, whatever their cells are."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from model.architectures import LanguageModel
from model.architectures._padding import real
from model.shapes._recurrent import Config
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
