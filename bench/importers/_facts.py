"""Facts that every format sets under the same names, so that a projection can read them whatever the tool was.

`model` and the rest describe what ran; each is left out where the file does not say it, and none is guessed.
"""

import re
from dataclasses import asdict, dataclass

from bench.record import Value


@dataclass(frozen=True)
class Told:
    """What a file tells of one measurement; None where it does not.

    `model_B` are the weights as stored, in bytes. `weights_format` and `kv_format` are written as GGUF does (F32, F16,
    BF16, Q4_K_M), else as the tool does. `engine` runs the model and `backend` is what the engine computes with (CUDA,
    CPU). `devices` are those that the model ran on, a machine's processors counting as one. `concurrency` are requests
    at most in flight; `prompt_tokens` and `output_tokens` those of one sequence (their mean, where requests differ),
    `depth_tokens` those that the KV cache held before the measurement began.
    """

    model: str | None = None
    model_parameters: int | None = None
    model_B: int | None = None
    weights_format: str | None = None
    kv_format: str | None = None
    engine: str | None = None
    engine_version: str | None = None
    backend: str | None = None
    devices: int | None = None
    concurrency: int | None = None
    prompt_tokens: float | None = None
    output_tokens: float | None = None
    depth_tokens: int | None = None

    def facts(self) -> dict[str, Value]:
        """Those that are known, by name."""
        return {name: value for name, value in asdict(self).items() if value is not None}


#: How torch, and GGUF in llama.cpp's words, call a format; the words are theirs, the names are GGUF's (ggml.h).
_FORMATS = {"float32": "F32", "float16": "F16", "bfloat16": "BF16", "fp32": "F32", "fp16": "F16", "bf16": "BF16"}
_SIZES = {"Small": "S", "Medium": "M", "Large": "L", "Extra small": "XS"}
_GGUF = re.compile(r"\b(I?Q\d\w*|TQ\d\w*|BF16|F16|F32|MXFP\d\w*|NVFP\d\w*)\b(?: - (Extra small|Small|Medium|Large)\b)?")


def without_folders(model: str) -> str:
    """A model's name; of a path its last part, since a path may name a person.

    >>> without_folders("meta-llama/Llama-3.1-8B"), without_folders("~/models/tiny/")
    ('meta-llama/Llama-3.1-8B', 'tiny')
    """
    return model.rstrip("/").rpartition("/")[2] if model.startswith(("/", ".", "~")) else model


def tensor_format(name: str) -> str:
    """A number format as torch or ggml names it, under GGUF's name.

    >>> tensor_format("bfloat16"), tensor_format("q8_0")
    ('BF16', 'Q8_0')
    """
    plain = name.removeprefix("torch.")
    return _FORMATS.get(plain, plain.upper())


def gguf_model(described: str) -> tuple[str, str | None]:
    """The model and the format of its weights (None: not told) in llama.cpp's description of a file.

    >>> gguf_model("llama 8B Q4_K - Medium")
    ('llama 8B', 'Q4_K_M')
    >>> gguf_model("llama 7B mostly Q4_0")
    ('llama 7B', 'Q4_0')
    """
    found = _GGUF.search(described)
    if found is None:
        return described, None
    model = re.sub(r"\s+(mostly|all)$", "", described[: found.start()].strip())
    return model or described, found[1] + (f"_{_SIZES[found[2]]}" if found[2] else "")
