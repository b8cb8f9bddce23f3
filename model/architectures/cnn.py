"""Convolutions read the source; an LSTM decoder starts from what is left of it and predicts the continuation."""

import torch
from torch import Tensor, nn

from model.architectures import LanguageModel
from model.architectures._convolution import Convolutions
from model.architectures._padding import mean
from model.architectures._recurrent import INITIAL_RANGE, layer_cuts, layers, projection_cuts
from model.shapes.cnn import Config
from model.shapes.lstm import CELL
from model.structured import Group, made_by, read_by
from model.text import BOS

LSTMState = tuple[Tensor, Tensor]  # h and c, (layers, B, H) each


class CNN(LanguageModel):
    """The model of `model.shapes.cnn`; its decoder reads <bos>, then the target."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.layers = config.layers
        self.embedding = nn.Embedding(config.vocabulary, config.embedding)
        self.encoder = Convolutions(config.decoder.inputs, config.hidden, config.kernel)
        self.bridge = nn.Linear(config.hidden, 2 * config.layers * config.hidden)
        self.decoder = layers(nn.LSTM, config.decoder)
        self.dropout = nn.Dropout(config.dropout)
        self.projection = nn.Linear(config.hidden, config.vocabulary)
        nn.init.uniform_(self.embedding.weight, -INITIAL_RANGE, INITIAL_RANGE)
        nn.init.zeros_(self.projection.bias)
        if config.decoder.tied:
            self.projection.weight = self.embedding.weight

    def forward(self, source: Tensor, target: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Logits (B, G, V); see `LanguageModel`."""
        before = torch.cat([self.first(source).unsqueeze(1), target[:, :-1]], dim=1)  # (B, G)
        return self._decode(before, self.prefill(source, lengths))[0]

    def prefill(self, source: Tensor, lengths: Tensor | None = None, steps: int = 0) -> LSTMState:
        """h and c of the decoder, from the mean of what the convolutions left."""
        embedded = self.dropout(self.embedding(source))  # (B, S, E)
        pooled = mean(*self.encoder(embedded, lengths))  # (B, H)
        hidden, cell = self.bridge(pooled).view(len(source), 2, self.layers, -1).permute(1, 2, 0, 3)
        return hidden.contiguous(), cell.contiguous()  # (layers, B, H) each

    def first(self, source: Tensor, lengths: Tensor | None = None) -> Tensor:
        """<bos> (B,): the source is wholly in the state."""
        return source.new_full((len(source),), BOS)

    def step(self, tokens: Tensor, state: LSTMState) -> tuple[Tensor, LSTMState]:
        """One step of the decoder; see `LanguageModel`."""
        logits, state = self._decode(tokens.unsqueeze(1), state)
        return logits.squeeze(1), state  # (B, V)

    def _decode(self, codes: Tensor, state: LSTMState) -> tuple[Tensor, LSTMState]:
        """Logits (B, T, V) of what follows each of `codes` (B, T), and the state after the last."""
        output, state = self.decoder(self.dropout(self.embedding(codes)), state)  # (B, T, H)
        return self.projection(self.dropout(output)), state


def build(config: Config) -> CNN:
    """A model of `config` with fresh weights, drawn from torch's generator."""
    return CNN(config)


def units(config: Config) -> tuple[Group, ...]:
    """The channels of each convolution and the units of each layer of the decoder (see `model.structured`).

    The bridge reads the last convolution's channels, and makes h and c of each of the decoder's units.
    """
    hidden, depth, decoder = config.hidden, config.layers, config.decoder
    alone = torch.arange(hidden).unsqueeze(1)  # (H, 1)
    states = torch.arange(2 * depth * hidden).view(2, depth, hidden).permute(1, 2, 0)  # (layers, H, 2): of h and of c
    encoder = [f"encoder.layers.{layer}" for layer in range(depth)]
    convolutions = [
        [*made_by(layer, alone), read_by(reader, alone)]
        for layer, reader in zip(encoder, [*encoder[1:], "bridge"], strict=True)
    ]
    recurrent = [
        made_by("bridge", states[layer]) + layer_cuts("decoder", layer, decoder, CELL.gates) for layer in range(depth)
    ]
    recurrent[-1] += projection_cuts(decoder, (f"{encoder[0]}.weight", "decoder.weight_ih_l0"))
    return tuple(Group("hidden", tuple(cuts)) for cuts in convolutions + recurrent)
