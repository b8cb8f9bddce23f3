"""Reads two tensors and writes a third, in order: what sums, activations and an optimizer's update are made of."""

import torch

from bench.kernels import Kernel
from bench.stopwatch import Step


def weights_B(kernel: Kernel) -> int:
    """Bytes of all three."""
    return round(3 * kernel.bytes)


def build(kernel: Kernel, device: torch.device) -> Step:
    """A sum into a tensor that is there."""
    rows, columns = kernel.sizes
    dtype = torch.bfloat16 if kernel.itemsize == 2 else torch.float32
    left, right, into = (torch.ones(rows, columns, device=device, dtype=dtype) for _ in range(3))
    return lambda: torch.add(left, right, out=into)
