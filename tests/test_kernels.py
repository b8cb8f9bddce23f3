"""Pieces timed alone: that each is what it says, and that what cannot be had is told. No figure here is of interest."""

from dataclasses import replace

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from bench import kernels
from bench.kernels import Kernel, _timing
from model import plugins

SIZES = {"linear": (3, 8, 4), "lstm": (2, 3, 4, 8, 1), "attention": (2, 3, 3, 4), "elementwise": (3, 8)}
KINDS = list(plugins.names(kernels.PACKAGE))


class Seen(TorchDispatchMode):
    """Every operator that was called, and the formats of what it gave."""

    def __init__(self):
        super().__init__()
        self.names, self.formats = [], set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        self.names.append(func._schema.name)
        self.formats |= {each.dtype for each in (result if isinstance(result, tuple) else (result,))
                         if isinstance(each, torch.Tensor)}  # fmt: skip
        return result


def run(kernel):
    step = _timing._in_a_row(kernel, torch.device("cpu"))
    with Seen() as seen:
        step()
    return seen


def test_there_is_a_test_for_every_kind():
    assert set(KINDS) == set(SIZES)


@pytest.mark.parametrize("precision", ["fp32", "amp-bf16", "bf16"])
@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_seconds_for_each_round(kind, backward, precision):
    kernel = Kernel(kind, SIZES[kind], precision=precision, backward=backward and kind != "elementwise")
    (found,) = kernels.measure([kernel], "cpu")
    assert len(found) == _timing.ROUNDS
    assert all(seconds > 0 for seconds in found)


@pytest.mark.parametrize("kind", ["linear", "lstm", "attention"])
def test_gradients_follow_where_they_are_asked_for(kind):
    kernel = Kernel(kind, SIZES[kind])
    assert len(run(replace(kernel, backward=True)).names) > len(run(kernel).names)


@pytest.mark.parametrize("kind", ["linear", "lstm", "attention"])
def test_what_was_forgotten_is_computed_again(kind):
    once = Kernel(kind, SIZES[kind], backward=True)
    assert len(run(replace(once, forwards=2)).names) > len(run(once).names)


def test_autocast_computes_in_16_bits_and_keeps_32_bit_weights():
    seen = run(Kernel("linear", (3, 8, 4), precision="amp-bf16", backward=True))
    assert seen.formats >= {torch.bfloat16, torch.float32}
    assert run(Kernel("linear", (3, 8, 4), precision="bf16", backward=True)).formats == {torch.bfloat16}


def test_a_factored_layer_multiplies_twice():
    assert run(Kernel("linear", (3, 8, 8), rank=2)).names.count("aten::linear") == 2


def test_int8_is_what_the_suite_makes_of_it():
    assert any("quantized" in name for name in run(Kernel("linear", (3, 8, 8), quantize="int8-dynamic")).names)
    assert any("quantized" in name for name in run(Kernel("lstm", (2, 1, 4, 8, 1), quantize="int8-dynamic")).names)


def test_calls_run_in_a_row_on_copies_of_weights_that_a_cache_has_lost(monkeypatch):
    made = []
    linear = kernels.load("linear")
    build = linear.build
    monkeypatch.setattr(linear, "build", lambda *given: made.append(1) or build(*given))
    kernel = Kernel("linear", (1, 8, 8), calls=5, around_B=8 * 8 * 4 * 3)
    assert run(kernel).names.count("aten::linear") == 5
    assert len(made) == 3


def test_a_kernel_that_cannot_be_had_has_a_reason_and_the_others_have_seconds():
    plain = Kernel("linear", (3, 64, 64))
    found = kernels.measure([plain, replace(plain, precision="tf32"), replace(plain, quantize="fp8")], "cpu")
    assert len(found[0]) == _timing.ROUNDS
    assert "tf32" in found[1]
    assert "fp8" in found[2]


def test_threads_are_those_of_the_kernel_and_as_before_afterwards(monkeypatch):
    before, seen = torch.get_num_threads(), set()
    linear = kernels.load("linear")
    monkeypatch.setattr(linear, "build", lambda *_: lambda: seen.add(torch.get_num_threads()))
    kernels.measure([Kernel("linear", (1, 8, 8), threads=1), Kernel("linear", (1, 8, 8), threads=3)], "cpu")
    assert seen == {1, 3}
    assert torch.get_num_threads() == before


def test_a_kernel_survives_the_pipe():
    import json
    from dataclasses import asdict

    kernel = Kernel("lstm", (2, 3, 4, 8, 1), threads=2, over="tokens")
    assert kernels.of(json.loads(json.dumps(asdict(kernel)))) == kernel
