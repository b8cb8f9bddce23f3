"""What a tracker sees one iteration take is what the counts say, and never costs a point its record."""

from typing import Any

import pytest
import torch
from torch import nn

from bench import memory_tracker, points
from bench.memory_parts import PARTS, UNTRACKED, Tracked, tracked
from bench.session import Session
from model import precision
from model.shapes import Costs

SETTINGS = {"block_seconds": 0.001, "warmup_limit": 0, "corpus": None, "cache": None}
SMALL = {"vocabulary": 512, "sequence_length": 24, "generated_length": 8, "threads": 1}
DIMENSIONS: dict[str, dict[str, int]] = {
    "transformer": {"hidden": 96, "heads": 4, "layers": 2},
    "lstm": {"hidden": 128, "embedding": 128, "layers": 2},
}


def session_of(architecture: str, workload: str, batch_size: int = 16, **axes: Any) -> Session:
    given = SMALL | DIMENSIONS[architecture] | axes
    point = points.point({"architecture": architecture, "workload": workload, "batch_size": batch_size} | given)
    session = Session(point.axes, SETTINGS)
    session.build()
    return session


def seen_by(session: Session) -> tuple[Tracked, Costs]:
    found = tracked(session.track())
    assert found is not None
    return found, points.costs(session._axes)


@pytest.mark.parametrize("precision_", ["fp32", "amp-bf16"])
@pytest.mark.parametrize("architecture", DIMENSIONS)
def test_in_training_weights_gradients_and_moments_are_as_counted_to_the_byte(architecture, precision_):
    session = session_of(architecture, "train", precision=precision_)
    found, counted = seen_by(session)
    assert session._model is not None
    parameters = list(session._model.parameters())
    steps_B = 4 * len(parameters)  # AdamW keeps of each tensor the number of its steps too, in fp32
    assert found.most["weights"] == found.at_peak["weights"] == counted.weights_B
    assert found.most["gradients"] == counted.gradients_B
    assert found.most["optimizer"] == found.at_peak["optimizer"] == counted.optimizer_B + steps_B
    kept = found.most["activations"] + found.most["workspace"]
    assert kept == pytest.approx(counted.activations_B, rel=0.12)


def test_the_work_space_that_an_lstm_keeps_for_backward_is_told_from_its_activations():
    lstm, _ = seen_by(session_of("lstm", "train"))
    transformer, _ = seen_by(session_of("transformer", "train"))
    assert lstm.at_peak["workspace"] > 0.2 * lstm.at_peak["activations"]
    assert transformer.at_peak["workspace"] < 0.01 * transformer.at_peak["activations"]


@pytest.mark.parametrize("workload", ["prefill", "decode"])
def test_a_transformer_without_training_holds_weights_its_cache_and_what_lives_for_a_moment(workload):
    found, counted = seen_by(session_of("transformer", workload))
    assert found.at_peak["weights"] == counted.weights_B
    assert found.at_peak["gradients"] == found.at_peak["optimizer"] == 0
    assert found.at_peak["state"] == pytest.approx(counted.state_B, rel=0.03)
    allowed = 0.05 * counted.memory_B  # the logits of the step before live on, and so does the batch
    assert found.peak_B == pytest.approx(counted.memory_B, abs=allowed)


@pytest.mark.parametrize("workload", ["prefill", "decode"])
def test_what_onednn_takes_inside_an_lstm_is_work_space(workload):
    found, counted = seen_by(session_of("lstm", workload))
    assert found.at_peak["weights"] == counted.weights_B
    assert found.at_peak["workspace"] > 0
    assert found.peak_B == pytest.approx(counted.memory_B, rel=0.1)


@pytest.mark.parametrize("precision_", ["fp32", "amp-bf16"])
@pytest.mark.parametrize("workload", ["train", "prefill", "decode"])
@pytest.mark.parametrize("architecture", DIMENSIONS)
def test_the_parts_add_up_to_how_far_the_allocator_rises_without_a_tracker(architecture, workload, precision_):
    session = session_of(architecture, workload, precision=precision_)
    assert session._model is not None
    for parameter in session._model.parameters():
        parameter.grad = None
    with memory_tracker._allocator(session._device) as allocator:
        session._time(1)
    found, counted = seen_by(session)
    before_B = found.at_peak["weights"] + found.at_peak["optimizer"] + (workload == "decode") * counted.state_B
    assert found.peak_B - before_B == pytest.approx(allocator.rise_B, rel=0.05, abs=50_000)


def test_a_point_can_be_measured_on_after_it_was_tracked():
    session = session_of("lstm", "train")
    first, second = session.track(), session.track()
    assert tracked(first) == tracked(second)
    assert session.block("timed", 0, 0).samples_ns


@pytest.mark.parametrize(
    ("axes", "reason"),
    [
        ({"workload": "decode", "quantize": "int8-dynamic"}, "quantized"),
        ({"workload": "decode", "compile": "compiled"}, "compiled code"),
        ({"workload": "train", "optimizer": "adamw-8bit"}, "torchao compiles"),
    ],
)
def test_what_a_tracker_cannot_see_has_a_reason_in_place_of_figures(axes, reason):
    session = Session(points.point(axes).axes, SETTINGS)
    session._model = nn.Linear(1, 1)
    facts = session.track()
    assert list(facts) == [UNTRACKED]
    assert reason in str(facts[UNTRACKED])
    assert tracked(facts) is None


def test_long_iterations_are_not_made_longer():
    session = session_of("transformer", "decode")
    session._iteration_s = 60.0
    assert "longer than" in str(session.track()[UNTRACKED])


def test_a_model_that_fails_under_the_tracker_leaves_a_reason():
    session = session_of("transformer", "decode")

    def fail() -> None:
        raise TypeError("this subclass\nknows no such operator")

    session.step = fail
    assert session.track() == {UNTRACKED: "the tracker met TypeError: this subclass knows no such operator"}


def test_tensors_that_die_before_the_peak_are_in_no_part_of_it():
    model = nn.Linear(1, 1, bias=False)

    def run() -> None:
        early = torch.ones(1000)
        del early
        late = torch.ones(5000)
        assert late.sum() == 5000

    cpu = torch.device("cpu")
    found = memory_tracker.track(run, model, "train", cpu, lambda: precision.autocast("fp32", cpu))
    assert found.at_peak["activations"] == pytest.approx(20_000, abs=100)
    assert found.at_peak["weights"] == 4


class Growing(nn.Module):
    """Its state is replaced by a longer one at each step, as caches of transformers are."""

    def step(self, state: torch.Tensor) -> tuple[None, torch.Tensor]:
        return None, torch.cat([state, torch.zeros(1000)])


def test_a_cache_that_each_step_makes_anew_is_decoding_state_and_its_old_one_no_work_space():
    model, cpu = Growing(), torch.device("cpu")
    held = [torch.zeros(10_000)]

    def run() -> None:
        for _ in range(3):
            held.append(model.step(held.pop())[1])

    found = memory_tracker.track(run, model, "decode", cpu, lambda: precision.autocast("fp32", cpu))
    assert found.most["state"] == pytest.approx(4 * (12_000 + 13_000), abs=100)
    assert found.at_peak["workspace"] == 0
    assert "step" not in vars(model)


def test_parts_that_peak_at_different_moments_keep_their_own_most():
    parts = Tracked({"weights": 8, "activations": 5}, {"weights": 8, "activations": 5, "gradients": 3})
    found = tracked(parts.facts())
    assert found is not None
    assert found.peak_B == 13
    assert (found.at_peak["gradients"], found.most["gradients"]) == (0, 3)
    assert set(found.at_peak) == set(PARTS)


@pytest.mark.parametrize("bad", [{}, {"tracked_weights_B": "many"}, {"tracked_state_B": float("nan")}])
def test_facts_that_are_no_bytes_are_taken_for_none(bad):
    facts = Tracked({"weights": 8}, {"weights": 8}).facts()
    assert tracked(facts | bad if bad else {}) is None
