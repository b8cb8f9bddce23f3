"""What kernels are built of: the number format of weights and rows, and a call with its gradients."""

from collections.abc import Callable, Iterable
from typing import Any

import torch

from bench.kernels import Kernel
from bench.stopwatch import Step


def stored(kernel: Kernel) -> torch.dtype:
    """The format that weights, and rows outside of autocast, are kept in."""
    return torch.bfloat16 if kernel.precision == "bf16" else torch.float32


def with_gradients(call: Callable[[], Any], variables: Iterable[torch.Tensor], kernel: Kernel) -> Step:
    """The call alone; or, with `backward`, gradients after it, which the next call forgets as an optimizer would."""
    if not kernel.backward:
        return call
    wanted = [each.requires_grad_() for each in variables]

    def step() -> None:
        for each in wanted:
            each.grad = None
        for _ in range(kernel.forwards - 1):  # what was forgotten is computed again
            with torch.no_grad():
                call()
        result = call()
        first = result[0] if isinstance(result, tuple) else result
        torch.autograd.backward([first], [torch.ones_like(first)])

    return step
