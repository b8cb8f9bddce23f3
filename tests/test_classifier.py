from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from model import shapes
from model.architectures import Classifier, build, build_classifier
from model.errors import Unsupported, UserError
from model.shapes.classifier import ENCODERS, PRESETS, Config, costs
from model.text import pad
from tests.small_models import CONFIGS, Peak, counted, kept_bytes, random_codes

each = pytest.mark.parametrize("encoder", ENCODERS)


def config_of(encoder: str) -> Config:
    return Config(vocabulary=20, hidden=16, layers=2, classes=3, encoder=encoder)


def model_of(config: Config) -> Classifier:
    return build_classifier("classifier", config, 0).eval()


@each
@settings(max_examples=8, deadline=None)
@given(sources=st.lists(st.lists(st.integers(4, 19), min_size=1, max_size=7), min_size=1, max_size=4))
def test_padding_changes_nothing(encoder: str, sources: list[list[int]]):
    model = model_of(config_of(encoder))
    codes, lengths, _ = pad(sources)
    alone = torch.cat([model(torch.tensor([source])) for source in sources])
    torch.testing.assert_close(model(codes, lengths), alone, atol=1e-5, rtol=0)


@each
def test_only_a_bag_of_words_does_not_care_about_their_order(encoder: str):
    model, source = model_of(config_of(encoder)), random_codes(2, 9)
    same = torch.allclose(model(source), model(source.flip(1)), atol=1e-7)
    assert same == (encoder == "bag-of-words")


@each
@pytest.mark.parametrize(("batch", "read"), [(1, 1), (2, 5), (3, 8)])
def test_costs_are_what_torch_counts(encoder: str, batch: int, read: int):
    config = config_of(encoder)
    model, source, labels = model_of(config), random_codes(batch, read), torch.zeros(batch, dtype=torch.int64)
    train = costs(config, shapes.Work("train", batch, read, 1))
    assert train.parameters == sum(parameter.numel() for parameter in model.parameters())
    assert counted(lambda: F.cross_entropy(model(source), labels).backward()) == train.flops
    with torch.no_grad():
        assert counted(lambda: model(source)) == costs(config, shapes.Work("prefill", batch, read, 1)).flops


@each
def test_memory_is_what_torch_takes(encoder: str):
    config = Config(vocabulary=100, hidden=64, layers=2, classes=5, encoder=encoder)
    model, source, labels = model_of(config), random_codes(4, 32), torch.zeros(4, dtype=torch.int64)
    gradients = 2 * 4 * 5 * 4
    kept = kept_bytes(lambda: F.cross_entropy(model(source), labels), model, source, labels)
    train = costs(config, shapes.Work("train", 4, 32, 1))
    assert train.activations_B - gradients == pytest.approx(kept, rel=0.1)
    if encoder != "lstm":  # what oneDNN's LSTM takes while it runs is out of sight
        with torch.no_grad(), Peak() as peak:
            model(source)
        assert costs(config, shapes.Work("prefill", 4, 32, 1)).activations_B == pytest.approx(peak.peak_B, rel=0.03)


@pytest.mark.parametrize("size", PRESETS)
@each
def test_presets_are_buildable_with_any_encoder(encoder: str, size: str):
    config = replace(PRESETS[size], encoder=encoder)
    with torch.device("meta"):  # takes no memory, whatever the size
        model = model_of(config)
    declared = costs(config, shapes.Work("train", 1, 1, 1)).parameters
    assert declared == sum(parameter.numel() for parameter in model.parameters())


def test_a_classifier_generates_nothing_and_a_language_model_labels_nothing():
    with pytest.raises(Unsupported, match="generates none"):
        costs(config_of("lstm"), shapes.Work("decode", 1, 1, 1))
    with pytest.raises(Unsupported, match="continues none"):
        build("classifier", config_of("lstm"))
    with pytest.raises(Unsupported, match="labels none"):
        build_classifier("lstm", CONFIGS["lstm"]["tied"])


def test_heads_that_cannot_share_the_width_are_one_sentence():
    with pytest.raises(UserError, match="hidden = 10 cannot be divided among 4 heads"):
        Config(vocabulary=20, hidden=10, layers=1)
    assert Config(vocabulary=20, hidden=10, layers=1, encoder="rnn").hidden == 10
