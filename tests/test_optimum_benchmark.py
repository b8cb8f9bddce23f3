"""optimum-benchmark's files: targets as records, times that are computed anew, and what is refused."""

import json

import pytest

from bench import importers
from bench.errors import UserError
from tests.imported_files import FOLDER, changed, content

NAME = "optimum_benchmark.json"
FILE = content(NAME)
BACKEND = ("config", "backend")
#: As codecarbon's tracker is written (optimum_benchmark/trackers/energy.py), with invented figures.
ENERGY = {"unit": "kWh", "cpu": 1e-6, "ram": 0.0, "gpu": 3e-6, "total": 4e-6}


@pytest.fixture
def read(tmp_path):
    def reading(whole):
        path = tmp_path / "benchmark.json"
        path.write_text(json.dumps(whole))
        return {record.axes["workload"]: record for record in importers.read(path, "optimum-benchmark")}

    return reading


def test_prefill_and_decode_are_workloads_of_ours_and_generate_is_its_own(read):
    found = read(FILE)
    prefill, decode, generate = found["prefill"], found["decode"], found["benchmark"]
    shape = ("batch_size", "sequence_length", "generated_length")
    assert [prefill.axes[name] for name in shape] == [2, 32, 1]
    assert [decode.axes[name] for name in shape] == [2, 32, 7]  # the eighth token came from the prefill
    assert [generate.axes[name] for name in shape] == [2, 32, 8]
    assert prefill.axes["benchmark"] == "tiny-llama"
    assert generate.axes["benchmark"] == "tiny-llama, generate"
    assert all(record.axes["precision"] == "fp32" for record in found.values())


def test_times_become_samples_and_throughput_is_computed_from_them(read):
    found = read(FILE)
    for workload, target, tokens in (
        ("prefill", "prefill", 64),
        ("decode", "decode", 14),
        ("benchmark", "generate", 16),
    ):
        latency = FILE["report"][target]["latency"]
        record = found[workload]
        assert record.blocks[0].samples_ns == [round(each * 1e9) for each in latency["values"]]
        assert record.metrics["latency_s"].value == pytest.approx(latency["p50"])
        assert record.metrics["throughput_tokens_per_s"].value == pytest.approx(tokens / latency["mean"])
    assert found["decode"].metrics["tpot_s"].value == pytest.approx(FILE["report"]["decode"]["latency"]["p50"] / 7)
    assert found["decode"].metrics["max_ram_B"].value == FILE["report"]["decode"]["memory"]["max_ram"] * 1e6
    assert "max_allocated_B" not in found["decode"].metrics  # which a CPU does not have


def test_the_machine_and_what_ran_are_told(read):
    found = read(FILE)["decode"]
    assert found.host["cpu"] == "AMD EPYC"
    assert found.host["cores"] == 2
    assert found.load_s == pytest.approx(0.68, abs=0.01)
    names = ("model", "weights_format", "engine", "engine_version", "backend", "devices", "concurrency")
    assert [found.facts[name] for name in names] == ["tiny-llama", "F32", "transformers", "4.53.3", "cpu", 1, 2]
    assert (found.facts["prompt_tokens"], found.facts["output_tokens"], found.facts["depth_tokens"]) == (32, 8, 32)


def test_energy_is_told_in_joules_an_iteration_and_a_token(read):
    found = read(changed(NAME, "report", "decode", "energy", value=ENERGY))["decode"]
    assert found.metrics["energy_J"].value == pytest.approx(14.4)
    assert found.metrics["energy_gpu_J"].value == pytest.approx(10.8)
    assert found.metrics["joules_per_token"].value == pytest.approx(14.4 / 14)


@pytest.mark.parametrize(
    ("backend", "weights", "precision", "named"),
    [
        ({"torch_dtype": "bfloat16"}, "BF16", "bf16", "tiny-llama"),
        ({"torch_dtype": "float16"}, "F16", None, "tiny-llama, F16"),  # no precision of ours
        ({"torch_dtype": "auto"}, None, None, "tiny-llama"),
        ({"allow_tf32": True}, "F32", "tf32", "tiny-llama"),
        ({"autocast_enabled": True, "autocast_dtype": "bfloat16"}, "F32", "amp-bf16", "tiny-llama"),
        ({"quantization_scheme": "awq"}, "awq", None, "tiny-llama, awq"),
        ({"quantization_config": {"quant_method": "gptq"}}, "gptq", None, "tiny-llama, gptq"),
    ],
)
def test_precision_is_an_axis_only_where_it_is_certain(read, backend, weights, precision, named):
    found = read(changed(NAME, *BACKEND, value=FILE["config"]["backend"] | backend))["decode"]
    assert found.facts.get("weights_format") == weights
    assert found.axes.get("precision") == precision
    assert found.axes["benchmark"] == named


def test_without_a_type_a_newer_transformers_loads_what_the_files_hold(read):
    found = read(changed(NAME, "config", "environment", "transformers_version", value="5.0.0"))["decode"]
    assert "weights_format" not in found.facts


@pytest.mark.parametrize(
    ("backend", "devices"),
    [
        ({"device": "cuda", "device_ids": "0"}, 1),
        ({"device": "cuda", "device_ids": "0,1"}, 1),  # the model lies on the first
        ({"device": "cuda", "device_ids": "0,1", "device_map": "auto"}, 2),
        ({"device": "cuda", "device_ids": None}, None),
    ],
)
def test_devices_are_those_that_the_model_ran_on(read, backend, devices):
    whole = changed(NAME, *BACKEND, value=FILE["config"]["backend"] | backend)
    whole["config"]["environment"] |= {"gpu": ["Imaginary GPU", "Imaginary GPU"], "gpu_count": 2}
    found = read(whole)["decode"]
    assert found.facts.get("devices") == devices
    assert (found.host["accelerator"], found.host["accelerators"]) == ("Imaginary GPU", 2)


def test_texts_of_several_lengths_are_no_point_of_ours(read):
    found = read(changed(NAME, "config", "scenario", "generate_kwargs", "min_new_tokens", value=1))
    assert set(found) == {"benchmark"}


def test_a_report_alone_has_times_but_no_shape_and_no_machine(read, tmp_path):
    path = tmp_path / "benchmark_report.json"
    path.write_text(json.dumps(FILE["report"]))
    records = importers.read(path)
    assert [record.axes["benchmark"] for record in records] == ["generate", "prefill", "decode"]
    assert all(record.axes["workload"] == "benchmark" for record in records)
    assert all("throughput_tokens_per_s" not in record.metrics for record in records)
    assert all(record.warnings[0].code == "unknown_machine" for record in records)


@pytest.mark.parametrize(
    ("whole", "said"),
    [
        (changed(NAME, "config", "environment", "optimum_benchmark_version", value="1.0.0"), r"written by .* 1\.0\.0"),
        (
            changed(NAME, "report", "decode", "latency", "mean", value="x"),
            r"report\.decode\.latency\.mean is no number",
        ),
        (changed(NAME, "report", "decode", "latency", "mean", value=...), r"report\.decode\.latency\.mean is missing"),
        (changed(NAME, "report", "decode", "latency", "unit", value="ms"), r"latency\.unit is 'ms', and not s"),
        (changed(NAME, "report", "decode", "memory", "unit", value="GB"), r"memory\.unit is 'GB', and not MB"),
        (changed(NAME, "report", "prefill", "latency", "values", 1, value=-1), r"latency\.values\[1\] is -1"),
        (changed(NAME, "report", "prefill", value=3), r"report\.prefill is no object"),
        (changed(NAME, "config", "scenario", "input_shapes", "batch_size", value=0), r"input_shapes\.batch_size is 0"),
        ({"config": FILE["config"], "report": {"prefill": None}}, r"nothing that was timed"),
        (changed(NAME, "report", "decode", "energy", value=ENERGY | {"gpu": -1}), r"decode\.energy\.gpu is -1"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(read, whole, said):
    with pytest.raises(UserError, match=said):
        read(whole)


def test_the_file_that_the_tests_read_holds_what_is_left_out():
    """`per_token` of 0.6.0 counts earlier generations again: 5 times 7 tokens would be 35."""
    assert len(FILE["report"]["per_token"]["latency"]["values"]) > 5 * 8
    assert not [r for r in importers.read(FOLDER / NAME) if "per_token" in str(r.axes["benchmark"])]
