"""What a child is predicted to take: plain arithmetic, held against exact counts where there are some."""

import pytest

from bench import planning, points
from model import shapes
from model.shapes import cnn, lstm, rnn

MIB = 2**20


def predicted(**values):
    return planning.memory_B(points.point(values))


def test_of_a_large_training_the_heap_outgrows_all_but_what_has_pages_of_its_own():
    values = {"architecture": "transformer", "workload": "train", "sequence_length": 64, "generated_length": 16}
    small, large = ({**values, "batch_size": batch} for batch in (256, 512))
    more = points.costs(points.point(large).axes).memory_B - points.costs(points.point(small).axes).memory_B
    logits = 3 * 256 * 16 * 4096 * 4
    grown = predicted(**large) - predicted(**small)
    assert grown == pytest.approx(logits + planning.HEAP_GROWTH["train"] * (more - logits), rel=1e-6)


def test_logits_that_fit_into_the_heap_take_more_than_those_on_pages_of_their_own():
    values = {"architecture": "rnn", "workload": "train", "sequence_length": 32, "generated_length": 64}
    in_heap, mapped = (predicted(**values, batch_size=batch) for batch in (31, 32))
    assert in_heap > mapped


def test_a_step_ends_with_all_gradients_and_two_tables():
    point = points.point({"architecture": "rnn", "workload": "train", "size": "tiny", "sequence_length": 4})
    counted = points.costs(point.axes)
    table = 8192 * 432 * 4
    least = planning.least_memory_B(point) - counted.weights_B - counted.optimizer_B
    assert least == planning.CHILD_MIB["train"] * MIB + counted.gradients_B + 2 * table


@pytest.mark.parametrize(("workload", "copied"), [("decode", 16384 * 512 * 2), ("prefill", 0)])
def test_autocast_in_inference_keeps_no_copies_of_weights(workload, copied):
    values = {"architecture": "transformer", "size": "small", "workload": workload}
    weights = points.costs(points.point(values).axes).weights_B
    own = predicted(**values, precision="amp-bf16") - planning.CHILD_MIB[workload] * MIB - weights
    assert copied <= own < copied + 4 * MIB


def test_an_rnn_in_prefill_under_autocast_copies_its_matrix_for_every_step():
    values = {"architecture": "rnn", "size": "small", "workload": "prefill", "precision": "amp-bf16"}
    more = predicted(**values, sequence_length=65) - predicted(**values, sequence_length=64)
    assert more > 1032**2 * 2
    assert rnn.converted_bytes(rnn.PRESETS["small"], shapes.Work("prefill", 1, 64, 1)) == 0


@pytest.mark.parametrize(("batch", "some"), [(16, False), (128, True)])
def test_only_workspaces_on_pages_of_their_own_stay_untouched(batch, some):
    work = shapes.Work("train", batch, 64, 64)
    assert (lstm.untouched_bytes(lstm.PRESETS["nano"], work) > 0) == some
    assert (cnn.untouched_bytes(cnn.PRESETS["nano"], work) > 0) == some
