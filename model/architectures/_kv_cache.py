"""The KV cache: what attention has read, kept so that a step need not read it again. One class a storage format."""

from typing import Protocol

import torch
from torch import Tensor

#: Formats that keys and values are stored in as they are; `auto` is the format in which they come.
PLAIN = {"auto": None, "fp32": torch.float32, "bf16": torch.bfloat16}

#: int8 has -128 too, but symmetric codes leave it out, so that a number and its negative are rounded alike.
LARGEST_CODE = 127

#: What stands for the largest of a head's values where all are zero: any scale does, but 0/0 is no code.
FAINTEST = 1e-30


class KVCache(Protocol):
    """Keys and values of one layer."""

    def store(self, key: Tensor, value: Tensor, start: int) -> tuple[Tensor, Tensor]:
        """Put `key` and `value` (B, K, T, D) at positions `start` to `start` + T, K being the heads of keys.

        Returns all keys and values (B, K, start + T, D) up to there, in the format of `key`. What stood at those
        positions or after them is forgotten, so two continuations of one past cannot take turns.
        """
        ...


class Buffer:
    """Something of each key and of each value, side by side: `capacity` positions, which are set aside at first use.

    A sequence that outgrows them doubles them, which copies; so name the capacity where it is known. The format is
    `dtype`, or where that is None the one in which the first come.
    """

    def __init__(self, capacity: int, dtype: torch.dtype | None) -> None:
        self._capacity = capacity
        self._dtype = dtype
        self._rows: Tensor | None = None  # (2, B, K, capacity, W): of keys, then of values

    def put(self, of_keys: Tensor, of_values: Tensor, start: int) -> Tensor:
        """Put both (B, K, T, W) at positions from `start`; returns all (2, B, K, start + T, W) up to there."""
        end = start + of_keys.shape[2]
        if self._rows is None or end > self._rows.shape[3]:
            self._rows = self._grown(of_keys, start, end)
        self._rows[0, :, :, start:end] = of_keys
        self._rows[1, :, :, start:end] = of_values
        return self._rows[:, :, :, :end]

    def _grown(self, like: Tensor, start: int, end: int) -> Tensor:
        batch, heads, _, width = like.shape
        capacity = max(end, self._capacity if self._rows is None else 2 * self._rows.shape[3])
        grown = like.new_zeros((2, batch, heads, capacity, width), dtype=self._dtype or like.dtype)
        if self._rows is not None:
            grown[:, :, :, :start] = self._rows[:, :, :, :start]
        return grown


class PlainCache:
    """Keys and values as floating-point numbers."""

    def __init__(self, capacity: int, dtype: torch.dtype | None) -> None:
        self._numbers = Buffer(capacity, dtype)

    def store(self, key: Tensor, value: Tensor, start: int) -> tuple[Tensor, Tensor]:
        """See `KVCache`."""
        keys, values = self._numbers.put(key, value, start).to(key.dtype)  # (B, K, end, D) each
        return keys, values


class Int8Cache:
    """Keys and values as codes in int8, each head of each token with a scale of its own in fp32.

    The scale is the largest magnitude over 127 (symmetric absmax quantization, as Dettmers et al., 2022, LLM.int8(),
    have it for rows), so that no value is further off than half a scale: 1/254 of the largest beside it.
    """

    def __init__(self, capacity: int) -> None:
        self._codes = Buffer(capacity, torch.int8)
        self._scales = Buffer(capacity, torch.float32)

    def store(self, key: Tensor, value: Tensor, start: int) -> tuple[Tensor, Tensor]:
        """See `KVCache`."""
        (key_codes, key_scales), (value_codes, value_scales) = quantized(key), quantized(value)
        codes = self._codes.put(key_codes, value_codes, start)  # (2, B, K, end, D)
        scales = self._scales.put(key_scales, value_scales, start)  # (2, B, K, end, 1)
        keys, values = codes * scales.to(key.dtype)  # (B, K, end, D) each
        return keys, values


def quantized(x: Tensor) -> tuple[Tensor, Tensor]:
    """Codes (B, K, T, D) in int8 of `x`, and their scales (B, K, T, 1) in fp32; a NaN stays one, in its scale."""
    scales = x.abs().amax(-1, keepdim=True).float().clamp_min(FAINTEST) / LARGEST_CODE  # (B, K, T, 1)
    return (x / scales).round_().to(torch.int8), scales


def make(storage: str, capacity: int) -> KVCache:
    """An empty cache of the given format, one of `model.shapes._transformer.KV_CACHE_ITEMSIZES`."""
    return Int8Cache(capacity) if storage == "int8" else PlainCache(capacity, PLAIN[storage])
