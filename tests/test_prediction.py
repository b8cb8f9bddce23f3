"""An iteration in pieces, and what becomes of their sum: pure arithmetic on made-up times."""

import math

import pytest

from bench import points
from bench.kernels import Kernel
from bench.observation import Observation, Operator
from bench.parts import Part, parts, trains
from bench.prediction import FLOOR, predict, refusal
from bench.remedies import Change, Factor

AXES = points.point({"workload": "decode"}).axes
CALL_S = 1e-6


def observation(*operators, host_s=0.0, **more):
    seconds = host_s + sum(each.seconds for each in operators)
    return Observation(seconds, "cpu", 2, 2, operators, host_s, 2 * seconds, **more)


def lstm(calls=32.0, steps=1, batch=3, width=20, hidden=10, backward=False):
    flops = calls * 2.0 * batch * 4 * hidden * width * steps * (2 if backward else 1)
    name = f"aten::mkldnn_rnn_layer{'_backward' if backward else ''}"
    return Operator(name, "decoder", "product", "fp32", calls, 1e-3, flops, 1.0, shape=(batch, 4 * hidden, width))


def linear(calls=16.0, m=3, n=64, k=10, name="aten::addmm", products=1):
    return Operator(
        name, "projection", "product", "fp32", calls * products, 5e-4, calls * products * 2.0 * m * n * k, 1.0,
        shape=(m, n, k),
    )  # fmt: skip


def update(shape, calls, values, name="aten::mul_", seconds=1e-3):
    return Operator(name, "", "elementwise", "fp32", calls, seconds, None, 8.0 * values, shape=shape)


def of(kind, found):
    return [part for part in found if part.kernel is not None and part.kernel.kind == kind]


def test_the_pieces_add_up_to_the_iteration():
    seen = observation(lstm(), linear(), update((64, 10), 4.0, 1000), host_s=1e-4)
    assert sum(part.seconds for part in parts(seen, AXES, 1000)) == pytest.approx(seen.iteration_s)


def test_a_recurrent_layer_is_found_with_its_steps_layers_and_widths():
    whole = Operator("aten::lstm", "decoder", "other", "", 16.0, 1e-4)
    (part,) = of("lstm", parts(observation(lstm(steps=5), whole), AXES))
    assert part.kernel.sizes == (3, 5, 10, 10, 2)
    assert part.calls == 16
    assert part.seconds == pytest.approx(1.1e-3)


def test_a_linear_layer_has_the_shape_of_its_forward_product_and_a_third_of_the_work_where_gradients_are_made():
    forward, backward = linear(calls=1.0), linear(calls=1.0, m=64, n=10, k=3, name="aten::mm", products=2)
    seen = observation(forward, backward, lstm(backward=True))
    assert trains(seen)
    (part,) = of("linear", parts(seen, AXES))
    assert part.kernel.sizes == (3, 64, 10)
    assert part.kernel.backward
    assert part.calls == 1


def test_what_updates_all_weights_is_told_apart_from_what_works_on_one_matrix():
    table = Operator("aten::embedding", "embedding", "gather", "fp32", 1.0, 1e-5, None, 80.0, shape=(64, 10))
    products = (linear(calls=1.0), lstm(calls=1.0), table)
    everything, single = update((64, 10), 4.0, 1440), update((64, 10), 2.0, 2 * 640, name="aten::add")
    (of_all, rest) = of("elementwise", parts(observation(*products, everything), AXES, 1440))[-2:]
    assert (of_all.kernel.sizes, of_all.kernel.over, rest.kernel.over) == ((64, 10), "weights", "weights")
    assert of_all.seconds / rest.seconds == pytest.approx(640 / 800)
    (alone,) = [p for p in of("elementwise", parts(observation(*products, single), AXES, 1440)) if p.calls == 2]
    assert alone.seconds == pytest.approx(1e-3)


def test_work_that_has_no_shape_of_a_weight_is_over_tokens():
    (part,) = of("elementwise", parts(observation(linear(), update((3, 64), 16.0, 3 * 64)), AXES))
    assert part.kernel.over == "tokens"
    assert part.kernel.sizes == (3, 64)


def test_small_pieces_are_not_timed():
    large, small = of(
        "elementwise", parts(observation(update((9, 9), 1, 81), update((8, 8), 1, 64, seconds=1e-6)), AXES)
    )
    assert (large.timed, small.timed) == (True, False)


def test_a_convolution_has_no_kernel_and_follows_its_size_or_not():
    conv = Operator("aten::mkldnn_convolution", "encoder", "product", "fp32", 1.0, 1e-3, 1e6, 1.0, shape=(2, 8, 16))
    (part, _) = parts(observation(conv), AXES)
    assert (part.kernel.kind, part.timed) == ("elementwise", False)
    found = predict(Change({"batch_size": 4}, lambda each: each.with_rows(4), work=4.0), [part], {}, CALL_S)
    assert found.assumed == 1.0
    assert found.low < math.log(0.26)
    assert found.high > 0


# predictions

OLD, NEW = Kernel("linear", (1, 8, 8)), Kernel("linear", (1, 8, 8), quantize="int8-dynamic")


def swap(**more):
    return Change({"quantize": "int8-dynamic"}, lambda each: NEW if each == OLD else each, **more)


def test_a_piece_that_was_timed_takes_the_ratio_of_its_replacement():
    there = [Part(0.8, 1, OLD, True), Part(0.2, 10, host=True)]
    timings = {(0, OLD): [1.0, 2.0, 4.0], (0, NEW): [0.5, 1.0, 2.0]}
    found = predict(swap(), there, timings, CALL_S)
    assert found.log == pytest.approx(math.log(0.6))
    assert found.gain == pytest.approx(1 / 0.6 - 1)
    assert found.assumed == 0
    assert found.high - found.log == pytest.approx(FLOOR)  # the rounds agree


def test_the_interval_is_as_wide_as_the_rounds_differ():
    there = [Part(1.0, 1, OLD, True)]
    timings = {(0, OLD): [1.0, 1.0, 1.0], (0, NEW): [0.5, 1.0, 2.0]}
    found = predict(swap(), there, timings, CALL_S)
    assert found.low < math.log(0.51)
    assert found.high > math.log(1.99)


def test_what_nothing_changes_keeps_its_time_and_certainty():
    found = predict(Change({"threads": 1}), [Part(1.0, 1, OLD, True), Part(1.0, 5, host=True)], {}, CALL_S)
    assert (found.log, found.assumed) == (0.0, 0.0)
    assert found.high == pytest.approx(FLOOR)


def test_more_work_in_an_iteration_is_counted_by_the_token():
    found = predict(Change({"batch_size": 4}, work=4.0), [Part(1.0, 1, host=True)], {}, CALL_S)
    assert found.gain == pytest.approx(3.0)


def test_what_was_not_timed_follows_its_bytes_beyond_the_cost_of_its_calls():
    there = [Part(3e-6, 1, Kernel("elementwise", (4, 8)))]
    change = Change({"batch_size": 2}, lambda each: each.with_rows(2), work=2.0)
    found = predict(change, there, {}, CALL_S)
    assert found.log == pytest.approx(math.log((1e-6 + 4e-6) / 3e-6 / 2))
    assert found.assumed == 1.0
    assert found.low < math.log(0.51)
    assert found.high > 0


def test_time_that_an_elementwise_piece_alone_does_not_show_is_assumed_to_follow_bytes():
    old = Kernel("elementwise", (4, 8))
    new = old.with_rows(2)
    there = [Part(3.0, 1, old, True)]
    timings = {(0, old): [1.0] * 3, (0, new): [1.5] * 3}
    found = predict(Change({"batch_size": 2}, lambda each: each.with_rows(2)), there, timings, 0.0)
    assert found.log == pytest.approx(math.log((1.5 + 4.0) / 3.0))
    assert found.assumed == pytest.approx(2 / 3)


def test_an_assumption_on_all_that_is_no_product_leaves_products():
    there = [Part(0.5, 1, OLD, True), Part(0.5, 1, Kernel("elementwise", (4, 8)), True)]
    change = Change({"compile": "compiled"}, rest=Factor(0.5, 0.2, 1.0))
    found = predict(change, there, {}, CALL_S)
    assert found.log == pytest.approx(math.log(0.75))
    assert found.assumed == pytest.approx(0.5)
    assert found.low < math.log(0.6)


def test_parts_of_a_batch_run_again_and_the_update_does_not():
    there = [Part(0.5, 1, Kernel("elementwise", (4, 8))), Part(0.5, 1, Kernel("elementwise", (4, 8), over="weights"))]
    found = predict(Change({"accumulation": 2}, repeats=2.0), there, {}, CALL_S)
    assert found.log == pytest.approx(math.log(1.5))


def test_a_kernel_that_cannot_be_had_refuses_the_change():
    timings = {(0, OLD): [1.0], (0, NEW): "There is no such kernel."}
    assert refusal(swap(), [Part(1.0, 1, OLD, True)], timings) == "There is no such kernel."
    assert refusal(Change({"threads": 1}), [Part(1.0, 1, OLD, True)], timings) is None
