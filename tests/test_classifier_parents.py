from pathlib import Path

import pytest
import torch

from model import labelled
from model.classifier_parents import parent
from model.classify import Plan
from model.shapes.classifier import Config

CPU = torch.device("cpu")


@pytest.fixture
def data(tmp_path: Path) -> labelled.Labelled:
    path = tmp_path / "reviews.tsv"
    path.write_text("".join(f"good\tI like film {i}\nbad\tI hate film {i}\n" for i in range(20)))
    return labelled.load(path, rows=60)


CONFIG = Config(vocabulary=60, hidden=8, layers=1, classes=2, encoder="bag-of-words")


def test_a_parent_is_trained_once_and_then_read(tmp_path: Path, data: labelled.Labelled):
    first, again, other = (
        parent(CONFIG, data, Plan(epochs=2, seed=seed), 60.0, tmp_path / "cache", device=CPU) for seed in (0, 0, 1)
    )
    assert first.steps == again.steps == 6
    assert (again.seconds, again.held_out_loss) == (first.seconds, first.held_out_loss)
    assert first.path == again.path != other.path
    assert torch.equal(first.model.head.weight, again.model.head.weight)


def test_a_damaged_parent_is_made_again(tmp_path: Path, data: labelled.Labelled):
    first = parent(CONFIG, data, Plan(epochs=1), 60.0, tmp_path, device=CPU)
    first.path.write_bytes(first.path.read_bytes()[:-8])
    again = parent(CONFIG, data, Plan(epochs=1), 60.0, tmp_path, device=CPU)
    assert torch.equal(first.model.head.weight, again.model.head.weight)


def test_a_folder_that_cannot_be_written_costs_the_file_alone(data: labelled.Labelled):
    made = parent(CONFIG, data, Plan(epochs=1), 60.0, Path("/dev/null/nowhere"), device=CPU)
    assert made.path is None
    assert made.steps == 3
