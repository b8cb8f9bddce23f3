"""What engines do with devices, by their own documentation: on whose they run at all, and how they share a model out.

Engines are named as in the calibration; `NAME/BACKEND` names a backend too.
"""

from collections.abc import Mapping

from reports.datasheets import Device
from reports.projection.answers import Split

#: Vendors of the devices that an engine is written for; engines that are not here run on any.
ONLY: Mapping[str, tuple[str, ...]] = {
    "tensorrt-llm": ("NVIDIA",),
    "exllama": ("NVIDIA", "AMD"),
    "exllamav2": ("NVIDIA", "AMD"),
    "autoawq": ("NVIDIA", "AMD"),
    "gpt-fast": ("NVIDIA", "AMD"),
    "gaudi-pytorch": ("Intel",),
    "ipex-llm llama.cpp": ("Intel",),
    "jetstream": ("Google", "NVIDIA"),
    "mlx": ("Apple",),
}
#: Engines that put whole layers on each device, as all measurements of theirs on several did; others split each layer.
BY_LAYERS = ("llama.cpp", "ik_llama.cpp", "ollama", "exllama")


def split(engine: str | None, devices: int) -> Split:
    """How an engine spreads a replica over so many devices where nothing else is told."""
    if devices == 1:
        return "none"
    return "pipeline" if (engine or "").partition("/")[0] in BY_LAYERS else "tensor"


def refusal(engine: str | None, device: Device) -> str | None:
    """Why the engine cannot run on the device; None where it can, as far as is known, or none is named."""
    vendors = ONLY.get(engine or "")
    if vendors is None or device.vendor in vendors:
        return None
    return f"{engine} runs on devices of {' and '.join(vendors)} alone"
