"""Every ceiling gives its figures or the reason why not. How fast this machine is plays no part."""

import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from bench import ceilings, host
from bench.ceilings import (
    Setting,
    _caches,
    _gather,
    _products,
    _race,
    bandwidth,
    collective,
    disk,
    gather,
    kernel,
    matmul,
)
from bench.errors import Unsupported
from bench.executors.local import Child, cache_folder

CPU = torch.device("cpu")

SUFFIX = {
    "s": "_s",
    "B/s": "_B_per_s",
    "FLOP/s": "_FLOP_per_s",
    "OP/s": "_OP_per_s",
    "tokens/s": "_tokens_per_s",
    "places/s": "_places_per_s",
}


@pytest.fixture
def setting():
    """One thread; torch's own number is put back afterwards."""
    before = torch.get_num_threads(), torch.get_float32_matmul_precision()
    yield Setting("cpu", 1, str(cache_folder()))
    torch.set_num_threads(before[0])
    torch.set_float32_matmul_precision(before[1])


@pytest.fixture
def small(monkeypatch):
    """Work so small that every ceiling takes a moment."""
    monkeypatch.setattr(_race, "BLOCK_S", 1e-4)
    monkeypatch.setattr(_products, "SETTLE_S", 0.0)
    monkeypatch.setattr(matmul, "CPU_SHAPES", ((16, 16, 16), (32, 16, 16)))
    monkeypatch.setattr(kernel, "WIDTH", 32)
    monkeypatch.setattr(bandwidth, "SMALLEST_B", 2**21)
    monkeypatch.setattr(bandwidth, "CACHE_WORK_B", 2**20)
    monkeypatch.setattr(_caches, "sizes_B", lambda: {1: 2**14, 2: 2**18})
    monkeypatch.setattr(disk, "SIZE_B", 2**22)
    monkeypatch.setattr(collective, "LARGE_B", 2**12)
    monkeypatch.setattr(gather, "PLACES", 2**8)
    monkeypatch.setattr(gather, "LINKS", 2**8)


@pytest.mark.parametrize("name", ceilings.names())
def test_a_ceiling_gives_every_figure_with_interval_unit_and_how_or_the_reason(name, setting, small):
    for figure, found in ceilings.measure(name, setting).items():
        assert figure.endswith(SUFFIX[found.unit])
        if found.value is None:
            assert found.reason.endswith(".")
        else:
            assert 0 < found.low <= found.value <= found.high
            assert found.n >= _race.FEWEST_ROUNDS
            assert found.how
            assert found.direction == (-1 if found.unit == "s" else 1)


def test_a_ceiling_is_measured_in_a_child():
    child = Child()
    try:
        child.ask(None, 60)
        request = {"do": "ceiling", "name": "dispatch", "setting": dataclasses.asdict(Setting("cpu", 1, "."))}
        found = child.ask(request, 60)["ceiling"]
    finally:
        child.kill()
    assert found["dispatch_empty_s"]["value"] > 0


def test_every_kernel_computes_the_same_product(setting):
    cores = dataclasses.replace(setting, threads=host.usable_cores())
    torch.manual_seed(0)
    steps = dict(_products._steps(1, 48, 32, "fp32", cores, CPU))
    assert {"torch.mm", "torch.mv", "numpy.matmul"} <= set(steps)
    expected = steps["torch.mm"]().clone()
    for step in steps.values():
        torch.testing.assert_close(torch.as_tensor(step()).reshape(1, -1), expected)


def test_the_best_time_for_a_shape_names_its_kernel(setting, small):
    found = kernel.best_time(3, 16, 8, "bf16", setting)
    assert found.unit == "s"
    assert found.label == "bf16 (3, 8) x (8, 16)"
    assert found.how in dict(_products._steps(3, 16, 8, "bf16", setting, CPU))


def test_a_product_that_no_kernel_takes_is_unsupported_with_the_last_refusal(setting, monkeypatch):
    def refuse(*_, **__):
        raise RuntimeError("not implemented for 'Half'")

    monkeypatch.setattr(torch, "_int_mm", refuse)
    with pytest.raises(Unsupported, match="multiplies no int8 matrices on cpu: not implemented for 'Half'"):
        _products.contenders(4, 4, 4, "int8", setting, CPU)


def test_a_search_stops_where_a_product_takes_too_long(setting, monkeypatch):
    monkeypatch.setattr(matmul, "MOST_S", 0.0)
    searched = list(matmul._affordable("fp32", setting, CPU))
    assert [sides for sides, _ in searched] == [matmul.CPU_SHAPES[0]]


def test_a_shape_that_suits_a_single_library_is_found(setting, small, monkeypatch):
    work = {("torch.mm", 16): 2, ("torch.mm", 32): 3, ("numpy.matmul", 16): 9, ("numpy.matmul", 32): 1}

    def contenders(m, *_, **__):
        found = {kernel: done for (kernel, rows), done in work.items() if rows == m}
        return {kernel: _race.Contender(lambda n: [1e-3] * n, done) for kernel, done in found.items()}

    monkeypatch.setattr(_products, "contenders", contenders)
    monkeypatch.setattr(matmul, "BEST_SHAPES", 1)
    assert set(matmul.finalists("fp32", setting, CPU)) == {"torch.mm 16x16x16", "numpy.matmul 16x16x16"}


def test_a_walk_goes_through_every_line_of_its_ring_once():
    nodes = np.zeros((64, 8), dtype=np.uint64)
    heads = gather._link(nodes, 16)
    seen = []
    for head in heads:
        at = head
        for _ in range(16):
            seen.append((at - nodes.ctypes.data) // 64)
            after = int(nodes[seen[-1], 0])
            assert int(nodes[(after - nodes.ctypes.data) // 64, 1]) == at
            at = after
        assert at == head
    assert sorted(seen) == list(range(64))


def test_the_disk_is_read_only_where_the_page_cache_could_be_dropped(setting, small, monkeypatch):
    monkeypatch.delattr(os, "posix_fadvise")
    (found,) = disk.measure(setting).values()
    assert found.value is None
    assert "keeps the file's pages in memory" in found.reason


def test_a_file_in_memory_is_not_taken_for_one_on_disk(setting, small):
    if not Path("/dev/shm").is_dir():
        pytest.skip("this system has no /dev/shm")
    (found,) = disk.measure(dataclasses.replace(setting, folder="/dev/shm")).values()
    assert found.value is None


def test_a_ceiling_that_fails_is_missing_with_the_reason_and_the_rest_is_measured(monkeypatch, tmp_path):
    monkeypatch.setattr(ceilings, "names", lambda: ("matmul", "disk"))
    told = []
    found = _gather.gather(
        Setting("cuda:99", 1, str(tmp_path)), host.describe(), lambda *now: told.append(now)
    ).ceilings
    assert found["matmul"]["matmul"].value is None
    assert found["matmul"]["matmul"].reason.startswith("unsupported: ")
    assert set(found["disk"]) == {"disk_read_B_per_s"}
    assert told == [("matmul", 0, 2), ("disk", 1, 2)]
    assert list(tmp_path.iterdir()) == []
