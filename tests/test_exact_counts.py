"""The gate gates this project: no default point does more than the committed baseline says."""

import pytest
import torch

from reports import exact_counts, gate_remedies
from tests import baselines

BASELINE = baselines.read()
BENCHMARKS = baselines.benchmarks()
TORCH = torch.__version__.partition("+")[0]


def ungated(counts):
    return {name: count for name, count in counts.items() if name not in baselines.OF_TORCH}


@pytest.fixture(scope="module")
def counted():
    """Counts of each benchmark, made once."""
    threads = torch.get_num_threads()
    yield {name: baselines.counts(point) for name, point in BENCHMARKS.items()}
    torch.set_num_threads(threads)


def changed(base, new, benchmark):
    findings = exact_counts.compare(benchmark, base, new)
    return [gate_remedies.sentence(each) for each in findings if each.code != "exact_equal"]


def test_the_baseline_holds_the_default_points():
    assert BASELINE["counts"].keys() == BENCHMARKS.keys(), "write it again: python -m tests.baselines"


@pytest.mark.parametrize("name", BENCHMARKS)
def test_parameters_flops_and_bytes_are_those_of_the_baseline(name, counted):
    assert not changed(ungated(BASELINE["counts"][name]), ungated(counted[name]), name)


@pytest.mark.parametrize("name", BENCHMARKS)
def test_operators_are_those_of_the_baseline(name, counted):
    if BASELINE["torch"] != TORCH:
        pytest.skip(f"the baseline was counted with torch {BASELINE['torch']}, and this is {TORCH}")
    before, now = BASELINE["counts"][name], counted[name]
    assert not changed({"operators": before["operators"]}, {"operators": now["operators"]}, name)


def test_one_more_operator_is_seen():
    counts = next(iter(BASELINE["counts"].values()))
    (said,) = changed(counts, counts | {"operators": counts["operators"] + 1}, "lstm")
    assert "operators more" in said
    assert "--allow-more operators" in said
