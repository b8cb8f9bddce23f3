"""The KV cache: what attention has read, kept so that a step need not read it again. One class a storage format."""

from typing import Protocol

import torch
from torch import Tensor

#: Formats that keys and values are stored in as they are; `auto` is the format in which they come.
PLAIN = {"auto": None, "fp32": torch.float32, "bf16": torch.bfloat16}


class KVCache(Protocol):
    """Keys and values of one layer."""

    def store(self, key: Tensor, value: Tensor, start: int) -> tuple[Tensor, Tensor]:
        """Put `key` and `value` (B, K, T, D) at positions `start` to `start` + T, K being the heads of keys.

        Returns all keys and values (B, K, start + T, D) up to there, in the format of `key`. What stood at those
        positions or after them is forgotten, so two continuations of one past cannot take turns.
        """
        ...


class PlainCache:
    """Keys and values as floating-point numbers, in buffers of `capacity` positions that are set aside at first use.

    A sequence that outgrows them doubles them, which copies; so name the capacity where it is known.
    """

    def __init__(self, capacity: int, dtype: torch.dtype | None) -> None:
        self._capacity = capacity
        self._dtype = dtype
        self._buffer: Tensor | None = None  # (2, B, K, capacity, D): keys, then values

    def store(self, key: Tensor, value: Tensor, start: int) -> tuple[Tensor, Tensor]:
        """See `KVCache`."""
        end = start + key.shape[2]
        if self._buffer is None or end > self._buffer.shape[3]:
            self._buffer = self._grown(key, start, end)
        self._buffer[0, :, :, start:end] = key
        self._buffer[1, :, :, start:end] = value
        keys, values = self._buffer[:, :, :, :end].to(key.dtype)  # (B, K, end, D) each
        return keys, values

    def _grown(self, key: Tensor, start: int, end: int) -> Tensor:
        batch, heads, _, width = key.shape
        capacity = max(end, self._capacity if self._buffer is None else 2 * self._buffer.shape[3])
        grown = key.new_zeros((2, batch, heads, capacity, width), dtype=self._dtype or key.dtype)
        if self._buffer is not None:
            grown[:, :, :, :start] = self._buffer[:, :, :, :start]
        return grown


def make(storage: str, capacity: int) -> KVCache:
    """An empty cache of the given format, one of `model.shapes._transformer.KV_CACHE_ITEMSIZES`."""
    return PlainCache(capacity, PLAIN[storage])
