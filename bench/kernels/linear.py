"""A linear layer, quantized or factored as the suite does it to a model."""

import torch
from torch import nn

from bench.kernels import ITEMSIZES, Kernel
from bench.stopwatch import Step
from model import quantize

_STORED_B = {"int8-dynamic": 1.0, "int8-weight": 1.0, "fp8": 1.0, "int4-weight": 0.5}


def weights_B(kernel: Kernel) -> int:
    """Bytes of the matrix as it is stored, or of its two factors."""
    _, outputs, inputs = kernel.sizes
    values = kernel.rank * (outputs + inputs) if kernel.rank else outputs * inputs
    plain = ITEMSIZES["bf16" if kernel.precision == "bf16" else "fp32"]
    return round(values * _STORED_B.get(kernel.quantize, plain))


def build(kernel: Kernel, device: torch.device) -> Step:
    """Its call on the same rows, and with `backward` the gradients of rows, matrix and bias."""
    rows, outputs, inputs = kernel.sizes
    layers = [nn.Linear(inputs, outputs)]
    if kernel.rank:
        layers = [nn.Linear(inputs, kernel.rank, bias=False), nn.Linear(kernel.rank, outputs)]
    dtype = torch.bfloat16 if kernel.precision == "bf16" else torch.float32
    made = nn.Sequential(*layers).to(device, dtype)
    if kernel.quantize != "none":
        made = quantize.quantize(made.eval(), kernel.quantize)
    given = torch.randn(rows, inputs, device=device, dtype=dtype)
    return with_gradients(made, given, kernel)


def with_gradients(made: nn.Module, given: torch.Tensor, kernel: Kernel) -> Step:
    """The call alone; or, with `backward`, gradients after it, which the next call forgets as an optimizer would."""
    if not kernel.backward:
        return lambda: made(given)
    given.requires_grad_()
    parameters = [*made.parameters(), given]

    def step() -> None:
        for parameter in parameters:
            parameter.grad = None
        for _ in range(kernel.forwards - 1):  # what was forgotten is computed again
            with torch.no_grad():
                made(given)
        result = made(given)
        first = result[0] if isinstance(result, tuple) else result
        torch.autograd.backward([first], [torch.ones_like(first)])

    return step
