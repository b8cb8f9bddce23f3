"""Bytes of a model's weights in a number format: layers, table of tokens and projection, which formats treat apart."""

from collections.abc import Mapping
from dataclasses import dataclass

from reports.projection import formats
from reports.projection.models import Model

#: Bits a weight in the layers, in the table of tokens and in the projection. llama.cpp's k-quants mix two formats in
#: the layers, store the table in the lower and the projection in Q6_K (6.5625 bits): a log of Llama 3 8B in Q4_K_M says
#: 281.8 MiB for the table (4.5 bits) of 4.58 GiB in all, which leaves 4.80 for the layers, and the same 4.80 gives the
#: 39.59 GiB of the 70B. The others likewise from the averages of `formats`; block formats by their definition (32
#: values and a 16-bit scale: Q4_0 4.5, Q8_0 8.5).
GGUF_BITS: Mapping[str, tuple[float, float, float]] = {
    "Q8_0": (8.5, 8.5, 8.5),
    "Q6_K": (6.5625, 6.5625, 6.5625),
    "Q5_K_M": (5.65, 5.5, 6.5625),
    "Q4_K_M": (4.80, 4.5, 6.5625),
    "Q4_0": (4.5, 4.5, 6.5625),
    "Q3_K_M": (3.87, 3.4375, 6.5625),
    "Q2_K": (2.94, 2.625, 6.5625),
}
#: Quantizers of these convert the products in the layers and leave table and projection in 16 bits (AutoAWQ, AutoGPTQ,
#: llm-compressor's `ignore=["lm_head"]`): Llama 3 8B in AWQ is a file of 5.7 GB and no 4.3.
LAYERS_ALONE = frozenset({"int8", "fp8", "fp4", "int8-weight", "int4-weight"})
#: Of a mixture of experts, MXFP4 converts the experts alone (gpt-oss's model card: 90 % of its weights).
EXPERTS_ALONE = frozenset({"mxfp4"})
_HALF_B = 2.0


@dataclass(frozen=True)
class Stored:
    """Bytes of all layers, of the table of tokens, and of the projection.

    The table's are 0 where the projection is the same matrix.
    """

    layers_B: float
    table_B: float
    head_B: float


def weights(model: Model, weights_format: str) -> Stored:
    """Bytes of the weights of `model` in one of `formats.FORMATS`. Norms are counted as the layers they belong to."""
    head = model.vocabulary * model.hidden
    layers = model.parameters - model.table_parameters - head
    plain_B = formats.FORMATS[weights_format].bytes
    layer_B, table_B, head_B = (bits / 8 for bits in GGUF_BITS.get(weights_format, (8 * plain_B,) * 3))
    if weights_format in LAYERS_ALONE or weights_format in EXPERTS_ALONE:
        table_B = head_B = _HALF_B
    layers_B = layers * layer_B
    if weights_format in EXPERTS_ALONE and model.expert_parameters:
        layers_B = model.expert_parameters * layer_B + (layers - model.expert_parameters) * _HALF_B
    return Stored(layers_B, model.table_parameters * table_B, head * head_B)
