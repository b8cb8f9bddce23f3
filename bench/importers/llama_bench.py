"""llama.cpp's `llama-bench`, written with `-o json`, `jsonl`, `csv`, `md` or `sql`, by builds old and new.

`pp512` reads a prompt of 512 tokens (prefill), `tg128` generates 128 tokens (decode), and `pp512+tg128` does both in
one, which is no workload of ours. One sequence runs at a time: `n_batch` and `n_ubatch` are the pieces in which its
prompt is read, and no number of sequences. JSON holds the time of each repetition, which become samples; the others
hold their mean. Fields as in tools/llama-bench/llama-bench.cpp (`test::get_fields`), builds 1275 to 11434.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.importers import _fields, _llama_tables, _making
from bench.importers._facts import Told, gguf_model, tensor_format
from bench.importers._fields import Fields
from bench.record import Record, Value

NAME = "llama-bench"
DESCRIPTION = "llama.cpp's, written with -o json, jsonl, csv, md or sql"

#: Before `backends` (build 4123, November 2024) a flag told each; the first that was set gave the backend its name.
_FLAGS = {"cuda": "CUDA", "hip": "HIP", "vulkan": "Vulkan", "opencl": "OpenCL", "kompute": "Kompute", "metal": "Metal",
          "sycl": "SYCL", "rpc": "RPC", "gpu_blas": "GPU BLAS", "blas": "BLAS"}  # fmt: skip
#: Settings that make a test another one; where a file has several values of one, the name of the test says which.
_SETTINGS = ("n_batch", "n_ubatch", "n_threads", "type_k", "type_v", "f16_kv", "n_gpu_layers", "n_cpu_moe",
             "split_mode", "main_gpu", "no_kv_offload", "flash_attn", "devices", "tensor_split",
             "tensor_buft_overrides", "use_mmap", "use_direct_io", "load_mode", "lazy_mode", "mul_mat_q",
             "low_vram", "embeddings", "no_op_offload", "no_host", "repack", "cpu_mask", "cpu_strict", "poll",
             "fit_target", "fit_min_ctx")  # fmt: skip


def recognises(raw: bytes) -> bool:
    """Whether it names the figures that such a file holds."""
    return (b"avg_ts" in raw and b"n_gen" in raw) or (b"t/s" in raw and b"| model" in raw)


def records(path: Path) -> list[Record]:
    """One record a test. Raises `UserError` that names the line or place, and the field, of what is wrong."""
    content = _fields.content_of(path)
    text = _fields.text_of(path, content)
    begin = text.lstrip()[:1]
    rows = _fields.json_objects(path)[0] if begin in "[{" else _llama_tables.rows(path, text)
    moments = [row.moment("test_time") for row in rows if "test_time" in row.raw]
    build = rows[0].raw.get("build_number")
    version = f"{NAME} b{build}" if build else NAME
    run = _making.run(path, content, version, min(moments) if moments else None)
    said = _making.varied([_settings(row) for row in rows])
    return _making.records(run, [_measured(row, each, run) for row, each in zip(rows, said, strict=True)])


def _settings(row: Fields) -> dict[str, Value]:
    """Every setting that the row tells, as a text or number; a switch is 0 or 1, as the text formats have it."""
    found = {name: value for name in _SETTINGS if isinstance(value := row.raw.get(name), (int, float, str))}
    return {name: int(value) if isinstance(value, bool) else value for name, value in found.items()}


def _measured(row: Fields, settings: str, run: _making.Run) -> _making.Measured:
    prompt, output = row.count("n_prompt", 0), row.count("n_gen", 0)
    depth = row.count("n_depth", 0) if "n_depth" in row.raw else 0
    if prompt + output == 0:
        raise row.refuse("n_prompt", "and n_gen are both 0: there is nothing that was timed")
    described = row.text("model_type")
    blocks, why = _making.block([each / 1e9 for each in row.amounts("samples_ns")])
    mean_s = row.amount("avg_ns") / 1e9
    metrics = _making.times(blocks, mean_s, prompt + output, output if not prompt else None, "one repetition")
    if mean_s and row.amount("avg_ts") == 0:
        raise row.refuse("avg_ts", "is 0, although avg_ns is not")
    axes, words = _axes(prompt, output, depth, row)
    devices, accelerator = _devices(row)
    host: dict[str, Value | None] = {"cpu": row.optional_text("cpu_info"), "accelerator": accelerator}
    return _making.Measured(
        name=", ".join(word for word in (described, words, settings) if word),
        axes=axes,
        facts={**_told(row, described, prompt, output, depth, devices).facts(), **_rest(row), **why},
        metrics=metrics,
        host=host | {"accelerators": devices if accelerator else None},
        blocks=blocks,
        moment=row.moment("test_time") if "test_time" in row.raw else None,
        where=row,
    )


def _axes(prompt: int, output: int, depth: int, row: Fields) -> tuple[dict[str, Value], str]:
    """The axes of ours that the test is a point of, and in words what they do not say.

    Generation without a depth begins with one token, the text's beginning; a prefill gives one token.
    """
    axes: dict[str, Value] = {"batch_size": 1}
    if _backend(row) == "CPU" and isinstance(row.raw.get("n_threads"), int):
        axes["threads"] = row.count("n_threads")
    at = f"depth {depth}" if depth else ""
    if prompt and output:
        lengths: dict[str, Value] = {"sequence_length": prompt, "generated_length": output}
        return axes | lengths, f"pp{prompt}+tg{output}" + (f", {at}" if at else "")
    if prompt:
        return axes | {"workload": "prefill", "sequence_length": prompt, "generated_length": 1}, at
    return axes | {"workload": "decode", "sequence_length": max(depth, 1), "generated_length": output}, at


def _told(row: Fields, described: str, prompt: int, output: int, depth: int, devices: int | None) -> Told:
    model, weights = gguf_model(described)
    number = row.raw.get("build_number")
    return Told(
        model=model,
        model_parameters=row.count("model_n_params"),
        model_B=row.count("model_size"),
        weights_format=weights,
        kv_format=_kv_format(row.raw),
        engine="llama.cpp",
        engine_version=f"b{number}" if number else None,
        backend=_backend(row),
        devices=devices,
        concurrency=1,
        prompt_tokens=prompt,
        output_tokens=output,
        depth_tokens=depth,
    )


def _rest(row: Fields) -> dict[str, Value]:
    """The settings, and what the tool itself made of the repetitions."""
    found = _settings(row)
    if "devices" in found:
        found["chosen_devices"] = found.pop("devices")  # `devices` is their number, for every tool
    for name, fact in (("avg_ts", "avg_tokens_per_s"), ("stddev_ts", "stddev_tokens_per_s")):
        if (value := row.optional_amount(name)) is not None:
            found[fact] = value
    if (deviation := row.optional_amount("stddev_ns")) is not None:
        found["stddev_s"] = deviation / 1e9
    for name in ("build_commit", "rounded"):
        if (text := row.optional_text(name)) is not None:
            found[name] = text
    if (file := row.optional_text("model_filename")) is not None:
        found["model_filename"] = file.replace("\\", "/").rpartition("/")[2]  # a path may name a person
    return found


def _kv_format(raw: Mapping[str, object]) -> str | None:
    if isinstance(flag := raw.get("f16_kv"), (bool, int)):
        return "F16" if flag else "F32"
    found = [tensor_format(each) for name in ("type_k", "type_v") if isinstance(each := raw.get(name), str)]
    return "/".join(dict.fromkeys(found)) or None


def _backend(row: Fields) -> str | None:
    told = row.optional_text("backends", "backend")
    if told is not None:
        return told
    flags = [name for name in _FLAGS if row.raw.get(name) in (True, 1)]
    if flags:
        return _FLAGS[flags[0]]
    return "CPU" if any(name in row.raw for name in _FLAGS) else None


def _devices(row: Fields) -> tuple[int | None, str | None]:
    """How many devices the model ran on, None where that is not sure, and the name of the accelerators.

    All that the engine sees are used unless `devices`, `split_mode` or `n_gpu_layers` say otherwise. Names are joined
    by a comma, by a slash in old builds, which a name may hold too: so only equal names are counted.
    """
    joined = row.optional_text("gpu_info")
    if _backend(row) == "CPU" or (row.raw.get("n_gpu_layers") == 0 and _backend(row)):
        return (1 if _backend(row) == "CPU" else None), joined
    chosen = row.optional_text("devices")
    if joined is None:
        return None, None
    names = _parts(joined)
    alone = len(set(names)) == 1
    if row.optional_text("split_mode") == "none":
        number: int | None = 1
    elif chosen is not None and chosen != "auto":
        number = len(chosen.split("/"))
    else:
        number = len(names) if alone else None
    return number, names[0] if alone else joined


def _parts(joined: str) -> Sequence[str]:
    for mark in (", ", "/"):
        parts = [part.strip() for part in joined.split(mark)]
        if len(parts) > 1 and len(set(parts)) == 1:
            return parts
    return [part.strip() for part in joined.split(", ")]
