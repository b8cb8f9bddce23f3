"""A stack of convolutions over words, each followed by pooling."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from model.architectures._padding import without_padding
from model.shapes._convolution import POOL


class Convolutions(nn.Module):
    """Convolution over `kernel` neighbours, ReLU and max-pooling in pairs, as many times as there are `inputs`."""

    def __init__(self, inputs: Sequence[int], hidden: int, kernel: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Conv1d(width, hidden, kernel, padding=kernel // 2) for width in inputs)

    def forward(self, x: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """States (B, T, H) of `x` (B, S, E), T being S halved (rounded up) at each layer, and true lengths (B,).

        ReLU leaves nothing below zero, so zeros in the place of padding win no maximum and add nothing to a window.
        """
        x = without_padding(x, lengths).transpose(1, 2)  # (B, E, S)
        for layer in self.layers:
            x = F.relu(layer(x)).transpose(1, 2)  # (B, T, H)
            x = F.max_pool1d(without_padding(x, lengths).transpose(1, 2), POOL, ceil_mode=True)  # (B, H, T/2)
            lengths = None if lengths is None else (lengths + POOL - 1) // POOL
        return x.transpose(1, 2), lengths
