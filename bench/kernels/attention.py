"""Scaled dot-product attention over keys and values that are there."""

import torch
from torch.nn import functional as F

from bench.kernels import ITEMSIZES, Kernel
from bench.kernels._pieces import with_gradients
from bench.stopwatch import Step


def weights_B(kernel: Kernel) -> int:
    """Bytes of keys and values: of one call's sequence, they outlive it."""
    heads, _, keys, width = kernel.sizes
    return 2 * heads * keys * width * ITEMSIZES[kernel.precision]


def build(kernel: Kernel, device: torch.device) -> Step:
    """Its call, causal where there are as many queries as keys; with `backward` the gradients of all three."""
    heads, queries, keys, width = kernel.sizes
    dtype = torch.float32 if ITEMSIZES[kernel.precision] == 4 else torch.bfloat16
    query, key, value = (torch.randn(1, heads, n, width, device=device, dtype=dtype) for n in (queries, keys, keys))
    causal = queries == keys > 1
    return with_gradients(
        lambda: F.scaled_dot_product_attention(query, key, value, is_causal=causal), (query, key, value), kernel
    )
