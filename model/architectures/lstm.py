"""An LSTM encoder reads the source; an LSTM decoder starts from its state and predicts the continuation."""

from torch import nn

from model.architectures._recurrent import Recurrent
from model.shapes.lstm import Config


class LSTM(Recurrent):
    """The encoder-decoder of `model.shapes.lstm`."""

    def __init__(self, config: Config) -> None:
        super().__init__(config, nn.LSTM)


def build(config: Config) -> LSTM:
    """A model of `config` with fresh weights, drawn from torch's generator."""
    return LSTM(config)
