"""Operators are counted in the formats in which they run: a dispatch mode must not switch autocast off."""

import torch
from torch import nn

from bench import conditions, operator_counts


def generation():
    """Some steps of an LSTM from the state that the one before left, as decoding calls it."""
    torch.manual_seed(0)
    lstm, given = nn.LSTM(8, 8, batch_first=True), torch.randn(2, 1, 8)

    def step():
        with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
            state = None
            for _ in range(3):
                _, state = lstm(given, state)

    return step


def formats(step):
    calls = operator_counts.count(step).calls
    return {count.dtype for (name, _), counts in calls.items() if "mkldnn_rnn_layer" in name for count in counts}


def test_under_autocast_a_recurrent_layer_counts_as_what_it_runs_in():
    assert formats(generation()) == {"bf16"}


def test_without_it_nothing_is_cast():
    lstm, given = nn.LSTM(8, 8, batch_first=True), torch.randn(2, 1, 8)
    with torch.inference_mode():
        assert formats(lambda: lstm(given)) == {"fp32"}


def test_dispatches_are_counted_under_autocast_from_a_narrow_state():
    lstm, given = nn.LSTM(8, 8, batch_first=True), torch.randn(2, 1, 8)
    state = tuple(torch.zeros(1, 2, 8, dtype=torch.bfloat16) for _ in range(2))

    def step():
        with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
            lstm(given, state)

    assert conditions.dispatches(step) > 0
