"""What can be run and read on this machine: found by trying, in a child, never by guessing from names."""

from typing import Any

import torch

from bench import probes, workloads
from bench.axes import BY_NAME
from bench.errors import Unsupported
from bench.kinds import Choice
from model import architectures, compiled, compress, shapes
from model.shapes.lstm import Config

#: A model as small as any, so that trying takes milliseconds.
_CONFIG = Config(vocabulary=16, embedding=8, hidden=8, layers=1)
_WORK = shapes.Work("train", batch_size=2, sequence_length=3, generated_length=2)


def find() -> dict[str, Any]:
    """Devices, and for each what trains, infers and compiles in every precision and quantization, and what probes read.

    None stands for "yes"; otherwise the reason stands.
    """
    devices = ["cpu", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
    return {
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "quantized_engine": torch.backends.quantized.engine,
        "devices": {name: _device(name) for name in devices},
    }


def _device(name: str) -> dict[str, Any]:
    device = torch.device(name)
    formats: dict[str, dict[str, str | None]] = {}
    for axis, plain in (("precision", "none"), ("quantize", "fp32")):
        kind = BY_NAME[axis].kind
        assert isinstance(kind, Choice)
        for word in kind.words():
            if word != "none":
                chosen = (word, plain) if axis == "precision" else (plain, word)
                formats[word] = {what: _try(device, *chosen, what) for what in ("train", "prefill")}
    return {
        "name": torch.cuda.get_device_name(device) if device.type == "cuda" else "processor",
        "formats": formats,
        "compile": _why_not_compile(device),
        "probes": {probe: probes.load(probe, name).unavailable() for probe in probes.names()},
    }


def _why_not_compile(device: torch.device) -> str | None:
    try:
        compiled.check(device)
    except (Unsupported, RuntimeError) as error:
        return " ".join(str(error).split())[:200]
    return None


def _try(device: torch.device, format_: str, quantized: str, workload: str) -> str | None:
    """Run one iteration of a very small model; why it cannot be run, or None."""
    try:
        asked = compress.Compression(precision=format_, quantize=quantized)
        built = architectures.build("lstm", _CONFIG)
        model = compress.apply(built, "lstm", _CONFIG, asked, device, training=workload == "train").model
        batches = [(torch.ones(2, 3, dtype=torch.long), torch.ones(2, 2, dtype=torch.long))]
        placed = [(source.to(device), target.to(device)) for source, target in batches]
        subject = workloads.Subject(model, placed, format_, 1e-3, device)
        workloads.prepare(workload, subject, _WORK)()
    except (Unsupported, RuntimeError) as error:
        return " ".join(str(error).split())[:200]
    return None
