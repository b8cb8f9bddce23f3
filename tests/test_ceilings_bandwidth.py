"""Bandwidth: how large the buffers are, and that every way to move memory moves all of it."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from bench import host
from bench.ceilings import Setting, _caches, bandwidth
from bench.errors import Unsupported

CPU = torch.device("cpu")


def test_cache_sizes_are_of_data_and_unified_caches(tmp_path):
    for index, (level, kind, size) in enumerate(
        [(1, "Data", "48K"), (1, "Instruction", "64K"), (2, "Unified", "2048K"), (3, "Unified", "1M")]
    ):
        folder = tmp_path / f"index{index}"
        folder.mkdir()
        for name, content in (("level", level), ("type", kind), ("size", size)):
            (folder / name).write_text(f"{content}\n")
    assert _caches.sizes_B(tmp_path) == {1: 48 * 2**10, 2: 2**21, 3: 2**20}
    assert _caches.sizes_B(tmp_path / "none") == {}


def test_buffers_are_four_times_the_last_cache(monkeypatch):
    monkeypatch.setattr(_caches, "sizes_B", lambda: {2: 2**20, 3: 2**24})
    made = bandwidth.make_buffers(CPU)
    assert made.size_B == 2**26
    assert "4 x the last cache" in made.how


def test_buffers_for_which_memory_is_short_say_so(monkeypatch):
    monkeypatch.setattr(_caches, "sizes_B", lambda: {3: 2**26})
    monkeypatch.setattr(host, "available_memory_B", lambda: 6 * 2**26)
    made = bandwidth.make_buffers(CPU)
    assert made.size_B == 2**26
    assert "1 x the last cache (memory allows no more)" in made.how
    monkeypatch.setattr(host, "available_memory_B", lambda: 2**26)
    with pytest.raises(Unsupported, match="are free"):
        bandwidth.make_buffers(CPU)


@pytest.mark.parametrize("threads", [1, 3])
def test_what_moves_memory_moves_all_of_it(threads, monkeypatch):
    monkeypatch.setattr(_caches, "sizes_B", lambda: {3: 2**24})
    made = bandwidth.make_buffers(CPU)
    asked = Setting("cpu", threads, "")
    with ThreadPoolExecutor(threads) as pool:
        for contender in bandwidth.copies(made, asked, pool).values():
            made.result.zero_()
            contender.timed(1)
            assert torch.equal(made.result, made.a)
        for contender in bandwidth.triads(made, asked, pool).values():
            contender.timed(1)
            assert bool((made.result == 4).all())
        seen = []
        bandwidth._on_each(pool, threads, 1000, lambda offset, n: seen.append((offset, n)))()
    assert sum(n for _, n in seen) == 1000
    assert sorted(seen)[0][0] == 0


def test_memcmp_finds_no_difference_and_so_reads_to_the_end():
    a = torch.ones(2**20)
    compare = bandwidth._compare(a)
    assert compare(0, a.nbytes // 2) == 0
    a[-1] = 2.0
    assert compare(0, a.nbytes // 2) != 0
