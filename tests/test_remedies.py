"""Remedies: what each changes, on what it gives up and why, and what it does to the pieces of an iteration."""

from dataclasses import replace

import pytest

from bench import points, remedies
from bench.axes import BY_NAME
from bench.kernels import Kernel
from bench.remedies import Change, Refused, Situation
from bench.remedies.pruning import widths
from model.shapes import lstm, transformer

LINEAR = Kernel("linear", (16, 4096, 160))
LSTM = Kernel("lstm", (4, 64, 160, 160, 1))
WEIGHTS = Kernel("elementwise", (4096, 160), over="weights")
TOKENS = Kernel("elementwise", (64, 160))


def situation(cores=2, threads=2, trains=False, device="cpu", linears=((4096, 160),), **axes):
    values = points.point({"workload": "train" if trains else "decode"} | axes).axes
    return Situation(values, device, threads, cores, trains, linears=frozenset(linears))


def changes(name, *args, **axes):
    return [each for each in remedies.changes(name, situation(*args, **axes)) if isinstance(each, Change)]


def refused(name, *args, **axes):
    return [each for each in remedies.changes(name, situation(*args, **axes)) if isinstance(each, Refused)]


@pytest.mark.parametrize("trains", [False, True])
@pytest.mark.parametrize("name", remedies.names())
def test_a_remedy_offers_changes_of_axes_or_tells_in_a_sentence_why_not(name, trains):
    found = remedies.changes(name, situation(trains=trains, batch_size=4))
    assert found
    for each in found:
        assert each.axes
        points.point(each.axes)  # every value is one that its axis allows
        if isinstance(each, Refused):
            assert len(each.reason) > 10
        else:
            assert all(isinstance(each.kernel(kernel), Kernel) for kernel in (LINEAR, LSTM, WEIGHTS, TOKENS))
            assert each.host.low <= each.host.likely <= each.host.high
            assert each.rest.low <= each.rest.likely <= each.rest.high


def test_every_change_differs_from_the_point():
    axes = situation(batch_size=4).axes
    for each in remedies.plan(situation(batch_size=4)).changes:
        assert any(axes[name] != value for name, value in each.axes.items())


def test_a_batch_multiplies_what_is_over_tokens_and_leaves_weights():
    (found,) = changes("batch", batch_size=2)
    assert found.axes == {"batch_size": 8}
    assert found.work == 4
    assert found.kernel(LINEAR).sizes == (64, 4096, 160)
    assert found.kernel(LSTM).sizes == (16, 64, 160, 160, 1)
    assert found.kernel(WEIGHTS) == WEIGHTS


def test_a_batch_that_does_not_fit_is_halved_and_then_refused(monkeypatch):
    from bench import host, planning

    twice = planning.memory_B(points.point({"workload": "decode", "batch_size": 2048}))
    monkeypatch.setattr(host, "usable_memory_B", lambda: twice)
    (found,) = changes("batch", batch_size=1024)
    assert found.axes == {"batch_size": 2048}
    monkeypatch.setattr(host, "usable_memory_B", lambda: 2**20)
    assert "GiB" in refused("batch", batch_size=1024)[0].reason


def test_the_largest_batch_of_the_axis_has_no_larger_one():
    assert changes("batch", batch_size=1 << 16) == []
    assert refused("batch", batch_size=1 << 16)[0].reason


def test_autocast_leaves_the_update_in_fp32_and_bf16_weights_do_not():
    by_word = {each.axes["precision"]: each for each in changes("precision", trains=True)}
    assert by_word["amp-bf16"].kernel(WEIGHTS) == WEIGHTS
    assert by_word["bf16"].kernel(WEIGHTS).bytes == WEIGHTS.bytes / 2
    assert by_word["amp-bf16"].kernel(LINEAR).precision == "amp-bf16"


def test_fp16_is_refused_on_a_processor_alone():
    assert [each.axes["precision"] for each in refused("precision")] == ["amp-fp16"]
    assert refused("precision", device="cuda:0") == []


def test_only_dynamic_int8_reaches_recurrent_layers():
    by_word = {each.axes["quantize"]: each for each in changes("quantization")}
    assert by_word["int8-dynamic"].kernel(LSTM).quantize == "int8-dynamic"
    assert by_word["int8-weight"].kernel(LSTM) == LSTM
    assert by_word["int8-weight"].kernel(LINEAR).quantize == "int8-weight"
    assert by_word["int8-dynamic"].kernel(TOKENS) == TOKENS


@pytest.mark.parametrize(
    ("name", "axes"),
    [
        ("quantization", {"quantize": "int8-dynamic"}),
        ("pruning", {"prune": 0.5, "prune_scheme": "structured"}),
        ("factorization", {"factorize": "rank:8"}),
        ("compilation", {"compile": "compiled"}),
    ],
)
def test_what_was_done_already_is_not_advised(name, axes):
    assert changes(name, **axes) == []
    assert "already" in refused(name, **axes)[0].reason


def test_pruning_halves_hidden_widths_and_leaves_the_vocabulary():
    (found,) = changes("pruning")
    assert found.kernel(LINEAR).sizes == (16, 4096, 80)
    assert found.kernel(LSTM).sizes == (4, 64, 80, 80, 1)
    assert found.kernel(WEIGHTS).sizes == (4096, 80)
    assert found.kernel(TOKENS).sizes == (64, 80)


def test_widths_of_stacked_matrices_shrink_with_the_units_that_they_are_made_of():
    config = lstm.PRESETS["nano"]
    assert widths(config, lstm.narrowed(config, 0.5))[640] == 320
    wide = transformer.Config(vocabulary=50, hidden=16, layers=1, heads=4, kv_heads=2, head_dim=4)
    narrow = transformer.narrowed(wide, 0.5)
    assert widths(wide, narrow)[(4 + 2 * 2) * 4] == (narrow.heads + 2 * narrow.kv_heads) * narrow.head_dim


def test_a_width_that_something_unpruned_has_too_is_left_alone():
    config = replace(lstm.PRESETS["nano"], vocabulary=640)
    assert 640 not in widths(config, lstm.narrowed(config, 0.5))


def test_factors_take_the_place_of_matrices_where_they_are_smaller():
    (found,) = changes("factorization")
    assert found.axes == {"factorize": "rank:40"}
    assert found.kernel(LINEAR).rank == 40
    assert found.kernel(replace(LINEAR, sizes=(16, 40, 160))).rank == 0
    assert found.kernel(LSTM) == LSTM
    assert found.kernel(WEIGHTS).sizes == (40 * (4096 + 160) // 160, 160)
    (other,) = changes("factorization", linears=())
    assert other.kernel(WEIGHTS) == WEIGHTS


def test_threads_are_halved_and_raised_to_the_cores():
    assert [each.axes for each in changes("threads", 4, 2)] == [{"threads": 1}, {"threads": 4}]
    assert [each.axes for each in changes("threads", 2, 2)] == [{"threads": 1}]
    assert changes("threads", 2, 1)[0].kernel(LINEAR).threads == 2


def test_on_one_core_and_on_a_gpu_threads_are_no_remedy():
    assert "One core" in refused("threads", 1, 1)[0].reason
    assert "GPU" in refused("threads", device="cuda:0 (a GPU)")[0].reason


def test_memory_for_time_is_for_training_alone():
    for name in ("accumulation", "checkpointing"):
        assert changes(name, batch_size=4) == []
        assert changes(name, trains=True, batch_size=4)
    assert "1" in refused("accumulation", trains=True)[0].reason


def test_a_cache_is_narrowed_only_where_generating_reads_one():
    assert changes("kv_cache") == []
    words = [each.axes["kv_cache"] for each in changes("kv_cache", architecture="transformer")]
    assert words == ["bf16", "int8"]
    assert changes("kv_cache", architecture="transformer", workload="prefill") == []


def test_remedies_change_axes_that_compare_or_share_work():
    axes = {name for each in remedies.plan(situation(trains=True, batch_size=4)).changes for name in each.axes}
    assert all(BY_NAME[name].compares or name in ("batch_size", "threads") for name in axes)
