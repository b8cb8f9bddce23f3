from dataclasses import replace

import pytest
import torch

from model.architectures import build_classifier
from model.classify import LabellingStep, Plan, fit, predict
from model.errors import UserError
from model.labelled import Example
from model.shapes.classifier import ENCODERS, Config
from model.train import optimizer

CONFIG = Config(vocabulary=30, hidden=16, layers=1, classes=2)


def text_of(i: int, label: int) -> Example:
    """3 to 8 words, of which one of 4 to 6 says that the label is 1."""
    words = [7 + (i * 11 + j * 13) % 23 for j in range(3 + i % 6)]
    if label:
        words[i % 3] = 4 + i % 3
    return Example(tuple(words), label)


TEXTS = [text_of(i, label) for i in range(20) for label in (0, 1)]


@pytest.mark.parametrize("encoder", ENCODERS)
def test_every_encoder_learns_to_tell_labels_apart(encoder: str):
    model, plan = (
        build_classifier("classifier", replace(CONFIG, encoder=encoder), 0),
        Plan(epochs=40, learning_rate=1e-2),
    )
    losses = fit(model, TEXTS, plan).losses
    assert losses[-1] < 0.2 < losses[0]
    assert predict(model, TEXTS, plan).tolist() == [example.label for example in TEXTS]


def test_the_same_seed_trains_the_same_model():
    config, plan = replace(CONFIG, dropout=0.2), Plan(epochs=1, seed=3)
    first, second = (fit(build_classifier("classifier", config, 1), TEXTS, plan) for _ in range(2))
    assert first == second


def test_long_texts_are_cut():
    model, plan = build_classifier("classifier", CONFIG, 0), Plan(longest=4)
    short = Example((7, 8, 9, 10), 0)
    long = Example((7, 8, 9, 10, *range(4, 30)), 0)
    assert torch.equal(predict(model, [short], plan), predict(model, [long], plan))


def test_a_loss_that_explodes_stops_with_a_remedy():
    model = build_classifier("classifier", CONFIG, 0)
    with pytest.raises(UserError, match="Lower the rate: it is 1e\\+38"):
        fit(model, TEXTS, Plan(optimizer="sgd", learning_rate=1e38))


def test_training_ends_when_its_budget_is_spent():
    model, seconds = build_classifier("classifier", CONFIG, 0), iter(range(100))
    history = fit(model, TEXTS, Plan(epochs=5, batch_size=8), budget_s=2, clock=lambda: float(next(seconds)))
    assert history.steps == 2
    assert len(history.losses) == 1


def test_a_step_grades_every_label_even_that_of_the_code_that_pads_texts():
    model = build_classifier("classifier", CONFIG, 0).eval()
    texts, labels = torch.tensor([[5, 6], [7, 8]]), torch.tensor([0, 0])
    expected = -model(texts).log_softmax(-1)[:, 0].mean()
    loss = LabellingStep(model, optimizer(model, "sgd", 0.0))(texts, labels)
    torch.testing.assert_close(loss, expected.detach())


def test_a_batch_in_parts_has_the_loss_and_the_update_of_the_whole():
    texts, labels = torch.arange(4, 12).view(4, 2), torch.tensor([0, 1, 1, 0])
    found = []
    for parts in (1, 3):
        model = build_classifier("classifier", CONFIG, 0)
        loss = LabellingStep(model, optimizer(model, "sgd", 0.1), accumulation=parts)(texts, labels)
        found.append((loss, model.head.weight.detach()))
    torch.testing.assert_close(found[0], found[1])
