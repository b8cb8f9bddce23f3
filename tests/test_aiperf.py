"""aiperf's and genai-perf's exports: metrics in SI, the devices of their telemetry, and what is refused."""

import json

import pytest

from bench import importers
from bench.errors import UserError
from tests.imported_files import FOLDER, changed, content

NAME = "aiperf.json"
FILE = content(NAME)
#: As aiperf writes telemetry of GPUs and its energies (export_models.py, power_efficiency_metrics.py), invented.
TELEMETRY = {
    "summary": {},
    "endpoints": {
        "localhost:9400": {"gpus": {f"gpu_{n}": {"gpu_name": "Imaginary GPU", "metrics": {}} for n in (0, 1)}}
    },
}
#: As genai-perf 0.0.16 writes it: the same metrics, neither version nor time, and another configuration.
OLDER = {name: FILE[name] for name in ("request_throughput", "request_latency", "time_to_first_token",
                                       "inter_token_latency", "output_token_throughput", "output_sequence_length",
                                       "input_sequence_length", "request_count")}  # fmt: skip
OLDER |= {
    "input_config": {
        "model_names": ["tiny-llama"],
        "perf_analyzer": {"stimulus": {"concurrency": 2}},
        "endpoint": {"streaming": True},
    }
}


@pytest.fixture
def read(tmp_path):
    def reading(whole):
        path = tmp_path / "profile_export_aiperf.json"
        path.write_text(json.dumps(whole))
        (found,) = importers.read(path, "aiperf")
        return found

    return reading


def test_metrics_are_told_in_seconds_and_tokens_a_second():
    (found,) = importers.read(FOLDER / NAME)
    values = {name: each.value for name, each in found.metrics.items()}
    for theirs, ours in (("time_to_first_token", "ttft"), ("inter_token_latency", "tpot"),
                         ("inter_chunk_latency", "itl"), ("request_latency", "latency")):  # fmt: skip
        assert values[f"{ours}_s"] == pytest.approx(FILE[theirs]["p50"] / 1e3)
        assert values[f"{ours}_p99_s"] == pytest.approx(FILE[theirs]["p99"] / 1e3)
        assert values[f"{ours}_mean_s"] == pytest.approx(FILE[theirs]["avg"] / 1e3)
        assert values[f"{ours}_std_s"] == pytest.approx(FILE[theirs]["std"] / 1e3)
    assert found.metrics["ttft_s"].n == 12
    assert values["throughput_tokens_per_s"] == FILE["output_token_throughput"]["avg"]
    assert values["requests_per_s"] == FILE["request_throughput"]["avg"]


def test_the_configuration_becomes_axes_and_facts():
    (found,) = importers.read(FOLDER / NAME)
    assert found.facts["imported_from"] == "aiperf 0.13.0"
    assert found.axes["benchmark"] == "tiny-llama, served"
    assert [found.axes[name] for name in ("batch_size", "sequence_length", "generated_length")] == [2, 63, 8]
    assert (found.facts["concurrency"], found.facts["prompt_tokens"], found.facts["output_tokens"]) == (2, 63, 8)
    assert found.facts["duration_s"] == FILE["benchmark_duration"]["avg"]
    assert found.started_at == "2026-11-26T07:27:36+00:00"


def test_devices_and_their_energy_are_those_of_the_telemetry(read):
    energies = {
        "nvidia_energy_per_request": {"unit": "joules/request", "avg": 12.0},
        "nvidia_energy_per_output_token": {"unit": "mJ/token", "avg": 1500.0},
        "nvidia_average_gpu_power": {"unit": "W", "avg": 700.0},
    }
    found = read(FILE | {"telemetry_data": TELEMETRY} | energies)
    assert (found.host["accelerator"], found.host["accelerators"], found.facts["devices"]) == ("Imaginary GPU", 2, 2)
    assert found.metrics["energy_J"].value == 12
    assert found.metrics["joules_per_token"].value == 1.5
    assert found.metrics["avg_power_W"].value == 700
    assert found.warnings == []


def test_an_export_of_genai_perf_is_read_too(read):
    found = read(OLDER)
    assert found.facts["imported_from"] == "aiperf or genai-perf"
    assert found.facts["concurrency"] == 2
    assert found.axes["benchmark"] == "tiny-llama, served"
    assert found.metrics["ttft_s"].value == pytest.approx(FILE["time_to_first_token"]["p50"] / 1e3)
    assert found.run.startswith("undated-")


def test_a_run_that_was_cut_short_or_failed_in_part_is_warned_of(read):
    failed = {"error_request_count": {"unit": "requests", "avg": 3.0}}
    found = read(changed(NAME, "was_cancelled", value=True) | failed)
    assert [warning.code for warning in found.warnings] == ["cut_short", "failed_requests", "unknown_machine"]


def test_what_is_not_in_the_file_has_a_reason(read):
    found = read(changed(NAME, "output_token_throughput", value=...))
    assert found.metrics["throughput_tokens_per_s"].value is None
    assert "no output_token_throughput" in found.metrics["throughput_tokens_per_s"].reason


@pytest.mark.parametrize(
    ("whole", "said"),
    [
        (changed(NAME, "schema_version", value="2.0"), "has schema 2.0 of aiperf"),
        (changed(NAME, "request_latency", value=...), "this is no profile export of aiperf"),
        (changed(NAME, "input_config", "models", value=[]), r"input_config\.models names no model"),
        (changed(NAME, "time_to_first_token", "p50", value="x"), r"time_to_first_token\.p50 is no number"),
        (changed(NAME, "time_to_first_token", "avg", value=-1), r"time_to_first_token\.avg is -1"),
        (changed(NAME, "time_to_first_token", "unit", value="days"), r"unit is 'days', and none of ns, us, ms"),
        (changed(NAME, "output_token_throughput", "unit", value="ms"), r"output_token_throughput\.unit is 'ms'"),
        (changed(NAME, "request_latency", value=3), "request_latency is no object"),
        (changed(NAME, "input_config", "phases", 0, "concurrency", value=0), r"phases\.concurrency is 0"),
        (changed(NAME, "start_time", value="noon"), "start_time is 'noon'"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(read, whole, said):
    with pytest.raises(UserError, match=said):
        read(whole)
