"""A training step in parts, and with blocks that compute their activations again, against what torch does."""

from dataclasses import replace

import pytest
import torch

from model import shapes
from model.architectures import build
from model.shapes import _parts
from model.train import TrainingStep, optimizer
from tests.small_models import CONFIGS, Peak, random_codes

WORK = shapes.Work("train", 7, 6, 5, accumulation=3)
EVERY = [(name, option) for name, options in CONFIGS.items() for option in options if name in ("lstm", "transformer")]


@pytest.mark.parametrize("batch", range(1, 12))
def test_parts_are_those_of_torch(batch: int):
    work = replace(WORK, batch_size=batch, accumulation=min(batch, 4))
    assert _parts.sizes(work) == [len(part) for part in torch.ones(batch).tensor_split(work.accumulation)]


@pytest.mark.parametrize(("architecture", "option"), EVERY)
def test_parts_do_the_work_of_the_whole_with_the_activations_of_one(architecture: str, option: str):
    config = CONFIGS[architecture][option]
    whole, part = (replace(WORK, batch_size=size, accumulation=1) for size in (7, 3))
    found = shapes.costs(architecture, config, WORK)
    at_once, alone = (shapes.costs(architecture, config, work) for work in (whole, part))
    assert (found.flops, found.tokens) == (at_once.flops, at_once.tokens)
    assert found.activations_B == alone.activations_B
    assert found.optimizer_B == at_once.optimizer_B


def test_each_part_reads_the_weights_again_and_adds_its_gradients_once():
    config = CONFIGS["transformer"]["gpt2"]
    two, one, three = (
        shapes.costs("transformer", config, replace(WORK, batch_size=size, accumulation=parts))
        for size, parts in ((4, 2), (2, 1), (6, 3))
    )
    # clipping reads and writes gradients thrice, AdamW gradient and weight thrice and two moments twice: 10 times
    update = 10 * one.weights_B
    assert two.bytes_moved == 2 * (one.bytes_moved - update) + update + 3 * one.gradients_B
    assert three.bytes_moved - two.bytes_moved == two.bytes_moved - one.bytes_moved


@pytest.mark.parametrize("parts", [1, 4])
def test_the_memory_of_a_step_in_parts_is_what_torch_takes(parts: int):
    config = shapes.load("transformer").Config(200, 64, 3, 4, feed_forward=96)
    work = shapes.Work("train", 8, 32, 32, optimizer="sgd", accumulation=parts)
    model = build("transformer", config, 0)
    step = TrainingStep(model, optimizer(model, "sgd", 0.0), accumulation=parts)
    source, target = random_codes(8, 32, rows=200), random_codes(8, 32, rows=200)
    with Peak() as peak:
        step(source, target)
    costs = shapes.costs("transformer", config, work)
    # the gradients of all parts but the first are there beside its activations; of the first they come one by one
    expected = costs.activations_B + (costs.gradients_B if parts > 1 else 0)
    assert peak.peak_B == pytest.approx(expected, rel=0.15)


def test_with_checkpointing_the_activations_are_a_bound_from_below():
    config = shapes.load("transformer").Config(50, 64, 4, 4, feed_forward=96)
    work = shapes.Work("train", 4, 32, 32, optimizer="sgd", checkpointing=True)
    model = build("transformer", config, 0)
    step = TrainingStep(model, optimizer(model, "sgd", 0.0), checkpointing=True)
    with Peak() as peak:
        step(random_codes(4, 32, rows=50), random_codes(4, 32, rows=50))
    kept = shapes.costs("transformer", config, work).activations_B
    assert 0 < kept <= peak.peak_B < shapes.costs("transformer", config, replace(work, checkpointing=False)).memory_B


def test_a_batch_has_no_more_parts_than_sequences():
    config = CONFIGS["lstm"]["tied"]
    found = shapes.costs("lstm", config, replace(WORK, batch_size=2, accumulation=5))
    assert found == shapes.costs("lstm", config, replace(WORK, batch_size=2, accumulation=2))
