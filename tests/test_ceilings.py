"""Ceilings: what wins, what is kept and what is refused. How fast this machine is plays no part."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest
import torch

from bench import ceilings, host
from bench.ceilings import (
    Ceiling,
    Measured,
    Setting,
    _cache,
    _caches,
    _gather,
    _products,
    _race,
    bandwidth,
    collective,
    disk,
    kernel,
    matmul,
)
from bench.errors import Unsupported, UserError
from bench.executors.local import Child, cache_folder

CPU = torch.device("cpu")
FACTS = host.describe()


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


def fake(seconds, work=1.0):
    """A contender whose clock is a script: it gives `seconds`, the last for ever."""
    left = list(seconds)

    def timed(iterations):
        return [left.pop(0) if len(left) > 1 else left[0] for _ in range(iterations)]

    return _race.Contender(timed, work)


SUFFIX = {"s": "_s", "B/s": "_B_per_s", "FLOP/s": "_FLOP_per_s", "OP/s": "_OP_per_s", "tokens/s": "_tokens_per_s"}


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


def test_more_work_in_a_second_wins_though_it_takes_longer():
    winner = _race.fastest({"short": fake([1.0], work=1), "long": fake([2.0], work=5)})
    assert winner == _race.Winner("long", [2.5] * _race.ROUNDS)


def test_a_lucky_sample_of_the_search_is_not_the_result():
    lucky = {"lucky": fake([1.0, 1.0, 0.01, 1.0]), **{f"steady {i}": fake([0.5 + i / 100]) for i in range(3)}}
    winner = _race.fastest(lucky)
    assert winner.name == "steady 0"
    assert set(winner.rates) == {2.0}


def test_a_disturbed_iteration_does_not_lower_its_round():
    rates = _race.rounds({"one": fake([0.005, 0.005, *[0.005, 0.5, 0.005, 0.005] * 9])}, 9)["one"]
    assert rates == [200.0] * 9


def test_past_its_time_a_measurement_ends_with_the_fewest_rounds_that_give_an_interval():
    winner = _race.fastest({"slow": fake([1.0])}, limit_s=0)
    assert len(winner.rates) == _race.FEWEST_ROUNDS
    assert _race.as_rate(winner, "B/s", "slow", "").low is not None


def test_a_duration_is_the_inverse_of_the_rate_with_its_bounds_in_order():
    found = _race.as_duration(_race.Winner("x", [1, 2, 4, 4, 4, 4, 4, 8, 10]), "x", "")
    assert (found.value, found.low, found.high) == (0.25, 0.125, 0.5)


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
    searched = list(matmul._affordable("torch.mm", "fp32", setting, CPU))
    assert [shape for shape, _ in searched] == ["256x256x256"]


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
def test_what_moves_memory_moves_all_of_it(threads, monkeypatch, setting):
    from concurrent.futures import ThreadPoolExecutor

    monkeypatch.setattr(_caches, "sizes_B", lambda: {3: 2**24})
    made = bandwidth.make_buffers(CPU)
    asked = dataclasses.replace(setting, threads=threads)
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
    found = _gather.gather(Setting("cuda:99", 1, str(tmp_path)), FACTS, lambda *now: told.append(now)).ceilings
    assert found["matmul"]["matmul"].value is None
    assert found["matmul"]["matmul"].reason.startswith("unsupported: ")
    assert set(found["disk"]) == {"disk_read_B_per_s"}
    assert told == [("matmul", 0, 2), ("disk", 1, 2)]
    assert list(tmp_path.iterdir()) == []


def measured(**changed):
    """Made-up ceilings of this host."""
    figures = {"read_B_per_s": Ceiling(2e10, "B/s", 1, "read, memory", 1.9e10, 2.1e10, 9, how="torch.dot [a] " * 9)}
    none = {"x_B_per_s": ceilings.missing("host to device, pinned", "B/s", 1, "This torch is built without CUDA.")}
    made = Measured(
        _cache.SCHEMA,
        str(FACTS["fingerprint"]),
        _cache.host_name(FACTS),
        "auto",
        1,
        datetime.now(UTC).isoformat(),
        0.0,
        {"bandwidth": figures, "transfer": none},
    )
    return dataclasses.replace(made, **changed)


def test_what_is_kept_is_read_back_whole(tmp_path):
    _cache.write(tmp_path / "kept.json", measured())
    kept = _cache.read(tmp_path / "kept.json", FACTS)
    assert dataclasses.replace(kept, measured_at="") == measured(measured_at="")


def test_ceilings_are_kept_for_thirty_days(tmp_path):
    made = measured()
    _cache.write(tmp_path / "kept.json", made)
    then = datetime.fromisoformat(made.measured_at)
    assert _cache.read(tmp_path / "kept.json", FACTS, then + timedelta(days=30)) == made
    assert _cache.read(tmp_path / "kept.json", FACTS, then + timedelta(days=30, seconds=1)) is None
    assert _cache.read(tmp_path / "kept.json", FACTS, then - timedelta(seconds=1)) is None


@pytest.mark.parametrize("damage", ["", "{", '{"schema": 1}', "null"])
def test_a_damaged_file_counts_as_none(tmp_path, damage):
    (tmp_path / "kept.json").write_text(damage)
    assert _cache.read(tmp_path / "kept.json", FACTS) is None


@pytest.mark.parametrize("changed", [{"schema": 99}, {"measured_at": "yesterday"}, {"measured_at": "2026-01-01T00:00"}])
def test_a_file_that_cannot_be_judged_counts_as_none(tmp_path, changed):
    _cache.write(tmp_path / "kept.json", measured(**changed))
    assert _cache.read(tmp_path / "kept.json", FACTS) is None


def test_ceilings_of_another_host_are_refused_with_both_named(tmp_path):
    _cache.write(tmp_path / "kept.json", measured(fingerprint="feed", host="Other CPU, 64 cores, no GPU"))
    with pytest.raises(UserError, match="Other CPU, 64 cores") as refused:
        _cache.read(tmp_path / "kept.json", FACTS)
    assert _cache.host_name(FACTS) in refused.value.message
    assert "--refresh" in refused.value.remedy


@pytest.fixture
def own_folder(tmp_path, monkeypatch):
    """A cache that no other test has written to."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "pinchpoint"


@pytest.fixture
def gathered(monkeypatch, own_folder):
    """Every gathering is noted, and gives made-up ceilings."""
    settings = []

    def gather(setting, *_):
        settings.append(setting)
        return measured()

    monkeypatch.setattr(_gather, "gather", gather)
    return settings


def test_the_command_measures_once_and_again_when_asked(pinchpoint, gathered):
    assert pinchpoint("ceilings", "--threads", 1)[0] == 0
    assert pinchpoint("ceilings", "--threads", 1)[0] == 0
    assert len(gathered) == 1
    assert pinchpoint("ceilings", "--threads", 1, "--refresh")[0] == 0
    assert pinchpoint("ceilings", "--threads", 2)[0] == 0
    assert [setting.threads for setting in gathered] == [1, 1, 2]


def test_the_table_fits_80_columns_and_shows_reasons(pinchpoint, gathered):
    _, out, err = pinchpoint("ceilings", "--threads", 1)
    assert "18.6 [17.7, 19.6] GiB/s" in out
    assert "torch.dot [a]" in " ".join(out.split())
    assert "without CUDA" in " ".join(out.split())
    assert max(len(line) for line in out.splitlines()[1:]) <= 80
    assert err == ""


@pytest.mark.parametrize(("load", "told"), [(0.1, False), (None, False), (9.0, True)])
def test_ceilings_of_a_busy_machine_say_so(pinchpoint, gathered, monkeypatch, load, told):
    monkeypatch.setattr(_gather, "gather", lambda *_: measured(load_1min=load))
    _, out, err = pinchpoint("ceilings")
    assert ("busy" in err) == told
    assert "busy" not in out


def test_json_holds_every_interval(pinchpoint, gathered):
    _, out, _ = pinchpoint("ceilings", "-o", "json")
    assert json.loads(out)["ceilings"]["bandwidth"]["read_B_per_s"]["low"] == 1.9e10


def test_help_of_ceilings_has_examples_and_fits_80_columns(pinchpoint):
    code, out, _ = pinchpoint("ceilings", "--help")
    assert code == 0
    assert "Examples" in out
    assert max(len(line) for line in out.splitlines()) <= 80


def test_a_cache_that_cannot_be_written_costs_a_warning_and_no_figure(pinchpoint, gathered, own_folder):
    own_folder.write_text("a file where the folder should be")
    code, out, err = pinchpoint("ceilings")
    assert code == 0
    assert "read, memory" in out
    assert "could not be kept" in err


def test_where_nothing_could_be_measured_the_exit_code_is_3(pinchpoint, gathered, monkeypatch):
    none = measured().ceilings["transfer"]
    monkeypatch.setattr(_gather, "gather", lambda *_: measured(ceilings={"transfer": none}))
    assert pinchpoint("ceilings")[0] == 3


def workers_of(pid):
    """Its children that measure; it also asks git for the commit."""
    return [child for child in psutil.Process(pid).children() if "bench.worker" in child.cmdline()]


def test_ctrl_c_ends_the_children_and_leaves_nothing_half_written(own_folder):
    command = [sys.executable, "-P", "-m", "bench.cli", "ceilings", "--threads", "1"]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    ends = time.monotonic() + 60
    while not (children := workers_of(running.pid)) and time.monotonic() < ends:
        time.sleep(0.05)
    assert children
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert out == ""
    assert "Traceback" not in err
    assert not any(child.is_running() for child in children)
    assert not list(own_folder.glob("ceilings-*"))
