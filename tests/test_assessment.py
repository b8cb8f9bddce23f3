"""Quality beside speed: what a sweep trains and grades, with real children, and what it says where it could not."""

import math
from pathlib import Path

import pytest
import torch

from bench import assessment, planning, points, runs, subject
from bench.assessment import CLASS_FIGURES, FIGURES, Assessment
from bench.axes import BY_NAME
from bench.inputs import Inputs
from bench.opening import open_store
from bench.progress import Progress
from bench.runner import Sweep
from model import checkpoint
from tests.conftest import SMALL


@pytest.fixture
def store(tmp_path):
    with open_store(str(tmp_path / "results"), create=True) as opened:
        yield opened


def measure(spec, store, run=None):
    run = run or runs.begin(spec, store, "")
    told = []
    Sweep(spec, store, run, Progress(0, changed=lambda progress: told.append(progress.current))).measure()
    return run, runs.records(store, run), told


def test_a_sweep_with_a_budget_has_the_quality_of_each_variant_beside_its_speed(small_spec, store, own_cache, tmp_path):
    # so short a text that every window of it is graded within the limit, however busy the machine is
    corpus = tmp_path / "short.txt"
    corpus.write_text("".join(f"The cook boiled {i} eggs and gave the {i % 7} cats some milk.\n" for i in range(1000)))
    variants = {"workload": ["prefill", "decode"], "prune": [0, 0.5]}
    spec = small_spec(variants, train_budget=1)
    _, records, told = measure(spec, store, runs.begin(spec, store, str(corpus)))
    assert [record.status for record in records] == ["ok"] * 4
    assert len({record.metrics["delta_ln_perplexity"].n for record in records}) == 1
    for record in records:
        metrics = record.metrics
        assert metrics["latency_s"].value > 0
        assert set(FIGURES) <= set(metrics)
        delta = metrics["delta_ln_perplexity"]
        ratio = metrics["perplexity"].value / metrics["parent_perplexity"].value
        assert delta.value == pytest.approx(math.log(ratio), abs=1e-6)
        assert delta.low <= delta.value <= delta.high
        assert delta.n > 20
        plain = record.axes["prune"] == 0
        assert (metrics["same_top_1"].value == 1) == plain
        assert (delta.value == 0) == plain
        assert record.facts["trained_steps"] > 0
    assert len([words for words in dict.fromkeys(told) if words.startswith("training")]) == 1
    assert len([words for words in dict.fromkeys(told) if words.startswith("grading")]) == 2
    assert len(list((own_cache / "pinchpoint").glob("parent-*"))) == 1


def test_a_classifier_is_graded_by_its_labels_of_held_out_texts(small_spec, store, tmp_path):
    labels = tmp_path / "reviews.tsv"
    labels.write_text("".join(f"good\tI like film {i} a lot\nbad\tI hate film {i} so much\n" for i in range(40)))
    spec = small_spec(
        {
            "architecture": "classifier",
            "workload": "classify",
            "embedding": "preset",
            "quantize": ["none", "int8-weight"],
        },
        train_budget=30,
    )
    run = runs.begin(spec, store, "", Inputs(str(labels), classes=2))
    _, records, _ = measure(spec, store, run)
    assert [record.reason for record in records] == [None, None]
    for record in records:
        metrics = record.metrics
        assert set(CLASS_FIGURES) <= set(metrics)
        assert not set(FIGURES) & set(metrics)
        assert metrics["accuracy"].n == 8
        assert metrics["recall/good"].n == metrics["recall/bad"].n == 4
        assert metrics["macro_f1"].value == pytest.approx((metrics["f1/good"].value + metrics["f1/bad"].value) / 2)
        assert metrics["accuracy"].value == 1  # one word tells the labels apart
        assert record.facts["trained_steps"] == 8 * 5  # epochs, batches of 16 of the 72 texts
        assert record.facts["labels"] == "bad, good"
        assert metrics["latency_s"].value > 0


def test_without_a_budget_a_classifier_has_its_own_figures_with_the_reason():
    found = assessment.metrics(None, "classifier")
    assert found.keys() == CLASS_FIGURES.keys()
    assert "--train-budget 60s" in found["accuracy"].reason


def test_a_model_of_transformers_is_not_trained_and_the_record_says_why():
    point = points.point({"architecture": "hf", "model": "gpt2@00000000", "workload": "decode"})
    found = assessment.assess([point], {"train_budget": 1}, 30.0, lambda doing: None)
    assert found[point.id].parent is None
    assert "comes trained" in found[point.id].reason
    assert "comes trained" in assessment.metrics(None, "hf")["perplexity"].reason


def test_without_a_budget_the_record_says_how_to_have_its_quality(small_spec, store):
    _, (record,), _ = measure(small_spec({"workload": "prefill"}), store)
    assert record.metrics["perplexity"].value is None
    assert "--train-budget 60s" in record.metrics["perplexity"].reason
    assert "trained_steps" not in record.facts


def test_a_variant_that_cannot_be_made_does_not_take_the_quality_of_the_others(small_spec, store):
    _, records, _ = measure(
        small_spec({"workload": "prefill", "quantize": ["none", "fp8", "int8-weight"]}, train_budget=1), store
    )
    found = {record.axes["quantize"]: record for record in records}
    assert found["fp8"].status == "unsupported"
    assert found["int8-weight"].metrics["perplexity"].value > 1
    assert found["none"].metrics["delta_ln_perplexity"].value == 0


def test_the_weights_that_are_timed_are_the_trained_ones(small_spec, store):
    run, (record,), _ = measure(small_spec({"workload": "prefill"}, train_budget=1), store)
    parent = store.children(run.run, record.point)[0]["quality"]["parent"]
    trained = checkpoint.load(Path(parent)).model.state_dict()
    timed, _ = subject.make(record.axes, {"parent": parent}, torch.device("cpu"))
    fresh, _ = subject.make(record.axes, {"parent": None}, torch.device("cpu"))
    assert all(torch.equal(tensor, trained[name]) for name, tensor in timed.model.state_dict().items())
    assert not all(torch.equal(tensor, trained[name]) for name, tensor in fresh.model.state_dict().items())


def test_a_run_that_goes_on_takes_the_weights_that_it_began_with(small_spec, store):
    spec = small_spec({"workload": "prefill"}, train_budget=1, repetitions=2)
    run, (record,), _ = measure(spec, store)
    (kept,) = {report["quality"]["parent"] for report in store.children(run.run, record.point)}
    assert assessment.kept(store.children(run.run, record.point)[0]).parent == kept
    Path(kept).unlink()
    assert assessment.kept(store.children(run.run, record.point)[0]) is None


def test_a_training_that_breaks_is_the_reason_and_the_point_is_timed_all_the_same(small_spec, store, tmp_path):
    text = tmp_path / "short.txt"
    text.write_text("a few words only, over and over. " * 12)
    run = runs.begin(small_spec({"workload": "prefill"}, train_budget=1), store, str(text))
    _, (record,), _ = measure(small_spec({"workload": "prefill"}, train_budget=1), store, run)
    assert record.status == "ok"
    assert "could not be trained" in record.metrics["perplexity"].reason


def test_a_model_that_is_too_large_to_be_trained_is_not_tried(monkeypatch):
    monkeypatch.setattr(planning, "memory_B", lambda point: 1 << 50)
    point = points.point(SMALL | {"workload": "prefill"})
    found = assessment.assess([point], {"train_budget": 1}, 30.0, lambda doing: None)
    assert "GiB" in found[point.id].reason
    assert found[point.id].parent is None


def test_points_that_differ_in_work_alone_share_a_grading_and_variants_share_a_parent():
    plain, longer, pruned, larger = (
        points.point(given)
        for given in ({}, {"sequence_length": 128, "workload": "decode"}, {"prune": 0.5}, {"size": "tiny"})
    )
    assert points.answers(plain) == points.answers(longer) != points.answers(pruned)
    assert points.parent(plain) == points.parent(pruned) != points.parent(larger)


def test_every_axis_that_compares_and_could_change_an_answer_is_graded():
    """Whoever adds a compression says whether it changes what the model answers; the known ones do."""
    known = {"precision", "prune", "prune_scheme", "factorize", "quantize", "kv_cache"}
    assert known <= {name for name, axis in BY_NAME.items() if axis.answers and axis.compares}


def test_a_report_of_an_older_version_has_no_quality_and_says_so():
    assert assessment.metrics(None, "lstm")["same_top_1"].reason == Assessment().reason
    assert assessment.kept({}) is None
