"""llama-bench's files: what becomes of a test, builds old and new, and the line of what is refused."""

import json

import pytest

from bench import importers
from bench.errors import UserError
from tests.imported_files import FOLDER, changed

#: As build 1275 wrote it, with invented figures: flags in place of `backends`, and `f16_kv` in place of two types.
OLD = (
    "build_commit,build_number,cuda,opencl,metal,gpu_blas,blas,cpu_info,gpu_info,model_filename,model_type,model_size,"
    "model_n_params,n_batch,n_threads,f16_kv,n_gpu_layers,main_gpu,mul_mat_q,tensor_split,n_prompt,n_gen,test_time,"
    "avg_ns,stddev_ns,avg_ts,stddev_ts\n"
    '"0123456","1275","1","0","0","1","1","Imaginary CPU","Imaginary GPU","/home/anna/models/7B.gguf",'
    '"llama 7B mostly Q4_0","3800000000","6700000000","512","16","1","99","0","1","0.00","512","0",'
    '"2023-09-23T12:09:01Z","200000000","1000000","2560.000000","12.800000"\n'
)
#: A table as it stands on a terminal with a GPU, with invented figures.
TABLE = """ggml_cuda_init: found 2 CUDA devices:
  Device 0: Imaginary GPU, compute capability 9.0, VMM: yes
  Device 1: Imaginary GPU, compute capability 9.0, VMM: yes
| model                  |       size |     params | backend    | ngl | fa |            test |                  t/s |
| ---------------------- | ---------: | ---------: | ---------- | --: | -: | --------------: | -------------------: |
| llama 8B Q4_K - Medium |   4.58 GiB |     8.03 B | CUDA       |  99 |  1 |           pp512 |      5000.00 ± 10.00 |
| llama 8B Q4_K - Medium |   4.58 GiB |     8.03 B | CUDA       |  99 |  1 |  tg128 @ d4096  |        100.00 ± 1.00 |

build: 1a2b3c4d (5678)
"""


@pytest.fixture
def read(tmp_path):
    def reading(content, name="file"):
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return importers.read(path, "llama-bench")

    return reading


@pytest.mark.parametrize("form", ["json", "jsonl", "csv", "md", "sql"])
def test_every_form_tells_the_same_three_tests(form):
    prefill, decode, both = importers.read(FOLDER / f"llama_bench.{form}")
    assert (prefill.axes["workload"], prefill.axes["sequence_length"]) == ("prefill", 64)
    assert (decode.axes["workload"], decode.axes["generated_length"]) == ("decode", 16)
    assert both.axes["workload"] == "benchmark"
    assert both.axes["benchmark"] == "llama ?B F16, pp64+tg16"
    assert (both.facts["prompt_tokens"], both.facts["output_tokens"]) == (64, 16)
    for record in (prefill, decode, both):
        assert record.axes["batch_size"] == 1  # n_batch 2048 is a piece of the prompt
        assert record.axes["threads"] == 1
        assert record.facts["weights_format"] == "F16"
        assert (record.facts["engine"], record.facts["engine_version"]) == ("llama.cpp", "b11434")
        assert (record.facts["backend"], record.facts["devices"]) == ("CPU", 1)
        told = record.metrics["throughput_tokens_per_s"].value
        assert told == pytest.approx(record.facts["avg_tokens_per_s"], rel=0.01)  # a mean of rates against total work
        assert record.metrics["latency_s"].value > 0
    assert decode.metrics["tpot_s"].value == pytest.approx(decode.metrics["latency_s"].value / 16)
    assert "tpot_s" not in prefill.metrics


def test_repetitions_become_samples_where_the_file_has_them():
    written = json.loads((FOLDER / "llama_bench.json").read_text())
    records = importers.read(FOLDER / "llama_bench.json")
    assert [record.blocks[0].samples_ns for record in records] == [each["samples_ns"] for each in written]
    assert all(record.host["cpu"] == "AMD EPYC" for record in records)
    (first, *_) = importers.read(FOLDER / "llama_bench.csv")
    assert first.blocks == []
    assert "no single times" in first.facts["no_samples"]


def test_the_size_of_a_table_is_said_to_be_rounded():
    (first, *_) = importers.read(FOLDER / "llama_bench.md")
    exact, *_ = importers.read(FOLDER / "llama_bench.json")
    assert first.facts["model_B"] == pytest.approx(exact.facts["model_B"], rel=0.01)
    assert "rounds" in first.facts["rounded"]
    assert "rounded" not in exact.facts


def test_settings_that_vary_within_a_file_tell_its_tests_apart():
    records = importers.read(FOLDER / "llama_bench_settings.md")
    assert len({record.point for record in records}) == 16
    assert {record.axes["benchmark"] for record in records} >= {
        "llama ?B Q8_0, n_batch 16",
        "llama ?B F16, depth 128, n_batch 32",
    }
    assert {record.axes["batch_size"] for record in records} == {1}
    deep = next(r for r in records if r.facts["depth_tokens"] and r.axes["workload"] == "decode")
    assert deep.axes["sequence_length"] == 128  # what the cache held is what was read before


def test_an_old_build_is_read_by_its_flags(read):
    (found,) = read(OLD)
    assert found.facts["imported_from"] == "llama-bench b1275"
    assert found.facts["backend"] == "CUDA"
    assert found.facts["kv_format"] == "F16"
    assert found.facts["model"] == "llama 7B"
    assert found.facts["weights_format"] == "Q4_0"
    assert found.facts["model_B"] == 3_800_000_000
    assert found.facts["model_filename"] == "7B.gguf"  # its folder may name a person
    assert found.host["accelerator"] == "Imaginary GPU"
    assert found.facts["devices"] == 1
    assert found.started_at == "2023-09-23T12:09:01+00:00"
    assert found.metrics["throughput_tokens_per_s"].value == pytest.approx(2560)


def test_devices_that_stand_before_a_table_are_the_machine_s(read):
    prefill, decode = read(TABLE)
    assert prefill.host["accelerator"] == "Imaginary GPU"
    assert prefill.facts["devices"] == prefill.host["accelerators"] == 2
    assert prefill.facts["build_commit"] == "1a2b3c4d"
    assert prefill.facts["engine_version"] == "b5678"
    assert prefill.facts["weights_format"] == "Q4_K_M"
    assert prefill.facts["flash_attn"] == 1
    assert "threads" not in prefill.axes
    assert prefill.metrics["latency_s"].value == pytest.approx(0.1024)
    assert decode.facts["depth_tokens"] == 4096
    assert decode.metrics["tpot_s"].value == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("told", "devices", "accelerator"),
    [
        ({"gpu_info": "Imaginary GPU"}, 1, "Imaginary GPU"),
        ({"gpu_info": "Imaginary GPU, Imaginary GPU"}, 2, "Imaginary GPU"),
        ({"gpu_info": "Imaginary GPU/Imaginary GPU"}, 2, "Imaginary GPU"),
        ({"gpu_info": "Imaginary GPU, Imaginary GPU", "split_mode": "none"}, 1, "Imaginary GPU"),
        ({"gpu_info": "Imaginary GPU, Imaginary GPU", "devices": "CUDA0"}, 1, "Imaginary GPU"),
        ({"gpu_info": "Imaginary GPU, Other GPU"}, None, "Imaginary GPU, Other GPU"),  # of which it took who knows
        ({"gpu_info": "Imaginary GPU", "n_gpu_layers": 0}, None, "Imaginary GPU"),
        ({"gpu_info": ""}, None, None),
    ],
)
def test_devices_are_counted_only_where_it_is_sure_how_many_ran(read, told, devices, accelerator):
    row = {**changed("llama_bench.json", 0, "backends", value="CUDA")[0], "n_gpu_layers": 99, **told}
    (found,) = read([row])
    assert found.facts.get("devices") == devices
    assert found.host["accelerator"] == accelerator


@pytest.mark.parametrize(
    ("described", "model", "weights"),
    [
        ("llama 7B mostly Q4_0", "llama 7B", "Q4_0"),
        ("llama 8B Q4_K - Medium", "llama 8B", "Q4_K_M"),
        ("qwen2 1.5B Q3_K - Large", "qwen2 1.5B", "Q3_K_L"),
        ("llama 7B IQ2_XXS - 2.0625 bpw", "llama 7B", "IQ2_XXS"),
        ("llama 7B all F32", "llama 7B", "F32"),
        ("gemma 2B BF16", "gemma 2B", "BF16"),
        ("gpt-oss 20B MXFP4 MoE", "gpt-oss 20B", "MXFP4"),
        ("something new", "something new", None),
    ],
)
def test_a_model_s_description_is_parted_into_model_and_format(read, described, model, weights):
    first, *_ = read(changed("llama_bench.json", 0, "model_type", value=described))
    assert first.facts["model"] == model
    assert first.facts.get("weights_format") == weights


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (changed("llama_bench.json", 1, "avg_ns", value="fast"), r"\[1\]\.avg_ns is no number"),
        (changed("llama_bench.json", 1, "avg_ns", value=-5), r"\[1\]\.avg_ns is -5"),
        (changed("llama_bench.json", 2, "avg_ts", value=float("nan")), r"\[2\]\.avg_ts is nan"),
        (changed("llama_bench.json", 0, "samples_ns", value=[1, -2]), r"\[0\]\.samples_ns\[1\] is -2"),
        (changed("llama_bench.json", 0, "n_prompt", value=1.5), r"\[0\]\.n_prompt is 1.5, and not a whole number"),
        (changed("llama_bench.json", 0, "n_prompt", value=0), r"\[0\]\.n_prompt and n_gen are both 0"),
        (changed("llama_bench.json", 0, "model_size", value=...), r"\[0\]\.model_size is missing"),
        (changed("llama_bench.json", 0, "test_time", value="noon"), r"\[0\]\.test_time is 'noon'"),
        (changed("llama_bench.json", 1, value=3), r"\[1\] is no JSON object"),
        ([changed("llama_bench.json", 0, "poll", value=50)[0]] * 2, r"\[1\] measures 'llama \?B F16' again"),
        ([], "holds an empty list"),
        ('{"n_gen": 1}\n{"n_gen": 2,\n', r"line 2 column"),
        (OLD.replace('"200000000"', '"soon"'), r"line 2, avg_ns is 'soon', and no number"),
        (OLD.replace('"200000000"', '"-1"'), r"line 2, avg_ns is -1"),
        (OLD.replace(',"12.800000"', ""), r"line 2 has 26 cells for 27 columns"),
        (OLD.replace("avg_ns,", "avg_time,"), r"line 2, avg_ns is missing"),
        (OLD.partition("\n")[0] + "\n", "holds no test"),
        (TABLE.replace("|            test ", ""), r"line 4 heads a table without the column 'test'"),
        (TABLE.replace("10.00 |\n", "10.00"), r"line 6 is cut off|line 6 has"),
        (TABLE.replace("5000.00 ± 10.00", "5000.00"), r"line 6, t/s is '5000.00', and not such as 12.34 ± 0.56"),
        (TABLE.replace("5000.00 ± 10.00", "5000.00 Â± 10.00"), r"line 6, t/s is"),
        (TABLE.replace("5000.00 ± 10.00", "0.00 ± 0.00"), r"line 6, t/s is 0.00, for which .* use -o json"),
        (TABLE.replace("pp512", "xx512"), r"line 6, test is 'xx512', and not such as pp512"),
        (TABLE.replace("4.58 GiB", "4.58 XiB"), r"line 6, size is '4.58 XiB'"),
        (TABLE.replace("|  99 |  1 |           pp512", "|  99 |           pp512"), r"line 6 has 7 cells for 8 columns"),
        (TABLE.replace("build:", "built by"), r"line 9 is no row of a table of llama-bench: 'built by"),
        (TABLE.partition("| -----")[2], "file"),
        ("INSERT INTO llama_bench (n_gen, avg_ts) VALUES ('1', '2'", r"line 1 is no whole INSERT"),
        ("CREATE TABLE t (\nDROP TABLE t;\n", r"line 2 is none that llama-bench -o sql writes"),
    ],
)
def test_what_is_wrong_is_named_with_its_line_or_place(read, content, said):
    with pytest.raises(UserError, match=said):
        read(content)
