import math
from itertools import chain

import pytest
import torch
from torch.nn import functional as F

from model import shapes, train
from model.architectures import LanguageModel, build
from model.errors import Unsupported, UserError
from model.generate import generate
from model.quantize import parts
from model.shapes.lstm import Config
from model.text import PAD, Text, Vocabulary, Windows, load, pad
from model.train import (
    CLIP_NORM,
    EIGHT_BIT,
    OPTIMIZERS,
    Epoch,
    Plan,
    TrainingStep,
    WarmupCosine,
    fit,
    held_out_loss,
    optimizer,
)

SMALL = Config(vocabulary=400, embedding=32, hidden=32, layers=1)


@pytest.fixture(scope="module")
def text() -> Text:
    """A small slice of the default corpus."""
    whole = load(None, SMALL.vocabulary)
    return Text(whole.train[:6000], whole.train[6000:7000], whole.vocabulary, whole.sha256, "slice")


def some_batch(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    source, target = torch.randint(4, 400, (2, 4, 6), generator=torch.Generator().manual_seed(seed))
    return source, target


def weights(model: LanguageModel) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in model.parameters()]


def test_training_lowers_the_held_out_loss(text: Text):
    model = build("lstm", SMALL, seed=0)
    before = held_out_loss(model, Windows(text.held_out, 16, 16, stride=16), 16)
    assert before == pytest.approx(math.log(400), rel=0.02)  # it knows nothing yet
    history = fit(model, text, Plan(epochs=3, sequence_length=16, generated_length=16, learning_rate=1e-2))
    losses = [epoch.held_out_loss for epoch in history]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < before - 1.5


def test_a_model_learns_twenty_sentences_by_heart():
    stream = [f"w{i} w{(7 * i) % 20 + 20} w{(3 * i) % 20 + 40} w{i + 60} w{19 - i + 80}".split() for i in range(20)]
    vocabulary = Vocabulary.of(chain.from_iterable(stream), rows=200)
    codes, _, _ = pad([vocabulary.encode(sentence) for sentence in stream])
    source, target = codes[:, :1], codes[:, 1:]
    model = build("lstm", Config(vocabulary=200, embedding=32, hidden=32, layers=1), seed=0)
    step = TrainingStep(model, optimizer(model, "adamw", 2e-2))
    for _ in range(150):
        step(source, target)
    assert torch.equal(generate(model, source, 4), target)


def test_the_same_seed_trains_the_same_model(text: Text):
    config = Config(vocabulary=400, embedding=8, hidden=8, layers=2, dropout=0.2)
    plan = Plan(epochs=1, sequence_length=16, generated_length=64, seed=5)
    first, second = (fit(build("lstm", config, seed=1), text, plan) for _ in range(2))
    assert first == second


def test_each_epoch_is_told_as_it_ends(text: Text):
    told: list[Epoch] = []
    plan = Plan(epochs=2, sequence_length=16, generated_length=200)
    assert fit(build("lstm", SMALL, seed=0), text, plan, told.append) == told
    assert [epoch.number for epoch in told] == [1, 2]


def test_a_loss_that_explodes_stops_with_a_remedy(text: Text):
    with pytest.raises(UserError, match="Lower the learning rate: it is 1e\\+38"):
        fit(build("lstm", SMALL, seed=0), text, Plan(optimizer="sgd", learning_rate=1e38, warmup_share=0.0))


def test_a_text_shorter_than_a_window_is_one_sentence(text: Text):
    with pytest.raises(UserError, match="one window needs 5001"):
        fit(build("lstm", SMALL), text, Plan(sequence_length=5000, generated_length=1))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_step_moves_every_weight_and_returns_the_loss_from_before(name: str):
    model, (source, target) = build("lstm", SMALL, seed=0), some_batch()
    before = weights(model)
    expected = F.cross_entropy(model(source, target).flatten(0, 1), target.flatten())
    loss = TrainingStep(model, optimizer(model, name, 0.1))(source, target)
    assert loss == expected
    assert not loss.requires_grad
    # rows of words that the batch lacks move too: the softmax pushes them down
    assert all(not torch.equal(old, new) for old, new in zip(before, model.parameters(), strict=True))


def test_padding_is_not_graded():
    model, (source, target) = build("lstm", SMALL, seed=0), some_batch()
    padded = torch.cat([target, torch.full((4, 3), PAD)], dim=1)
    alone, together = (
        float(TrainingStep(build("lstm", SMALL, seed=0), optimizer(model, "sgd", 0.0))(source, graded))
        for graded in (target, padded)
    )
    assert together == pytest.approx(alone, rel=1e-6)


def test_gradients_are_clipped_to_the_norm():
    model, (source, target) = build("lstm", SMALL, seed=0), some_batch()
    with torch.no_grad():
        model.projection.bias += 100 * torch.randn(400, generator=torch.Generator().manual_seed(0))
        model.embedding.weight *= 50
    before = weights(model)
    TrainingStep(model, optimizer(model, "sgd", 1.0))(source, target)
    moved = torch.cat([(old - new).flatten() for old, new in zip(before, model.parameters(), strict=True)])
    assert float(moved.detach().norm()) == pytest.approx(CLIP_NORM, rel=1e-3)


def test_weight_decay_shrinks_the_weights():
    decayed, plain = build("lstm", SMALL, seed=0), build("lstm", SMALL, seed=0)
    for model, decay in ((decayed, 0.5), (plain, 0.0)):
        TrainingStep(model, optimizer(model, "adamw", 1e-2, decay))(*some_batch())
    shrunk = plain.projection.weight - decayed.projection.weight
    torch.testing.assert_close(shrunk, 0.5 * 1e-2 * build("lstm", SMALL, seed=0).projection.weight, atol=1e-6, rtol=0)


def test_optimizers_keep_the_moments_that_shapes_declare():
    assert {*OPTIMIZERS, EIGHT_BIT} == set(shapes.MOMENTS)
    for name in OPTIMIZERS:
        model = build("lstm", SMALL)
        made = optimizer(model, name, 1e-3)
        TrainingStep(model, made)(*some_batch())
        kept = sum(value.numel() for state in made.state.values() for value in state.values() if value.dim() > 0)
        assert kept == shapes.MOMENTS[name] * sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("name", shapes.MOMENTS)
@pytest.mark.parametrize("hidden", [8, 64, 65])  # of 64, some tensors are stored in 8 bits; of 65, in no whole blocks
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_bytes_of_the_optimizers_state_are_counted_tensor_by_tensor(name: str, hidden: int, dtype: torch.dtype):
    config = Config(vocabulary=400, embedding=hidden, hidden=hidden, layers=1)
    model = build("lstm", config, seed=0).to(dtype)
    made = optimizer(model, name, 1e-3)
    TrainingStep(model, made)(*some_batch())
    assert state_bytes(made) == train.state_bytes(model, name)
    declared = shapes.costs(
        "lstm", config, shapes.Work("train", 4, 6, 6, *[model.projection.weight.itemsize] * 2, name)
    )
    if name == EIGHT_BIT:
        assert declared.optimizer_B <= state_bytes(made)
    else:
        assert declared.optimizer_B == state_bytes(made)


def test_an_unknown_optimizer_lists_what_there_is():
    with pytest.raises(UserError, match="sgd, adam, adamw"):
        optimizer(build("lstm", SMALL), "lion", 1e-3)


def test_the_learning_rate_rises_in_a_line_and_falls_as_a_cosine():
    schedule = WarmupCosine(warmup=4, total=12)
    assert [schedule(step) for step in range(5)] == [0.25, 0.5, 0.75, 1.0, 1.0]
    assert schedule(8) == pytest.approx(0.5)
    assert schedule(12) == schedule(99) == 0.0
    model = build("lstm", SMALL)
    made = optimizer(model, "sgd", 2.0)
    step = TrainingStep(model, made, schedule=schedule)
    rates = []
    for _ in range(3):
        step(*some_batch())
        rates.append(made.param_groups[0]["lr"])
    assert rates == [0.5, 1.0, 1.5]


def moved(**options: object) -> tuple[float, torch.Tensor]:
    """The loss of one step over a batch of which half a target is padding, and all weights after it."""
    model, (source, target) = build("lstm", SMALL, seed=0), some_batch()
    target[0, 3:] = PAD
    step = TrainingStep(model, optimizer(model, "sgd", 1.0), **options)
    loss = float(step(source, target))
    return loss, torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


@pytest.mark.parametrize("options", [{"accumulation": 3}, {"accumulation": 4}, {"checkpointing": True}])
def test_accumulation_and_checkpointing_change_the_memory_and_not_the_update(options: dict[str, object]):
    (loss, weights), (expected_loss, expected) = moved(**options), moved()
    assert loss == pytest.approx(expected_loss, rel=1e-6)
    torch.testing.assert_close(weights, expected, atol=1e-6, rtol=1e-5)


def kept_for_backward(checkpointing: bool) -> int:
    """Bytes of distinct tensors that autograd keeps when the loss is there."""
    model, (source, target) = build("lstm", SMALL, seed=0), some_batch()
    step = TrainingStep(model, optimizer(model, "sgd", 1.0), checkpointing=checkpointing)
    weights = {parameter.data_ptr() for parameter in model.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.data_ptr() not in weights:
            kept[tensor.data_ptr()] = tensor.nbytes
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        logits = step.model(source, target)
    del logits
    return sum(kept.values())


def test_a_checkpointed_block_forgets_its_activations():
    assert kept_for_backward(checkpointing=True) < 0.5 * kept_for_backward(checkpointing=False)


def test_a_model_without_blocks_cannot_forget():
    with pytest.raises(Unsupported, match="no blocks"):
        TrainingStep(torch.nn.Linear(3, 3), torch.optim.SGD([torch.zeros(1)]), checkpointing=True)


@pytest.mark.parametrize(("accumulation", "told"), [(0, "cannot be added up"), (5, "A batch of 4 cannot be read in 5")])
def test_an_accumulation_that_the_batch_does_not_allow_is_one_sentence(accumulation: int, told: str):
    with pytest.raises(UserError, match=told):
        moved(accumulation=accumulation)


def state_bytes(made: torch.optim.Optimizer) -> int:
    kept = [value for state in made.state.values() for value in state.values() if value.dim() > 0]
    return sum(part.nbytes for tensor in kept for part in parts(tensor))


def test_adamw_with_8_bit_state_keeps_a_quarter_and_trains_alike():
    config = Config(vocabulary=400, embedding=64, hidden=64, layers=1)
    source, target = some_batch()
    losses, sizes = [], []
    for name in ("adamw", EIGHT_BIT):
        model = build("lstm", config, seed=0)
        made = optimizer(model, name, 1e-2)
        step = TrainingStep(model, made, schedule=WarmupCosine(2, 8))
        losses.append([float(step(source, target)) for _ in range(5)])
        sizes.append(state_bytes(made))
    assert losses[1][0] == losses[0][0]
    assert losses[1] == pytest.approx(losses[0], rel=0.02)
    assert losses[1] == sorted(losses[1], reverse=True)
    assert 0.25 < sizes[1] / sizes[0] < 0.33  # the tables and scales, and biases that stay in fp32
