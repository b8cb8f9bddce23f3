"""Autocast under a dispatch mode: torch switches it off while a mode handles a call, as for all that comes before it.

What a call is composed of is then run without the casts that it would have: an LSTM under autocast multiplies in fp32,
or fails on a state that is 16 bits wide already.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

_KEYS = {"cpu": "AutocastCPU", "cuda": "AutocastCUDA"}


@contextmanager
def kept(arguments: Iterable[object]) -> Iterator[None]:
    """Within the handler of a call with these arguments, autocast works as it does outside of the mode."""
    tensor = next((each for each in tree_leaves(list(arguments)) if isinstance(each, Tensor)), None)
    key = None if tensor is None else _KEYS.get(tensor.device.type)
    if key is None or not _entered():
        yield
        return
    with torch._C._SetExcludeDispatchKeyGuard(getattr(torch._C.DispatchKey, key), False):
        yield


def _entered() -> bool:
    """Whether this thread is in a context of autocast: `is_autocast_enabled` asks for what is switched off here.

    A context that switches it off within another one is not told apart.
    """
    nested = torch.autocast_increment_nesting() - 1
    torch.autocast_decrement_nesting()
    return nested > 0
