"""`pinchpoint ceilings`: what is kept, what is refused, and what is shown."""

import dataclasses
import json
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import psutil
import pytest

from bench import ceilings, host, nvml
from bench.ceilings import Ceiling, Measured, _cache, _gather
from bench.errors import Unsupported, UserError

FACTS = host.describe()


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


def on_a_gpu(**changed):
    """Made-up ceilings of an H100; nothing on the machine of the tests is asked for them."""
    figures = {
        "bandwidth": {"read_B_per_s": Ceiling(2.68e12, "B/s", 1, "read, memory", 2.6e12, 2.7e12, 9, how="vector_norm")},
        "matmul": {
            "matmul_tf32_FLOP_per_s": ceilings.missing("matmul, tf32", "FLOP/s", 1, "Out of memory."),
            "matmul_bf16_FLOP_per_s": Ceiling(
                692.3e12, "FLOP/s", 1, "matmul, bf16", 690e12, 694e12, 9, how="torch.mm 12288x12288x12288"
            ),
        },
        "kernel": {"one_row_bf16_B_per_s": Ceiling(2e12, "B/s", 1, "one-row product, bf16", how="torch.mv [b]")},
    }
    return measured(**{"ceilings": figures} | changed)


@pytest.fixture
def h100(monkeypatch):
    """What NVML tells of the GPU; a test may change it."""
    told = {"name": "NVIDIA H100 80GB HBM3", "memory_B": 81559 * 2.0**20, "power_limit_W": 700.0}
    asked = []

    def describe_one(device):
        asked.append(device)
        return told

    monkeypatch.setattr(nvml, "describe_one", describe_one)
    monkeypatch.setattr(_gather, "gather", lambda *_: on_a_gpu())
    return told | {"told": told, "asked": asked}


def test_the_datasheet_stands_beside_what_was_measured_with_the_share_reached(pinchpoint, own_folder, h100):
    _, out, err = pinchpoint("ceilings")
    table = {line[:16].strip(): line for line in out.splitlines()}
    shares = " ".join(out.split())
    assert "Datasheet: NVIDIA H100 SXM, dense, from secondary tables" in shares
    assert "989 TFLOP/s," in table["matmul, bf16"]
    assert "70 %" in shares
    assert "3.05 TiB/s," in table["read, memory"]
    assert "80 %" in shares
    assert "494 TFLOP/s" in table["matmul, tf32"]  # not measured, so no share of it
    assert "TiB/s," not in table["one-row product,"]
    assert "12288x12288x12288" in out
    assert max(len(line) for line in out.splitlines()[1:]) <= 80
    assert h100["asked"] == ["cuda"]
    assert err == ""


def test_on_a_wide_terminal_figure_and_share_stand_in_one_line(pinchpoint, own_folder, h100, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    _, out, _ = pinchpoint("ceilings")
    assert "989 TFLOP/s, 70 %" in out


def test_a_power_limit_below_the_datasheets_is_told(pinchpoint, own_folder, h100):
    h100["told"]["power_limit_W"] = 500.0
    _, out, _ = pinchpoint("ceilings")
    assert "Its power limit is 500 W; the datasheet's is 700 W." in " ".join(out.split())


def test_json_has_the_datasheet_with_its_sources_and_the_kept_file_has_not(pinchpoint, own_folder, h100):
    _, out, _ = pinchpoint("ceilings", "-o", "json")
    found = json.loads(out)["datasheet"]
    bf16 = found["ceilings"]["matmul"]["matmul_bf16_FLOP_per_s"]
    assert (found["reason"], found["device"]["name"], bf16["value"]) == (None, "NVIDIA H100 SXM", 989e12)
    assert bf16["share"] == pytest.approx(0.7)
    assert bf16["standing"] == found["device"]["peaks"]["standing"] == "secondary"
    assert bf16["sources"] == found["device"]["peaks"]["sources"] != []
    (kept,) = own_folder.glob("ceilings-*")
    assert json.loads(out).keys() - json.loads(kept.read_text()).keys() == {"datasheet"}


@pytest.mark.parametrize(
    ("name", "reason"),
    [("NVIDIA A10M", "'NVIDIA A10M' is not in the catalogue."), ("Tesla T4", "with 16.0 GiB; this one has 79.6 GiB.")],
)
def test_a_device_that_is_not_known_gets_one_line_and_no_column(pinchpoint, own_folder, h100, name, reason):
    h100["told"]["name"] = name
    _, out, _ = pinchpoint("ceilings")
    assert reason in " ".join(out.split())
    assert "reached" not in out
    assert json.loads(pinchpoint("ceilings", "-o", "json")[1])["datasheet"]["device"] is None


def test_a_gpu_that_nvml_does_not_find_is_not_known_for_that_reason(pinchpoint, own_folder, h100, monkeypatch):
    def describe_one(_):
        raise Unsupported("There is no NVIDIA driver on this machine.")

    monkeypatch.setattr(nvml, "describe_one", describe_one)
    assert "not known: There is no NVIDIA driver" in " ".join(pinchpoint("ceilings")[1].split())


def test_ceilings_of_a_processor_are_never_held_against_a_gpu(pinchpoint, own_folder, h100, monkeypatch):
    monkeypatch.setattr(_gather, "gather", lambda *_: on_a_gpu(device="cpu"))
    monkeypatch.setattr(host, "describe", lambda: FACTS | {"cpu": "Intel(R) Xeon(R) Processor"})
    _, out, _ = pinchpoint("ceilings", "--device", "cpu")
    assert "'Intel(R) Xeon(R) Processor' names no model of a processor" in " ".join(out.split())
    assert h100["asked"] == []


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
