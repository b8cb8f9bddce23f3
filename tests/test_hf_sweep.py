"""Models of transformers on the command line, saved by the tests themselves."""

import json

import pytest
import torch

from bench import points
from bench.errors import Unsupported
from bench.session import Session
from model.shapes import Work, hf
from tests.test_hf import MODELS

QUICKLY = [
    "--ceilings=none",
    "--rounds=2",
    "--repetitions=1",
    "--block-seconds=0.001",
    "--warmup-limit=0",
    "-p",
    "8",
    "-n",
    "4",
    "-b",
    "2",
]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A small model of each kind; none has a tokenizer."""
    found = {}
    for name, make in MODELS.items():
        torch.manual_seed(0)
        found[name] = tmp_path_factory.mktemp("models") / name
        make().save_pretrained(found[name])
    return found


def records(out):
    return {record["axes"]["workload"]: record for record in map(json.loads, out.splitlines())}


def test_a_known_shape_is_measured_with_its_costs_and_named_without_its_folder(pinchpoint, folders, tmp_path):
    command = ["sweep", "ci", "-a", "hf", "--model", folders["gpt2"], "-w", "train,decode", *QUICKLY]
    code, out, _ = pinchpoint(*command, "--output-dir", tmp_path / "out", "-o", "jsonl")
    assert code == 0
    found = records(out)
    assert {workload: record["status"] for workload, record in found.items()} == {"train": "ok", "decode": "ok"}
    for record in found.values():
        assert record["axes"]["model"] == f"gpt2@{hf.identity(hf.Config(str(folders['gpt2'])))[:8]}"
        assert record["axes"]["size"] == "own"
        assert record["facts"]["parameters"] == record["costs"]["parameters"]
        assert "not its own tokens" in record["facts"]["codes"]
        assert str(folders["gpt2"]) not in json.dumps(record)
        assert "comes trained" in record["metrics"]["perplexity"]["reason"]
    assert found["decode"]["costs"]["tokens"] == 2 * 4


def test_a_shape_without_arithmetic_has_a_throughput_and_no_costs(pinchpoint, folders, tmp_path):
    command = ["sweep", "ci", "-a", "hf", "--model", folders["t5"], "-w", "prefill,decode", *QUICKLY]
    code, out, _ = pinchpoint(*command, "--output-dir", tmp_path / "out", "-o", "jsonl")
    assert code == 0
    for workload, tokens in (("prefill", 2 * 8), ("decode", 2 * 4)):
        record = records(out)[workload]
        assert record["status"] == "ok"
        assert record["costs"] == {}
        assert "'t5' costs is not known" in record["facts"]["uncounted"]
        timed = [block["samples_ns"] for block in record["blocks"] if block["kind"] == "timed"]
        rates = [tokens * len(samples) / sum(samples) * 1e9 for samples in timed]
        assert record["metrics"]["throughput_tokens_per_s"]["value"] == pytest.approx(sum(rates) / 2)


@pytest.mark.parametrize("kind", MODELS)
def test_every_compression_is_measured_or_unsupported_with_a_reason(folders, kind, own_cache):
    settings = {"block_seconds": 0.001, "warmup_limit": 0, "cache": str(own_cache)}
    settings |= {"inputs": {"model": str(folders[kind])}}
    variants = [
        {},
        {"prune": 0.5},
        {"prune": 0.5, "prune_scheme": "structured"},
        {"factorize": "rank:2"},
        {"quantize": "int8-dynamic"},
        {"quantize": "int8-weight"},
        {"precision": "bf16"},
        {"workload": "train", "accumulation": 2},
        {"workload": "classify"},
    ]
    work = {"architecture": "hf", "workload": "decode", "batch_size": 2, "sequence_length": 8, "generated_length": 2}
    for variant in variants:
        try:
            session = Session(points.point(work | variant).axes, settings)
            report = session.build()
        except Unsupported as reason:
            assert variant, "the plain model must run"
            assert str(reason).endswith(".")
            continue
        assert session.block("timed", 0, 0).samples_ns
        assert report["facts"]["stored_weights_B"] > 0


def test_a_prompt_beyond_the_learned_positions_is_unsupported_and_a_dry_run_says_so(pinchpoint, folders, tmp_path):
    command = ["run", "-a", "hf", "--model", folders["gpt2"], "-w", "decode", "-p", 62, "-n", 4, "--ceilings=none"]
    code, out, _ = pinchpoint(*command, "--dry-run")
    assert code == 0
    assert "not supported: The model has 64 positions; 65 are asked for" in out
    code, out, _ = pinchpoint(*command, "-o", "jsonl", "--output-dir", tmp_path)
    assert code == 3
    assert json.loads(out)["status"] == "unsupported"


@pytest.mark.parametrize("kind", MODELS)
def test_tokens_of_an_iteration_are_those_that_the_model_reads_or_writes(folders, kind):
    config, encoder = hf.Config(str(folders[kind])), int(kind == "t5")
    assert hf.tokens(config, Work("train", 2, 8, 4)) == 2 * (8 + 4 - 1 + encoder)
    assert hf.tokens(config, Work("prefill", 2, 8, 4)) == 2 * (8 - 1 + encoder)
    assert hf.tokens(config, Work("decode", 2, 8, 4)) == 2 * 4
    if kind != "t5":
        for phase in ("train", "prefill", "decode"):
            assert hf.tokens(config, Work(phase, 2, 8, 4)) == hf.costs(config, Work(phase, 2, 8, 4)).tokens


def test_other_weights_of_the_same_shape_are_another_model(folders, tmp_path):
    torch.manual_seed(1)
    MODELS["gpt2"]().save_pretrained(tmp_path / "gpt2")
    before, after = (hf.identity(hf.Config(str(folder))) for folder in (folders["gpt2"], tmp_path / "gpt2"))
    assert before != after
    assert before == hf.identity(hf.Config(str(folders["gpt2"])))


def test_resume_with_another_model_is_refused(pinchpoint, folders, tmp_path):
    command = ["run", "-a", "hf", "-w", "decode", *QUICKLY, "--output-dir", tmp_path]
    assert pinchpoint(*command, "--model", folders["gpt2"])[0] == 0
    code, _, err = pinchpoint(*command, "--model", folders["llama"], "--resume")
    assert code == 2
    assert "other points (1 are gone, 1 are new)" in err


def test_a_hub_that_cannot_be_reached_ends_the_sweep_before_it_begins(pinchpoint, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # the port where nothing listens
    code, out, err = pinchpoint("run", "-a", "hf", "--model", "someone/no-such-model", "--output-dir", tmp_path / "out")
    assert (code, out) == (2, "")
    assert "the hub did not give it" in err
    assert len(err.splitlines()) == 2
    assert not (tmp_path / "out").exists()
