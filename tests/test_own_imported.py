"""Other tools' records as rows of a projection: which model, format and device they are of, and what is left out."""

import json
from dataclasses import replace

import pytest

from bench import importers
from bench.record import Ceiling
from reports import datasheets
from reports.projection import model_names, models, own
from tests import factories
from tests.imported_files import FOLDER, content

LLAMA_8B = 8_030_261_248


def llama_bench(tmp_path, *tests, **changes):
    """A file of llama-bench, of a model and a GPU that are known; each test changes some more fields."""
    plain = content("llama_bench.json")[0] | {
        "model_type": "llama 8B Q4_K - Medium", "model_n_params": LLAMA_8B, "backends": "CUDA", "n_gpu_layers": 99,
        "gpu_info": "NVIDIA GeForce RTX 4090", "avg_ns": 100_000_000, "avg_ts": 5120.0, "samples_ns": [100_000_000],
        "samples_ts": [5120.0], "n_prompt": 512, "n_gen": 0,
    }  # fmt: skip
    return imported(tmp_path, [plain | changes | each for each in tests or ({},)])


def vllm_serve(tmp_path, **changes):
    told = content("vllm_serve.json") | {
        "model_id": "meta-llama/Llama-3.1-8B-Instruct", "device": "NVIDIA H100 SXM", "dtype": "bfloat16",
        "num_prompts": 12, "completed": 12, "total_input_tokens": 12 * 500, "total_output_tokens": 12 * 100,
        "output_throughput": 400.0, "max_concurrency": 4,
    }  # fmt: skip
    return imported(tmp_path, told | changes)


def imported(tmp_path, told):
    path = tmp_path / "file.json"
    path.write_text(json.dumps(told), encoding="utf-8")
    return importers.read(path)


def read(records):
    return own.read(records, datasheets.shipped())


def test_llama_benchs_tests_become_rows_of_the_model_and_device_they_name(tmp_path):
    generation = {"n_prompt": 0, "n_gen": 128, "n_depth": 4096, "avg_ns": 1_000_000_000, "samples_ns": [1_000_000_000]}
    found = read(llama_bench(tmp_path, {}, generation))
    prefill, decode = (row.observation for row in found.fitted)
    assert found.device.name == "NVIDIA GeForce RTX 4090"
    for row in (prefill, decode):
        assert (row.model, row.weights, row.kv) == ("Llama-3-8B", "Q4_K_M", "fp16")
        assert (row.engine, row.backend, row.devices, row.split) == ("llama.cpp", "CUDA", 1, "none")
    assert (prefill.phase, prefill.prompt, prefill.seconds) == ("prefill", 512, pytest.approx(0.1))
    assert (decode.phase, decode.output, decode.depth, decode.seconds) == ("decode", 128, 4096, pytest.approx(1))


def test_a_prompt_and_a_generation_in_one_are_served_together(tmp_path):
    (row,) = read(llama_bench(tmp_path, n_prompt=512, n_gen=128)).fitted
    assert (row.observation.phase, row.observation.prompt, row.observation.output) == ("serving", 512, 128)
    assert row.noise == "noise: serving"


def test_llama_cpp_shares_a_model_by_layers(tmp_path):
    names = "NVIDIA GeForce RTX 4090, NVIDIA GeForce RTX 4090"
    (row,) = read(llama_bench(tmp_path, gpu_info=names)).fitted
    assert (row.observation.devices, row.observation.split) == (2, "pipeline")


def test_a_processor_of_the_name_of_ones_own_has_its_ceilings(tmp_path):
    ours = factories.record(workload="decode", threads=1)
    ceilings = {
        "matmul_fp32_FLOP_per_s": Ceiling(1e11, "FLOP/s", 1, "matmul, fp32"),
        "read_B_per_s": Ceiling(1e10, "B/s", 1, "read, memory"),
    }
    ours = replace(ours, ceilings=ceilings, host={**ours.host, "cpu": "AMD EPYC"})
    theirs = llama_bench(tmp_path, backends="CPU", gpu_info="")
    found = read([ours, *theirs])
    assert [row.observation.device for row in found.fitted] == ["AMD EPYC, 1 thread"] * 2
    assert any("taken for the same machine" in note for note in found.notes)
    assert len(read([replace(ours, axes={**ours.axes, "threads": 2}), *theirs]).fitted) == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"model_type": "unheard 8B Q4_K - Medium"}, "'unheard 8B' is no published model"),
        ({"model_n_params": 5_000_000_000}, "'llama 8B' is no published model"),
        ({"model_type": "llama 8B IQ1_S - 1.5625 bpw"}, "'IQ1_S' is no number format"),
        ({"model_type": "llama 8B"}, "their file tells no number format"),
        ({"gpu_info": "Imaginary GPU"}, "The catalogue has no device 'Imaginary GPU'"),
        ({"gpu_info": ""}, "their file does not name the device"),
        ({"backends": "CPU"}, "names no model of a processor"),
    ],
)
def test_what_cannot_be_matched_is_left_out_with_the_reason(tmp_path, changes, reason):
    found = read(llama_bench(tmp_path, **changes))
    assert found.fitted == ()
    assert "1 record left out: " in found.notes[0]
    assert reason in found.notes[0]


def test_requests_to_a_server_become_a_row_of_serving_by_what_metadata_tells(tmp_path):
    (row,) = read(vllm_serve(tmp_path, tensor_parallel="2")).fitted
    told = row.observation
    assert (told.model, told.weights, told.device) == ("Llama-3.1-8B", "bf16", "NVIDIA H100 SXM")
    assert (told.phase, told.batch, told.prompt, told.output) == ("serving", 4, 500, 100)
    assert (told.devices, told.split) == (2, "tensor")
    assert told.seconds == pytest.approx(4 * 100 / 400)
    assert row.situation.engine is None  # the client does not know what serves


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"dtype": None}, "their file tells no number format"),
        ({"device": None}, "their file does not name the device"),
        ({"tensor_parallel": "many"}, "does not tell on how many devices"),
        ({"max_concurrency": None}, "how many requests ran together"),
        ({"request_rate": 3.0}, "requests came at a rate"),
        ({"max_concurrency": 10}, "it was filling and emptying"),
    ],
)
def test_requests_of_which_too_little_is_told_are_left_out(tmp_path, changes, reason):
    found = read(vllm_serve(tmp_path, **changes))
    assert found.fitted == ()
    assert reason.removeprefix("it ") in " ".join(found.notes)


def test_the_decode_of_optimum_benchmark_has_the_steps_that_it_timed(tmp_path):
    told = content("optimum_benchmark.json")
    told["config"]["backend"] |= {"model": "openai-community/gpt2", "device": "cuda", "device_ids": "0"}
    told["config"]["environment"] |= {"gpu": ["NVIDIA A100-SXM4-80GB"]}
    found = read(imported(tmp_path, told))
    rows = {row.observation.phase: row.observation for row in found.fitted}
    assert rows["prefill"].prompt == 32
    assert (rows["decode"].output, rows["decode"].depth, rows["decode"].batch) == (7, 32, 2)
    assert {row.model for row in rows.values()} == {"GPT-2"}
    assert {row.engine for row in rows.values()} == {"transformers"}


def test_real_files_of_made_up_models_give_no_rows_and_say_so():
    records = [each for path in sorted(FOLDER.glob("[!R]*")) for each in importers.read(path)]
    found = read(records)
    assert found.fitted == ()
    assert sum(int(note.split()[0]) for note in found.notes if "left out" in note) == len(records)


@pytest.mark.parametrize(
    ("text", "parameters", "name"),
    [
        ("llama 8B", LLAMA_8B, "Llama-3-8B"),
        ("llama 7B", 7_241_732_096, "Mistral-7B"),
        ("llama 7B", 6_738_415_616, "LLaMA-7B"),
        ("llama 8x7B", 46_702_792_704, "Mixtral-8x7B"),
        ("qwen3moe 30B.A3B", 30_532_122_624, "Qwen3-30B-A3B"),
        ("gemma2 9B", 9_241_705_984, "Gemma-2-9B"),
        ("meta-llama/Llama-3.1-8B-Instruct", None, "Llama-3.1-8B"),
        ("Meta-Llama-3.1-8B-Instruct-FP8", None, "Llama-3.1-8B"),
        ("TheBloke/Llama-2-13B-chat-GPTQ", None, "Llama-2-13B"),
        ("mistralai/Mistral-Small-24B-Instruct-2501", None, "Mistral-Small-24B"),
        ("openai-community/gpt2", None, "GPT-2"),
        ("deepseek-ai/DeepSeek-R1-Distill-Qwen-7B", None, None),
        ("Llama-4-7b", None, None),
        ("Llama-3.1-8B", 7e9, None),
        ("llama ?B", 279_168, None),
        ("", 7e9, None),
    ],
)
def test_models_are_known_by_words_of_their_name_or_by_family_and_parameters(text, parameters, name):
    found = model_names.published(text, parameters)
    assert (found and found.name) == name


def test_every_published_model_is_known_by_its_own_name():
    for name, model in models.published().items():
        assert model_names.published(name) is model
        assert model_names.published(f"owner/{name}-Instruct", model.parameters).name == name
