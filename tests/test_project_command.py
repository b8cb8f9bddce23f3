"""`pinchpoint project` in this process: what it answers, writes and refuses. One calibration serves all tests."""

import csv
import io
import json
import subprocess
import sys
from dataclasses import replace

import pytest

from bench.opening import open_store
from bench.record import Ceiling, to_json
from bench.store import Run
from tests import factories

MODEL = ("project", "--model", "llama-3.1-8b", "--draws", 100)
OWN = """
[sources.me]
where = "my desk"
standing = "own"
[[device]]
name = "Desk 1"
vendor = "Me"
kind = "data-center"
architecture = "Own"
memory = {sources = ["me"], size_B = 51539607552, bandwidth_B_per_s = 1e12}
peaks = {sources = ["me"], fp16_FLOP_per_s = 2e14}
"""
PRICE = """
[[price]]
device = "Desk 1"
kind = "street"
amount = 7000
currency = "EUR"
per = "device"
date = "2026-05"
sources = ["me"]
"""
CEILINGS = {
    "matmul_fp32_FLOP_per_s": Ceiling(1e11, "FLOP/s", 1, "matmul, fp32"),
    "read_B_per_s": Ceiling(1e10, "B/s", 1, "read, memory"),
}


@pytest.fixture
def own(tmp_path):
    """A catalogue with a device of one's own, without a price."""
    path = tmp_path / "own.toml"
    path.write_text(OWN)
    return path


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Decodes of a Transformer at two batches, one of an LSTM, and a training, on a processor."""
    axes = [
        {"architecture": "transformer", "size": "nano", "workload": "decode", "batch_size": batch} for batch in (1, 8)
    ]
    axes += [{"workload": "decode"}, {"workload": "train"}]
    records = [replace(factories.record(**each), ceilings=CEILINGS) for each in axes]
    folder = tmp_path_factory.mktemp("store")
    with open_store(str(folder), create=True) as kept:
        first = records[0]
        kept.add_run(Run(first.run, "sweep", first.started_at, tuple(r.axes for r in records), {}, "", first.host))
        for record in records:
            for block in record.blocks:
                kept.add_block(record.run, record.point, block)
            kept.put_record(record)
    (folder / "export.jsonl").write_text("".join(to_json(record) + "\n" for record in records))
    return folder


def flat(text):
    return " ".join(text.split())


def test_it_says_what_to_buy_what_that_costs_and_how_sure_in_80_columns(pinchpoint, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    asked = ("--engine", "vllm", "--demand", "5000tok/s", "--ttft", "500ms", "--tpot", "50ms")
    code, out, err = pinchpoint(*MODEL, *asked, "--to", "h100 sxm,2x l40s,a100 sxm 80gb@300W")
    assert (code, err) == (0, "")
    assert out.startswith("Buy ")
    assert "A100 SXM 80GB @ 300 W" in flat(out)
    assert "2 x L40S" in out
    assert "asked for: 5,000 tokens/s" in flat(out)
    assert flat(out).count("What would change it") == 1
    assert max(map(len, out.splitlines())) <= 80


def test_rows_are_complete_in_every_form(pinchpoint):
    asked = (*MODEL, "--to", "l40s,t4", "--weights", "fp8", "-o")
    rows = json.loads(pinchpoint(*asked, "json")[1])
    assert [row["device"] or row["label"] for row in rows] == ["NVIDIA L40S", "NVIDIA T4"]
    assert rows[0]["tokens_per_s_low"] < rows[0]["tokens_per_s"] < rows[0]["tokens_per_s_high"]
    assert "no products in fp8" in rows[1]["refused"]
    assert [json.loads(line) for line in pinchpoint(*asked, "jsonl")[1].splitlines()] == rows
    table = list(csv.DictReader(io.StringIO(pinchpoint(*asked, "csv")[1])))
    assert float(table[0]["owned_per_Mtoken"]) == rows[0]["owned_per_Mtoken"]
    assert "## What to buy or rent" in pinchpoint(*asked, "md")[1]


def test_a_seed_gives_the_same_answer_again_and_another_one_others(pinchpoint):
    asked = (*MODEL, "--to", "l40s", "-o", "csv", "--seed")
    assert pinchpoint(*asked, 1) == pinchpoint(*asked, 1) != pinchpoint(*asked, 2)


@pytest.mark.parametrize(
    ("to", "found", "not_found"),
    [
        ("all", "NVIDIA GeForce RTX 4090", "Nobody's"),
        ("apple", "Apple M3 Ultra (80-core GPU)", "NVIDIA H100 SXM"),
        ("AMD data-center,t4", "NVIDIA T4", "AMD Radeon RX 7900 XTX"),
        ("", "NVIDIA H100 SXM", "NVIDIA GeForce RTX 4090"),
    ],
)
def test_groups_of_devices_are_named_by_kind_and_vendor(pinchpoint, to, found, not_found):
    code, out, _ = pinchpoint(*MODEL, "-b", 1, "--criterion", "speed", "-o", "json", *(["--to", to] if to else []))
    devices = {row["device"] for row in json.loads(out)}
    assert code == 0
    assert found in devices
    assert not_found not in devices


def test_more_devices_share_a_model_where_each_then_generates_more(pinchpoint):
    """70 GB of weights fit one H100 of 80 GB, with room for a handful of sequences."""
    asked = (
        "project",
        "--model",
        "llama-3.1-70b",
        "--weights",
        "fp8",
        "--to",
        "h100 sxm",
        "--draws",
        100,
        "-o",
        "json",
    )
    (free,) = json.loads(pinchpoint(*asked)[1])
    (one,) = json.loads(pinchpoint(*asked, "--devices-most", 1)[1])
    assert free["devices_per_replica"] > one["devices_per_replica"] == 1
    assert free["owned_per_Mtoken"] < one["owned_per_Mtoken"]


def test_llama_cpp_puts_whole_layers_on_each_device(pinchpoint):
    asked = (*MODEL, "--engine", "LLAMA.CPP/vulkan", "--weights", "q4_0", "--to", "2x rtx 4090", "-o", "json")
    (row,) = json.loads(pinchpoint(*asked)[1])
    assert row["split"] == "pipeline"


def test_a_device_of_ones_own_without_a_price_is_ranked_by_speed_and_that_is_said(pinchpoint, own):
    code, out, _ = pinchpoint(*MODEL, "--catalogue", own, "--to", "desk")
    assert code == 0
    assert out.startswith("Take one Desk 1")
    assert "there is no price to buy Desk 1" in flat(out)
    assert "ranked by speed" in flat(out)


def test_a_store_is_projected_with_its_own_device_beside_the_others(pinchpoint, store, tmp_path):
    code, out, err = pinchpoint("project", store, "--draws", 100, "--to", "here,l40s", "--output-dir", tmp_path)
    assert code == 0
    assert "transformer/nano, fp32, batch 1" in flat(out)
    assert "own" in out
    assert "(2 more can be chosen with --point)" in flat(out)
    assert "1 record left out" in flat(out)
    assert "only limits are known" in flat(out)
    page = (tmp_path / "project.html").read_text()
    assert "What to buy or rent" in page
    assert "Batch size" in page or "batch size" in page
    assert str(tmp_path / "project.html") in err


def test_a_point_of_an_export_is_chosen_by_its_words_and_its_batch_kept(pinchpoint, store):
    asked = ("project", store / "export.jsonl", "--draws", 100, "--to", "here", "-o", "json", "--point")
    (eight,) = json.loads(pinchpoint(*asked, "nano 8")[1])
    assert eight["batch"] == 8
    assert pinchpoint(*asked, "lstm")[0] == 0
    code, _, err = pinchpoint(*asked, "mamba")
    assert (code, "No point has 'mamba'" in err, "transformer/nano" in err) == (2, True, True)


def test_own_measurements_count_for_a_named_model_too(pinchpoint, store):
    asked = ("project", "--model", "transformer/nano", "--weights", "fp32", "--kv", "fp32", "--engine", "llama.cpp")
    code, out, _ = pinchpoint(*asked, store, "--draws", 100, "--to", "here")
    assert code == 0
    assert "2 threads" in out or "threads" in out


def test_a_pack_is_written_for_what_pinchpoint_can_run(pinchpoint, store, tmp_path):
    asked = ("project", "--model", "transformer/7b", "--weights", "bf16", "--to", "l40s", "--draws", 100, "--rfp")
    pack = tmp_path / "pack"
    code, _, err = pinchpoint(*asked, pack, "--ttft", "200ms")
    assert (code, "with 2 limits" in err) == (0, True)
    assert 'size = "7b"' in (pack / "spec.toml").read_text()
    assert (pack / "limits.toml").exists()
    assert "--overwrite" in pinchpoint(*asked, pack)[2]
    assert pinchpoint(*asked, pack, "--overwrite", "--factor", 2)[0] == 0
    code, _, err = pinchpoint("project", store, "--to", "here", "--draws", 100, "--rfp", tmp_path / "own")
    assert (code, "limit" in err) == (0, True), err
    assert 'size = "nano"' in (tmp_path / "own" / "spec.toml").read_text()
    code, _, err = pinchpoint(*asked, tmp_path / "engine", "--engine", "vllm")
    assert (code, "limits of vllm say nothing" in err) == (2, True)
    code, _, err = pinchpoint(*MODEL, "--to", "l40s", "--rfp", tmp_path / "none")
    assert (code, "from its name alone" in err) == (2, True)
    code, _, err = pinchpoint("project", "--model", "transformer/7b", "--to", "l40s", "--rfp", tmp_path / "none")
    assert (code, "no weights in fp16" in err) == (2, True)


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--to", "h100sx"], "no device 'h100sx'. The nearest are NVIDIA H100 SXM"),
        (["--to", "h100 sxm,,l40s"], "has an empty part"),
        (["--to", "16x l40s"], "asks for 16 devices that serve a replica together"),
        (["--to", "here"], "--to here is the device of a STORE"),
        (["--model", "lama-3.1-8b"], "Did you mean 'Llama-3.1-8B'?"),
        (["--weights", "fb8"], "Did you mean 'fp8'?"),
        (["--engine", "vlm"], "Did you mean 'vllm'?"),
        (["--engine", "llama.cpp/vulkn"], "Did you mean 'Vulkan'?"),
        (["--set", "life_years=0"], "The assumption life_years is 0."),
        (["--set", "life_years=-1"], "The assumption life_years is -1."),
        (["--set", "utilization=1.2"], "The assumption utilization is 1.2."),
        (["--set", "life_years=long"], "The assumption life_years is 'long'."),
        (["--set", "life=3"], "There is no assumption 'life'."),
        (["--set", "life_years"], "is not NAME=VALUE"),
        (["--set", "PUE=1.2", "--set", "PUE=1.3"], "is given twice"),
        (["--set", "currency=EUR", "--to", "l40s"], "are in USD, the answer is in EUR"),
        (["--mix", "chat:0.7,summarize:0.7"], "add up to 1.4"),
        (["--demand", "5000"], "The demand '5000' is not understood."),
        (["--ttft", "500"], "The time '500' is not understood."),
        (["--point", "nano"], "--point chooses the work that a STORE measured."),
        (["--catalogue", "none.toml"], "none.toml cannot be read"),
        (["--assumptions", "none.toml"], "none.toml cannot be read"),
        (["--batch-size", "0"], "0 is not in the range"),
    ],
)
def test_what_cannot_be_is_told_in_a_sentence_with_its_remedy(pinchpoint, flags, says):
    code, out, err = pinchpoint(*MODEL, *flags)
    assert (code, out) == (2, "")
    assert says in err
    assert len(err.splitlines()) >= 2


def test_prices_in_another_currency_and_a_contradictory_catalogue_are_refused(pinchpoint, own):
    own.write_text(OWN + PRICE)
    code, _, err = pinchpoint(*MODEL, "--catalogue", own, "--to", "desk,l40s")
    assert (code, "The prices of Desk 1 are in EUR, the answer is in USD" in err) == (2, True)
    assert pinchpoint(*MODEL, "--catalogue", own, "--to", "desk", "--set", "currency=EUR")[0] == 0
    own.write_text(OWN + PRICE.replace('per = "device"', 'per = "hour"'))
    code, _, err = pinchpoint(*MODEL, "--catalogue", own, "--to", "desk")
    assert (code, "own.toml is wrong" in err) == (2, True)


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--model", "llama-3.1-405b", "--to", "l40s,rtx 4090"], "Too little memory, by the amount in brackets."),
        (["--batch-size", "60000", "--to", "l40s"], "8 x NVIDIA L40S (4078.4 GB)"),
        (["--ttft", "1us", "--to", "l40s,t4"], "No device does what was asked. The nearest is"),
    ],
)
def test_exit_code_3_where_nothing_does_what_is_asked(pinchpoint, flags, says):
    code, out, _ = pinchpoint(*MODEL, *flags)
    assert (code, says in flat(out)) == (3, True)


def test_without_a_model_or_anything_usable_in_a_store_it_says_what_to_do(pinchpoint, tmp_path):
    assert "No model is named." in pinchpoint("project")[2]
    train = factories.record(workload="train")
    (tmp_path / "export.jsonl").write_text(to_json(train) + "\n")
    code, _, err = pinchpoint("project", tmp_path / "export.jsonl")
    assert (code, "can be projected: 1 record left out" in err, "--model" in err) == (2, True, True)
    assert pinchpoint("project", tmp_path / "nothing")[0] == 2


def test_devices_and_models_are_listed_within_80_columns(pinchpoint, own, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    _, out, _ = pinchpoint("project", "--list-devices", "--catalogue", own)
    assert "Desk 1" in out
    assert "H100 SXM" in out
    assert max(map(len, out.splitlines())) <= 80
    _, few, _ = pinchpoint("project", "--list-devices", "--to", "apple")
    assert "NVIDIA" not in few
    _, models, _ = pinchpoint("project", "--list-models")
    assert "Llama-3.1-8B" in models
    assert max(map(len, models.splitlines())) <= 80


def test_its_help_imports_nothing_heavy():
    code = (
        "import sys; from bench.cli import cli; cli(['project', '--help'], standalone_mode=False);"
        "print([name for name in ('torch', 'pandas', 'scipy', 'numpy', 'pydantic', 'rich') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_a_name_that_begins_with_digits_and_an_x_is_no_count(pinchpoint):
    code, out, err = pinchpoint(*MODEL, "--engine", "llama.cpp", "-b", "1", "--to", "7900 xtx", "-o", "csv")
    assert code == 0, err
    assert "AMD Radeon RX 7900 XTX" in out


def test_a_page_that_cannot_be_written_does_not_cost_the_answer(pinchpoint, tmp_path):
    (tmp_path / "taken").write_text("no folder")
    code, out, err = pinchpoint(*MODEL, "--to", "l40s", "--output-dir", tmp_path / "taken")
    assert code == 2
    assert "L40S" in out
    assert "cannot be" in err
