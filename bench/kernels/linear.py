"""A linear layer, quantized or factored as the suite does it to a model."""

import torch
from torch import nn

from bench.kernels import Kernel
from bench.kernels._pieces import stored, with_gradients
from bench.stopwatch import Step
from model import quantize

_STORED_B = {"int8-dynamic": 1.0, "int8-weight": 1.0, "fp8": 1.0, "int4-weight": 0.5}


def weights_B(kernel: Kernel) -> int:
    """Bytes of the matrix as it is stored, or of its two factors."""
    _, outputs, inputs = kernel.sizes
    values = kernel.rank * (outputs + inputs) if kernel.rank else outputs * inputs
    return round(values * _STORED_B.get(kernel.quantize, stored(kernel).itemsize))


def build(kernel: Kernel, device: torch.device) -> Step:
    """Its call on the same rows, and with `backward` the gradients of rows, matrix and bias."""
    rows, outputs, inputs = kernel.sizes
    layers = [nn.Linear(inputs, outputs)]
    if kernel.rank:
        layers = [nn.Linear(inputs, kernel.rank, bias=False), nn.Linear(kernel.rank, outputs)]
    made = nn.Sequential(*layers).to(device, stored(kernel))
    if kernel.quantize != "none":
        made = quantize.quantize(made.eval(), kernel.quantize)
    given = torch.randn(rows, inputs, device=device, dtype=stored(kernel))
    return with_gradients(lambda: made(given), (*made.parameters(), given), kernel)
