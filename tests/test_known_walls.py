"""The programs with known walls: what they claim is complete, and the light ones run. How fast plays no part."""

from random import Random

import pytest
import torch

from bench.ceilings import disk
from bench.errors import Unsupported
from reports.walls import WALLS
from tests.known_walls import groups, mixtures
from tests.known_walls.case import Machine
from tests.known_walls.catalogue import MIXED, PURE

#: They give the process a network or a control group of its own, so they run in children alone.
OUTSIDE = {"slow_link", "full_memory"}


@pytest.fixture
def small(tmp_path):
    """A machine with tiny caches, so that cases that are laid out by them are small."""
    before = torch.get_num_threads()
    yield Machine(1, {1: 2**12, 2: 2**14, 3: 2**18}, str(tmp_path))
    torch.set_num_threads(before)


def test_there_are_sixteen_pure_cases_or_more_and_a_mixture_of_each_pair():
    assert len(PURE) >= 16
    assert len(MIXED) == 6


@pytest.mark.parametrize("name", sorted(set(PURE) - OUTSIDE))
def test_a_pure_case_has_one_true_wall_and_a_step_that_runs_again_and_again(name, small):
    try:
        case = PURE[name](Random(0), small)
    except Unsupported as reason:
        pytest.skip(str(reason))
    (wall,) = case.truth
    assert wall in WALLS
    case.step()
    case.step()
    case.close()


@pytest.mark.parametrize("name", sorted(set(PURE) - OUTSIDE))
def test_sizes_are_drawn_by_the_seed_alone(name, small):
    try:
        cases = [PURE[name](Random(seed), small) for seed in (0, 0, 1, 2, 3)]
    except Unsupported as reason:
        pytest.skip(str(reason))
    for case in cases:
        case.close()
    sizes = [case.sizes for case in cases]
    assert sizes[0] == sizes[1]
    assert len(set(sizes)) > 1


@pytest.mark.parametrize("name", sorted(MIXED))
def test_a_mixture_says_what_share_each_part_has(name, small, monkeypatch):
    monkeypatch.setattr(mixtures, "_LENGTH_S", 0.01)
    case = MIXED[name](Random(0), small)
    assert sum(case.truth.values()) == pytest.approx(1)
    assert set(case.truth) <= set(mixtures.PARTS)
    case.step()


def test_a_file_that_stays_in_memory_is_no_cold_file(small, monkeypatch):
    monkeypatch.setattr(disk, "drop", lambda _: False)
    with pytest.raises(Unsupported):
        PURE["cold_files"](Random(0), small)


def test_a_group_of_a_process_that_is_gone_is_removed(tmp_path, monkeypatch):
    group = type("Group", (), {"directory": tmp_path})()
    monkeypatch.setattr(groups.control_group, "memory_group", lambda: group)
    (tmp_path / f"known-walls-{2**22 + 1}").mkdir()  # no process has that id
    (tmp_path / "known-walls-1").mkdir()
    groups.remove_groups()
    assert [folder.name for folder in tmp_path.iterdir()] == ["known-walls-1"]
