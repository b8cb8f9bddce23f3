"""An LSTM encoder reads the source; an LSTM decoder starts from its state and predicts the continuation."""

import torch
from torch import nn

from model.architectures._recurrent import Recurrent
from model.errors import Unsupported
from model.shapes.lstm import Config
from model.structured import Cut, Group


class LSTM(Recurrent):
    """The encoder-decoder of `model.shapes.lstm`."""

    def __init__(self, config: Config) -> None:
        super().__init__(config, nn.LSTM)


def build(config: Config) -> LSTM:
    """A model of `config` with fresh weights, drawn from torch's generator."""
    return LSTM(config)


def units(config: Config) -> tuple[Group, ...]:
    """The hidden units of each layer (see `model.structured`): encoder and decoder hand over h and c, so both lose one.

    Where the projection is the embedding, the last layer's units are its columns, and with them the decoder's input:
    those go too, so that the tie stays. Raises `Unsupported` with attention, whose matrices have other units.
    """
    if config.attention:
        raise Unsupported("The units of an LSTM with attention cannot be removed.")
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
