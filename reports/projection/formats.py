"""Number formats of stored weights and caches: their size, and which products the hardware must be able to do.

Sizes count what is stored beside the values (scales, minima, outlier tensors in wider formats) and are means over a
model, as its speed hangs on them; for what fits, `memory.stored` tells layers, table and projection apart.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from bench.errors import UserError
from bench.kinds import nearest
from reports.datasheets import Device, Peaks

_GGUF = "llama.cpp, tools/quantize/README.md, bits per weight of Llama 3.1 8B"


@dataclass(frozen=True)
class Format:
    """`bits` a stored value takes. `products` are formats of products that serve, the first that a device has wins.

    Formats that only store (`int4`, `Q4_K_M`) are converted to 16 bits for the product; `fp8` and `fp4` multiply as
    they are, and a device without such products is refused.
    """

    bits: float
    products: tuple[str, ...]
    source: str = ""

    @property
    def bytes(self) -> float:
        """Bytes that a stored value takes."""
        return self.bits / 8


_HALF = ("fp16", "bf16", "fp32")
FORMATS: Mapping[str, Format] = {
    "fp32": Format(32, ("fp32",)),
    "tf32": Format(32, ("tf32", "fp32")),
    "fp16": Format(16, _HALF),
    "bf16": Format(16, ("bf16", "fp32")),
    "fp8": Format(8, ("fp8",)),
    "int8": Format(8, ("int8",)),
    "int8-dynamic": Format(8, ("int8", *_HALF), "pinchpoint --quantize int8-dynamic: one scale for a matrix"),
    "fp4": Format(4.5, ("fp4",), "NVFP4: 4 bits, and an 8-bit scale for 16 values"),
    "int8-weight": Format(8.25, _HALF, "one 16-bit scale and zero for 128 values"),
    "int4-weight": Format(4.25, _HALF, "one 16-bit scale and zero for 128 values"),
    "mxfp4": Format(4.25, _HALF, "OCP Microscaling: 4 bits, and an 8-bit scale for 32 values"),
    "Q8_0": Format(8.5, _HALF, _GGUF),
    "Q6_K": Format(6.56, _HALF, _GGUF),
    "Q5_K_M": Format(5.70, _HALF, _GGUF),
    "Q4_K_M": Format(4.89, _HALF, _GGUF),
    "Q4_0": Format(4.64, _HALF, "llama.cpp: 4.34 GiB for the 8.03e9 weights of Llama 3 8B"),
    "Q3_K_M": Format(3.91, _HALF, "llama.cpp, older README, bits per weight of Llama 2 7B"),
    "Q2_K": Format(3.16, _HALF, _GGUF),
}
_ALIASES = {
    "f32": "fp32",
    "f16": "fp16",
    "int4": "int4-weight",
    "4-bit": "int4-weight",
    "nvfp4": "fp4",
    "amp-bf16": "bf16",
    "amp-fp16": "fp16",
}
_FIELDS = {
    name: f"{name}_{'OP' if name.startswith('int') else 'FLOP'}_per_s"
    for name in ("fp32", "tf32", "fp16", "bf16", "fp8", "fp4", "int8")
}


def named(text: str) -> str:
    """The name of a format, whatever the case of its letters. Raises `UserError` with the nearest for another."""
    by_letters = {name.casefold(): name for name in FORMATS} | _ALIASES
    found = by_letters.get(text.strip().casefold())
    if found is None:
        raise UserError(
            f"There is no number format '{text}'.{nearest(text, FORMATS)}", f"Choose one of: {', '.join(FORMATS)}."
        )
    return found


def product(device: Device, name: str) -> tuple[str, float] | None:
    """The format in which `device` multiplies weights of the format `name`, and its dense peak in FLOP/s or OP/s.

    None where it has none that serves, or where no peak is known.
    """
    if device.peaks is None:
        return None
    for each in FORMATS[name].products:
        peak = _peak(device.peaks, each)
        if peak is not None:
            return each, peak
    return None


def _peak(peaks: Peaks, name: str) -> float | None:
    found: float | None = getattr(peaks, _FIELDS[name], None)
    return found
