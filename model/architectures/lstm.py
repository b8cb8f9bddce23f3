"""An LSTM encoder reads the source; an LSTM decoder starts from its state and predicts the continuation."""

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from model.architectures import LanguageModel
from model.shapes.lstm import Config
from model.structured import Cut, Group
from model.text import BOS

#: Half-width of the embedding's uniform start (Merity et al., 2018, AWD-LSTM): tied to the projection, torch's own
#: unit normal would start with logits in the tens.
INITIAL_RANGE = 0.1

LSTMState = tuple[Tensor, Tensor]  # h and c, (layers, B, H) each


class LSTM(LanguageModel):
    """The encoder-decoder of `model.shapes.lstm`; its decoder reads <bos>, then the target."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        between = config.dropout if config.layers > 1 else 0.0  # nn.LSTM drops between layers, and warns if it has one
        widths = (config.embedding, config.hidden, config.layers)
        self.embedding = nn.Embedding(config.vocabulary, config.embedding)
        self.encoder = nn.LSTM(*widths, batch_first=True, dropout=between)
        self.decoder = nn.LSTM(*widths, batch_first=True, dropout=between)
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
        output, _ = self.decoder(self.dropout(self.embedding(before)), self.prefill(source, lengths))  # (B, G, H)
        logits: Tensor = self.projection(self.dropout(output))  # (B, G, V)
        return logits

    def prefill(self, source: Tensor, lengths: Tensor | None = None) -> LSTMState:
        """The encoder's last h and c, (layers, B, H) each, at each source's true length."""
        embedded = self.dropout(self.embedding(source))  # (B, S, E)
        if lengths is not None:
            # packing wants the lengths on the CPU
            embedded = pack_padded_sequence(embedded, lengths.cpu(), batch_first=True, enforce_sorted=False)
        _, state = self.encoder(embedded)
        return state  # type: ignore[no-any-return]  # torch leaves nn.LSTM's call untyped

    def first(self, source: Tensor) -> Tensor:
        """<bos> (B,): the source is wholly in the state."""
        return source.new_full((len(source),), BOS)

    def step(self, tokens: Tensor, state: LSTMState) -> tuple[Tensor, LSTMState]:
        """One step of the decoder; see `LanguageModel`."""
        embedded = self.dropout(self.embedding(tokens)).unsqueeze(1)  # (B, 1, E)
        output, state = self.decoder(embedded, state)  # (B, 1, H)
        return self.projection(self.dropout(output.squeeze(1))), state  # (B, V)


def build(config: Config) -> LSTM:
    """A model of `config` with fresh weights, drawn from torch's generator."""
    return LSTM(config)


def units(config: Config) -> tuple[Group, ...]:
    """The hidden units of each layer (see `model.structured`): encoder and decoder hand over h and c, so both lose one.

    Where the projection is the embedding, the last layer's units are its columns, and with them the decoder's input:
    those go too, so that the tie stays.
    """
    hidden = config.hidden
    alone = torch.arange(hidden).unsqueeze(1)  # (H, 1)
    gates = torch.arange(4 * hidden).view(4, hidden).T  # (H, 4): torch stacks the four gates in one matrix
    groups = []
    for layer in range(config.layers):
        last = layer == config.layers - 1
        cuts = [Cut("embedding.weight" if config.tied else "projection.weight", 1, alone)] if last else []
        for stack in ("encoder", "decoder"):
            rows = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            cuts += [Cut(f"{stack}.{name}_l{layer}", 0, gates) for name in rows]
            cuts.append(Cut(f"{stack}.weight_hh_l{layer}", 1, alone))
            if not last:
                cuts.append(Cut(f"{stack}.weight_ih_l{layer + 1}", 1, alone))
            elif config.tied:
                cuts.append(Cut(f"{stack}.weight_ih_l0", 1, alone))
        groups.append(Group("hidden", tuple(cuts)))
    return tuple(groups)
