"""What is particular to the LSTM; tests/test_architectures.py holds what every model does."""

import torch

from model.architectures import build
from model.text import BOS
from tests.small_models import CONFIGS, random_codes

TIED, UNTIED = CONFIGS["lstm"]["tied"], CONFIGS["lstm"]["untied"]


def test_the_decoder_begins_with_bos():
    model = build("lstm", TIED, 0).eval()
    source, target = random_codes(3, 7), random_codes(3, 1)
    assert model.first(source).tolist() == [BOS] * 3
    logits, _ = model.step(torch.full((3,), BOS), model.prefill(source))
    torch.testing.assert_close(logits, model(source, target)[:, 0], atol=1e-6, rtol=0)


def test_equal_widths_tie_the_projection_to_the_embedding():
    tied, untied = build("lstm", TIED), build("lstm", UNTIED)
    assert tied.projection.weight is tied.embedding.weight
    assert untied.projection.weight.shape == (20, 8)
    assert untied.embedding.weight.shape == (20, 6)
