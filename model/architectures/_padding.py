"""Sources of unequal length in one batch: where the padding is, so that nothing looks at it."""

import torch
from torch import Tensor


def aligned(source: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """`source` (B, S) with its padding moved to the front, so that the target follows, and how much (B, 1) that is."""
    if lengths is None:
        return source, None
    padding = source.shape[1] - lengths.to(source.device).unsqueeze(1)  # (B, 1)
    moved = (torch.arange(source.shape[1], device=source.device) - padding) % source.shape[1]  # (B, S)
    return source.gather(1, moved), padding


def visible(padding: Tensor, start: int, end: int) -> Tensor:
    """Which keys 0..end each query start..end may look at: (B, 1, T, L), true where it may."""
    queries = torch.arange(start, end, device=padding.device).unsqueeze(1)  # (T, 1)
    keys = torch.arange(end, device=padding.device)  # (L,)
    real = keys >= padding.unsqueeze(1)  # (B, 1, L)
    # padding looks at itself: a query without any key would be NaN
    return ((keys <= queries) & (real | (keys == queries))).unsqueeze(1)


def real(source: Tensor, lengths: Tensor | None) -> Tensor | None:
    """Which places of `source` (B, S, ...) are no padding: (B, 1, 1, S), or None where all are real."""
    if lengths is None:
        return None
    positions = torch.arange(source.shape[1], device=source.device)  # (S,)
    return (positions < lengths.to(source.device).unsqueeze(1))[:, None, None]


def without_padding(x: Tensor, lengths: Tensor | None) -> Tensor:
    """`x` (B, T, H) with zeros where nothing is real."""
    mask = real(x, lengths)  # (B, 1, 1, T)
    return x if mask is None else x * mask[:, 0, 0, :, None]


def mean(states: Tensor, lengths: Tensor | None) -> Tensor:
    """Mean (B, H) of each sequence's real `states` (B, T, H)."""
    if lengths is None:
        return states.mean(dim=1)
    total = without_padding(states, lengths).sum(dim=1)  # (B, H)
    return total / lengths.to(states.device).unsqueeze(1)
