"""What an observer says of steps whose work is known by hand. How long anything takes plays no part."""

import time

import pytest
import torch
from torch import Tensor, nn
from torch.profiler import record_function
from torch.utils.data import DataLoader

from bench import operator_counts, operator_times
from bench.errors import Unsupported
from bench.observer import observe
from bench.operator_kinds import kind_of

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def shortly(monkeypatch):
    monkeypatch.setattr("bench.observer.WINDOW_S", 0.0)


def seen(step, model=None):
    found = observe(step, CPU, 1, model)
    assert sum(each.seconds for each in found.operators) + found.host_s == pytest.approx(found.iteration_s)
    assert min((each.seconds for each in found.operators), default=0) >= 0
    assert found.host_s >= 0
    return found


def the(found, name):
    (only,) = [each for each in found.operators if each.name == name]
    return only


def inferred(step):
    def run():
        with torch.inference_mode():
            step()

    return run


@pytest.mark.parametrize(("dtype", "name", "size"), [(torch.float32, "fp32", 4), (torch.bfloat16, "bf16", 2)])
def test_a_product_is_counted_by_its_sides(dtype, name, size):
    a, b = torch.ones(3, 5, dtype=dtype), torch.ones(5, 7, dtype=dtype)
    found = seen(lambda: torch.mm(a, b))
    product = the(found, "aten::mm")
    assert (product.kind, product.dtype, product.calls, product.shape) == ("product", name, 1, (3, 7, 5))
    assert product.flops == 2 * 3 * 5 * 7
    assert product.bytes_moved == size * (3 * 5 + 5 * 7 + 3 * 7)
    assert found.working_set_B == product.bytes_moved


@pytest.mark.parametrize("around", [lambda step: step, inferred], ids=["with autograd", "inference"])
def test_a_linear_layer_is_one_product_in_its_module_whatever_calls_it(around):
    model = nn.Sequential(nn.Linear(5, 7))
    found = seen(around(lambda: model(torch.ones(3, 5))), model)
    products = [each for each in found.operators if each.kind == "product"]
    assert [(each.name, each.module, each.calls, each.flops) for each in products] == [("aten::addmm", "0", 1, 210)]


def test_a_sum_moves_what_it_reads_and_an_update_in_place_reads_and_writes():
    x, y = torch.ones(1000), torch.ones(1000)

    def step():
        x.sum()
        x.add_(y)
        x.zero_()

    found = seen(step)
    assert the(found, "aten::sum").bytes_moved == 4000 + 4
    assert the(found, "aten::add_").bytes_moved == 3 * 4000
    assert the(found, "aten::zero_").bytes_moved == 4000
    assert {each.kind for each in found.operators} == {"elementwise"}
    assert the(found, "aten::sum").flops is None
    assert found.working_set_B == 4000 + 4000 + 4


def test_an_embedding_is_a_gather_of_its_rows_from_its_table():
    table, places = nn.Embedding(1000, 16), torch.arange(0, 1000, 100)
    gather = the(seen(inferred(lambda: table(places)), table), "aten::embedding")
    assert (gather.kind, gather.module, gather.places, gather.largest_B) == ("gather", "model", 10, 64_000)
    assert gather.bytes_moved == 10 * 8 + 2 * 10 * 64


def test_an_expanded_operand_counts_the_bytes_that_it_has():
    x = torch.ones(8).expand(100, 8)
    assert the(seen(lambda: torch.sum(x)), "aten::sum").bytes_moved == 8 * 4 + 4


def test_views_move_nothing():
    x = torch.ones(8, 8)
    (view,) = seen(x.t).operators
    assert (view.kind, view.bytes_moved, view.flops) == ("other", 0, 0)


def test_the_sizes_of_the_caches_stand_beside_what_was_touched(monkeypatch):
    monkeypatch.setattr("bench.ceilings._caches.sizes_B", lambda: {1: 32768, 3: 33554432})
    assert seen(lambda: torch.ones(2).sum()).caches_B == {"L1": 32768, "L3": 33554432}


def test_sleep_is_idle_and_nobodys_operator():
    found = seen(lambda: time.sleep(0.02))
    assert found.operators == ()
    assert found.host_s == found.iteration_s
    assert 0 < found.idle_s <= found.iteration_s * 1.001
    assert found.switches >= 1


def test_an_lstm_has_the_flops_of_both_its_weights():
    batch, steps, width, hidden = 4, 7, 32, 64
    model = nn.LSTM(width, hidden, 2, batch_first=True)
    found = seen(inferred(lambda: model(torch.ones(batch, steps, width))), model)
    flops = sum(each.flops or 0 for each in found.operators)
    assert flops == 8 * hidden * (width + hidden + hidden + hidden) * batch * steps
    assert {each.kind for each in found.operators if each.flops} == {"product"}


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_packed_int8_weights_are_counted_though_no_tensor_shows_them():
    quantized = torch.ao.quantization.quantize_dynamic(
        nn.ModuleDict({"a": nn.Linear(64, 32), "b": nn.Linear(64, 32), "c": nn.LSTM(64, 32)}),
        {nn.Linear, nn.LSTM},
        torch.qint8,
    )
    x, xs = torch.ones(4, 64), torch.ones(5, 4, 64)

    def step():
        quantized["a"](x)
        quantized["b"](x)
        quantized["c"](xs)

    found = seen(inferred(step), quantized)
    products = [each for each in found.operators if each.name == "quantized::linear_dynamic"]
    assert sorted(each.module for each in products) == ["a", "b"]
    for each in products:
        assert (each.kind, each.dtype, each.flops, each.shape) == ("product", "int8", 2 * 4 * 64 * 32, (4, 32, 64))
        assert each.bytes_moved == 4 * 4 * 64 + 64 * 32 + 4 * 4 * 32
    recurrent = the(found, "aten::quantized_lstm")
    assert recurrent.shape == (4, 4 * 32, 64 + 32)
    assert recurrent.flops == 8 * 32 * (64 + 32) * 5 * 4
    assert found.working_set_B > 2 * 64 * 32 + 4 * 32 * (64 + 32)


def test_a_weight_in_the_layout_of_onednn_is_counted_by_its_values():
    x, weight = torch.ones(4, 64), torch.ops.mkldnn._reorder_linear_weight(torch.ones(32, 64), 4)
    found = seen(inferred(lambda: torch.ops.mkldnn._linear_pointwise(x, weight, None, "none", [], "")))
    product = the(found, "mkldnn::_linear_pointwise")
    assert (product.kind, product.dtype, product.flops, product.shape) == (
        "product",
        "fp32",
        2 * 4 * 64 * 32,
        (4, 32, 64),
    )
    assert product.bytes_moved == 4 * (4 * 64 + 64 * 32 + 4 * 32)


@pytest.mark.filterwarnings("ignore:Sparse:UserWarning")
@pytest.mark.parametrize(
    ("to", "places"), [(Tensor.to_sparse, 2 * 8), (Tensor.to_sparse_csr, 9 + 8), (Tensor.to_sparse_csc, 9 + 8)]
)
def test_a_sparse_matrix_moves_its_values_and_its_places(to, places):
    assert operator_counts._size_B(to(torch.eye(8))) == 4 * 8 + 8 * places


def test_attention_has_the_flops_of_its_two_products():
    q = torch.ones(2, 3, 5, 8)
    found = seen(lambda: nn.functional.scaled_dot_product_attention(q, q, q))
    (attention,) = [each for each in found.operators if each.kind == "attention"]
    assert attention.flops == 2 * 2 * 2 * 3 * 5 * 5 * 8
    assert attention.shape == (5, 5, 8)


def test_a_training_step_has_its_backward_products_in_their_modules():
    model = nn.Sequential(nn.Embedding(50, 16), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 4))
    optimizer = torch.optim.AdamW(model.parameters())
    codes = torch.arange(10)

    def step():
        optimizer.zero_grad()
        model(codes).square().mean().backward()
        optimizer.step()

    found = seen(step, model)
    flops = {}
    for each in found.operators:
        if each.kind == "product":
            flops[each.module] = flops.get(each.module, 0) + each.flops
    assert flops == {"1": 3 * 2 * 10 * 16 * 8, "3": 3 * 2 * 10 * 8 * 4}
    assert {each.kind for each in found.operators} == {"product", "gather", "elementwise", "other"}
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_reading_batches_and_what_a_step_calls_input_are_input():
    loader = DataLoader(torch.ones(8, 4), batch_size=4)

    def step():
        next(iter(loader)).sum()
        with record_function("input"):
            torch.ones(10).add_(1)

    found = seen(step)
    read = [each for each in found.operators if each.kind == "input"]
    assert sum(each.calls for each in read) == 2
    assert not [each for each in found.operators if each.name == "aten::add_"]  # it is part of the input


def test_a_step_that_fails_says_so_to_its_caller():
    with pytest.raises(ZeroDivisionError):
        observe(lambda: 1 / 0, CPU, 1)


def test_an_iteration_that_would_take_minutes_is_not_observed():
    with pytest.raises(Unsupported, match="takes 30 s"):
        observe(lambda: None, CPU, 1, timed=lambda iterations: [30 * 10**9] * iterations)


def test_without_counts_the_times_are_kept_with_the_reason(monkeypatch):
    def refuse(*_):
        raise RuntimeError("no such mode")

    monkeypatch.setattr(operator_counts, "count", refuse)
    x = torch.ones(4, 4)
    found = seen(lambda: torch.mm(x, x))
    assert found.unavailable["flops"] == "RuntimeError: no such mode"
    product = the(found, "aten::mm")
    assert (product.kind, product.flops, product.bytes_moved) == ("product", None, None)


def test_operators_that_seem_to_take_longer_than_the_iteration_shrink_alike():
    x = torch.ones(64, 64)
    profiled = operator_times.run(lambda: (torch.mm(x, x), x.sum()), 2, CPU)
    full, _ = operator_times.operators(profiled, None, 1.0)
    shrunk, host_s = operator_times.operators(profiled, None, sum(each.seconds for each in full) / 2)
    assert host_s == pytest.approx(0, abs=1e-12)
    assert [each.seconds for each in shrunk] == pytest.approx([each.seconds / 2 for each in full])


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("aten::addmm", "product"),
        ("aten::mkldnn_rnn_layer_backward", "product"),
        ("aten::convolution", "product"),
        ("quantized::linear_dynamic", "product"),
        ("aten::_scaled_dot_product_flash_attention_for_cpu", "attention"),
        ("aten::index_select", "gather"),
        ("aten::add_", "elementwise"),
        ("aten::sort", "other"),
        ("c10d::allreduce_", "communication"),
        ("gloo:all_reduce", "communication"),
        ("enumerate(DataLoader)#_SingleProcessDataLoaderIter.__next__", "input"),
        ("input", "input"),
    ],
)
def test_kinds_by_name(name, kind):
    assert kind_of(name) == kind
