"""vLLM's result files: serve, latency and throughput, alone or one a line, and what is refused."""

import json

import pytest

from bench import importers
from bench.errors import UserError
from tests.imported_files import FOLDER, changed, content

SERVE, LATENCY, THROUGHPUT = "vllm_serve.json", "vllm_latency.json", "vllm_throughput.json"


@pytest.fixture
def read(tmp_path):
    def reading(*results):
        path = tmp_path / "result.json"
        path.write_text("\n".join(each if isinstance(each, str) else json.dumps(each) for each in results))
        return importers.read(path, "vllm-bench")

    return reading


def test_requests_to_a_server_keep_their_times_in_seconds_with_percentiles_beside():
    (found,) = importers.read(FOLDER / SERVE)
    told = content(SERVE)
    values = {name: each.value for name, each in found.metrics.items()}
    for theirs, ours in (("ttft", "ttft"), ("tpot", "tpot"), ("itl", "itl"), ("e2el", "latency")):
        assert values[f"{ours}_s"] == told[f"median_{theirs}_ms"] / 1e3
        assert values[f"{ours}_p99_s"] == told[f"p99_{theirs}_ms"] / 1e3
        assert values[f"{ours}_mean_s"] == told[f"mean_{theirs}_ms"] / 1e3
        assert values[f"{ours}_std_s"] == told[f"std_{theirs}_ms"] / 1e3
    assert values["throughput_tokens_per_s"] == told["output_throughput"]
    assert values["total_throughput_tokens_per_s"] == told["total_token_throughput"]
    assert values["requests_per_s"] == told["request_throughput"]
    directions = {name: each.direction for name, each in found.metrics.items()}
    assert directions["throughput_tokens_per_s"] == directions["requests_per_s"] == 1
    assert directions["ttft_s"] == directions["latency_p99_s"] == -1


def test_a_server_s_terms_become_axes_and_facts():
    (found,) = importers.read(FOLDER / SERVE)
    assert found.axes["benchmark"] == "tiny-llama, serve"
    assert [found.axes[name] for name in ("batch_size", "sequence_length", "generated_length")] == [2, 63, 8]
    assert (found.facts["concurrency"], found.facts["prompt_tokens"], found.facts["output_tokens"]) == (2, 63, 8)
    assert found.facts["metadata_tensor_parallel"] == "1"
    assert found.facts["request_rate_per_s"] == "unlimited"
    assert "metadata_burstiness" not in found.facts
    assert found.started_at == "2026-11-26T07:29:59+00:00"
    assert [warning.code for warning in found.warnings] == ["unknown_machine"]


def test_the_latency_of_batches_has_samples_and_the_throughput_counts_all_tokens():
    (latency,) = importers.read(FOLDER / LATENCY)
    assert latency.blocks[0].samples_ns == [round(each * 1e9) for each in content(LATENCY)["latencies"]]
    assert latency.metrics["latency_p90_s"].value == pytest.approx(content(LATENCY)["percentiles"]["90"])
    assert "throughput_tokens_per_s" not in latency.metrics
    (throughput,) = importers.read(FOLDER / THROUGHPUT)
    told = content(THROUGHPUT)
    assert throughput.metrics["total_throughput_tokens_per_s"].value == pytest.approx(told["tokens_per_second"])
    assert throughput.metrics["requests_per_s"].value == pytest.approx(told["requests_per_second"])
    assert "throughput_tokens_per_s" not in throughput.metrics  # output tokens are not told apart


def test_results_that_were_appended_stand_one_a_line(read):
    found = read(content(SERVE), changed(SERVE, "max_concurrency", value=4), changed(SERVE, "request_rate", value=2.5))
    assert [record.axes["batch_size"] for record in found[:2]] == [2, 4]
    assert found[2].axes["benchmark"] == "tiny-llama, serve, 2.5 requests/s"
    assert len({record.run for record in found}) == 1


def test_texts_of_several_lengths_have_their_mean_as_a_fact_alone(read):
    (found,) = read(changed(SERVE, "total_output_tokens", value=97))
    assert found.facts["output_tokens"] == pytest.approx(97 / 12)
    assert "generated_length" not in found.axes


def test_without_a_median_the_mean_stands_and_says_so(read):
    whole = {name: value for name, value in content(SERVE).items() if name not in ("median_ttft_ms", "p50_ttft_ms")}
    (found,) = read(whole)
    assert found.metrics["ttft_s"].value == whole["mean_ttft_ms"] / 1e3
    assert found.metrics["ttft_s"].label.endswith("mean")


def test_requests_that_failed_are_warned_of(read):
    (found,) = read(changed(SERVE, "completed", value=9))
    assert found.warnings[0].code == "failed_requests"
    assert "3 of 12" in found.warnings[0].message
    (none,) = read(changed(SERVE, "completed", value=0))
    assert none.metrics["throughput_tokens_per_s"].value is None
    assert none.metrics["throughput_tokens_per_s"].reason == "no request was completed"


@pytest.mark.parametrize(
    ("results", "said"),
    [
        ([changed(SERVE, "mean_ttft_ms", value=float("nan"))], "mean_ttft_ms is nan"),
        ([changed(SERVE, "p99_itl_ms", value=-1)], "p99_itl_ms is -1"),
        ([changed(SERVE, "output_throughput", value="fast")], "output_throughput is no number"),
        ([changed(SERVE, "output_throughput", value=...)], "output_throughput is missing"),
        ([changed(SERVE, "date", value="today")], "date is 'today', and not such as 20260102-030405"),
        ([changed(SERVE, "max_concurrency", value=0)], "max_concurrency is 0"),
        ([content(SERVE), changed(SERVE, "completed", value=2.5)], "line 2, completed is 2.5"),
        ([content(SERVE), content(SERVE)], "line 2, .*measures 'tiny-llama, serve' again"),
        ([content(SERVE), '{"num_prompts": 1'], "is no JSON: .*line 2"),
        ([{"model_id": "x"}], "of no vllm bench known here"),
        ([changed(LATENCY, "latencies", 0, value=None)], r"latencies\[0\] is no number"),
        ([changed(LATENCY, "percentiles", value=[])], "percentiles is no object"),
        ([changed(THROUGHPUT, "elapsed_time", value=0)], "elapsed_time is 0"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(read, results, said):
    with pytest.raises(UserError, match=said):
        read(*results)
