import pytest
import torch

from model.architectures import LanguageModel, build
from model.compress import PRUNE_SCHEMES, Compressed, Compression, apply
from model.errors import Unsupported, UserError
from model.generate import generate
from model.prune import sparsity
from model.quantize import stored_bytes
from model.shapes import Work
from model.shapes.lstm import Config, costs
from model.text import Text, Vocabulary
from model.train import Plan, TrainingStep, optimizer

CONFIG = Config(vocabulary=40, embedding=16, hidden=16, layers=1)
CPU = torch.device("cpu")
SOURCE, TARGET = torch.randint(4, 40, (2, 3, 6), generator=torch.Generator().manual_seed(0))


def fresh() -> LanguageModel:
    """A model with weights of one size everywhere, as training leaves them."""
    model = build("lstm", CONFIG, seed=0)
    with torch.no_grad():
        model.embedding.weight *= 2.5
    return model


def compressed(**asked: object) -> Compressed:
    return apply(fresh(), "lstm", CONFIG, Compression(**asked), CPU)


def test_nothing_asked_changes_nothing():
    found = compressed()
    assert torch.equal(found.model(SOURCE, TARGET), fresh()(SOURCE, TARGET))
    assert (found.config, found.steps, found.sparsity) == (CONFIG, ("precision fp32",), 0.0)
    assert found.stored_B == costs(CONFIG, Work("prefill", 1, 1, 1)).weights_B


@pytest.mark.parametrize(
    "asked",
    [
        {"prune": 0.5},
        {"prune": 0.5, "prune_scheme": "2:4"},
        {"prune": 0.5, "prune_scheme": "structured"},
        {"factorize": "rank:4"},
        {"precision": "bf16"},
        {"quantize": "int8-dynamic"},
        {"quantize": "int8-weight"},
        {"prune": 0.5, "quantize": "int8-dynamic"},
        {"prune": 0.25, "prune_scheme": "structured", "factorize": "energy:0.7", "quantize": "int8-dynamic"},
        {"factorize": "rank:4", "precision": "bf16", "quantize": "int8-weight"},
    ],
)
def test_what_comes_out_generates_and_its_bytes_are_counted(asked: dict[str, object]):
    found = compressed(**asked)
    assert generate(found.model, SOURCE, 3).shape[0] == 3
    assert found.stored_B == stored_bytes(found.model)


def test_steps_are_told_in_the_order_in_which_they_were_done():
    found = compressed(
        prune=0.25, prune_scheme="structured", factorize="rank:3", precision="bf16", quantize="int8-weight"
    )
    assert found.steps == (
        "structured pruning of 0.25",
        "factorization, rank:3, of 1 matrices",
        "precision bf16",
        "int8-weight quantization",
    )
    assert found.config.hidden == 12
    assert [layer.shape for layer in found.factors] == [(40, 12)]


def test_removed_units_make_a_smaller_config_whose_costs_are_the_model_s():
    found = compressed(prune=0.5, prune_scheme="structured")
    parts = [costs(config, Work("prefill", 1, 1, 1)) for config in (CONFIG, found.config)]
    assert found.stored_B == parts[1].weights_B
    assert found.sparsity == pytest.approx(1 - parts[1].parameters / parts[0].parameters)


def test_zeros_leave_the_bytes_as_they_were_and_two_of_four_says_that_no_sparse_kernel_runs():
    found = compressed(prune=0.5, prune_scheme="2:4")
    assert (found.sparsity, found.stored_B) == (0.5, compressed().stored_B)
    assert found.sparse_kernels is not None
    assert found.sparse_kernels.converted == 0
    assert compressed(prune=0.5).sparse_kernels is None


def some_text() -> Text:
    codes = torch.arange(300) * 7 % 36 + 4
    return Text(codes[:240], codes[240:], Vocabulary.of([f"w{n}" for n in range(36)], rows=40), "hash", "made up")


PLAN = Plan(batch_size=4, sequence_length=6, generated_length=4, learning_rate=5e-2)


@pytest.mark.parametrize("scheme", PRUNE_SCHEMES)
def test_training_after_pruning_repairs_what_it_broke_and_keeps_what_it_removed(scheme: str):
    tuned, plain = (
        apply(
            fresh(),
            "lstm",
            CONFIG,
            Compression(prune=0.5, prune_scheme=scheme, tuning_steps=steps),
            CPU,
            text=some_text(),
            plan=PLAN,
        )
        for steps in (15, 0)
    )
    assert tuned.sparsity == pytest.approx(plain.sparsity)
    source, target = some_text().train[:60].view(6, 10).split([6, 4], 1)
    losses = [
        float(TrainingStep(each.model, optimizer(each.model, "sgd", 0.0))(source, target)) for each in (tuned, plain)
    ]
    assert losses[0] < losses[1] - 0.1


@pytest.mark.parametrize("scheme", ["unstructured", "structured"])
def test_rounds_end_at_the_share_that_was_asked_for(scheme: str):
    asked = Compression(prune=0.5, prune_scheme=scheme, prune_rounds=3, tuning_steps=2)
    found = apply(fresh(), "lstm", CONFIG, asked, CPU, text=some_text(), plan=PLAN)
    assert found.steps[0] == f"{scheme} pruning of 0.5 in 3 rounds, 2 training steps after each"
    assert found.config.hidden == (8 if scheme == "structured" else 16)
    if scheme == "unstructured":
        assert found.sparsity == sparsity(found.model) == pytest.approx(0.5, abs=1e-3)


def test_training_steps_without_a_text_are_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match="without a text"):
        apply(fresh(), "lstm", CONFIG, Compression(prune=0.5, tuning_steps=1), CPU)


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"prune": 0.3, "prune_scheme": "2:4"}, "it prunes 0.5, not 0.3"),
        ({"prune": 0.5, "prune_scheme": "2:4", "prune_rounds": 2, "tuning_steps": 1}, "fixed pattern"),
        ({"prune": 0.5, "prune_rounds": 2}, "without training between them"),
        ({"tuning_steps": 5}, "nothing is pruned"),
        ({"prune": 0.5, "factorize": "rank:4"}, "have none of the zeros"),
        ({"prune": 0.5, "prune_scheme": "2:4", "quantize": "int8-weight"}, "take 16-bit floats"),
        ({"quantize": "int8-dynamic", "precision": "amp-bf16"}, "would cast"),
        ({"quantize": "int8-weight", "precision": "tf32"}, "would cast"),
    ],
)
def test_combinations_that_make_no_sense_are_refused_with_the_reason(asked: dict[str, object], reason: str):
    with pytest.raises(Unsupported, match=reason):
        Compression(**asked)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"prune": 1.0}, "cannot be pruned"),
        ({"prune": -0.1}, "cannot be pruned"),
        ({"prune": 0.5, "prune_rounds": 0}, "prunes nothing"),
        ({"tuning_steps": -1}, "cannot be taken"),
        ({"prune_scheme": "4:8"}, "no pruning scheme '4:8'"),
        ({"quantize": "int2"}, "no quantization 'int2'"),
        ({"precision": "fp4"}, "no precision 'fp4'"),
        ({"factorize": "rank:0"}, "keeps nothing"),
        ({"factorize": "half"}, "names no factorization"),
    ],
)
def test_values_out_of_range_are_one_sentence(asked: dict[str, object], told: str):
    with pytest.raises(UserError, match=told):
        Compression(**asked)


@pytest.mark.parametrize(
    ("asked", "reason"),
    [({"quantize": "int8-weight"}, "no gradient"), ({"prune": 0.5, "prune_scheme": "2:4"}, "only infer")],
)
def test_what_cannot_train_is_refused_for_training(asked: dict[str, object], reason: str):
    with pytest.raises(Unsupported, match=reason):
        apply(fresh(), "lstm", CONFIG, Compression(**asked), CPU, training=True)


@pytest.mark.parametrize("asked", [{"prune": 0.5, "prune_scheme": "structured"}, {"factorize": "rank:4"}])
def test_what_can_train_trains(asked: dict[str, object]):
    found = apply(fresh(), "lstm", CONFIG, Compression(**asked), CPU, training=True)
    step = TrainingStep(found.model, optimizer(found.model, "adamw", 1e-2))
    assert step(SOURCE, TARGET) > step(SOURCE, TARGET)
