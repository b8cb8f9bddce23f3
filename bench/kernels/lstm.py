"""Layers of an LSTM over some steps: torch's own, or torch.ao's in int8."""

import torch
from torch import nn

from bench.kernels import Kernel
from bench.kernels._pieces import stored, with_gradients
from bench.stopwatch import Step
from model import quantize


def weights_B(kernel: Kernel) -> int:
    """Bytes of the matrices of all layers."""
    _, _, inputs, hidden, layers = kernel.sizes
    values = 4 * hidden * (inputs + hidden) + (layers - 1) * 8 * hidden * hidden
    return values * (1 if kernel.quantize == "int8-dynamic" else stored(kernel).itemsize)


def build(kernel: Kernel, device: torch.device) -> Step:
    """Its call on one batch, from a state where it takes a single step; with `backward` the gradients of all."""
    batch, steps, inputs, hidden, layers = kernel.sizes
    dtype = stored(kernel)
    made: nn.Module = nn.LSTM(inputs, hidden, layers, batch_first=True).to(device, dtype)
    if kernel.quantize == "int8-dynamic":
        made = quantize.int8_dynamic(nn.Sequential(made))[0]
    given = torch.randn(batch, steps, inputs, device=device, dtype=dtype)
    if steps == 1 and not kernel.backward:
        state = tuple(torch.zeros(layers, batch, hidden, device=device, dtype=dtype) for _ in range(2))
        return lambda: made(given, state)
    return with_gradients(lambda: made(given), (*made.parameters(), given), kernel)
