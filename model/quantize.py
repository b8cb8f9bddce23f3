"""Quantization: weights stored as int8."""

import copy
import warnings
from collections.abc import Iterator
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from model.errors import Unsupported

Model = TypeVar("Model", bound=nn.Module)

#: What a per-tensor int8 weight carries beside its values: a double for the scale, an int64 for the zero point.
SCALE_B = 16


def int8_dynamic(model: Model) -> Model:
    """A copy for inference whose LSTM and Linear weights are int8; activations are quantized on the way, per batch.

    A tied projection becomes an int8 copy of its own, while the embedding that it was tied to stays fp32: less is
    saved than a quarter suggests. Nothing in the copy can be trained. Raises `Unsupported` where torch has dropped
    this path (announced; it is the only one for nn.LSTM), off the CPU, and for weights that are not fp32.
    """
    quantize_dynamic = getattr(getattr(torch.ao, "quantization", None), "quantize_dynamic", None)
    if quantize_dynamic is None:
        raise Unsupported(f"torch {torch.__version__} no longer has dynamic int8 quantization.")
    for parameter in model.parameters():
        if parameter.device.type != "cpu":
            raise Unsupported(f"Dynamic int8 kernels run on the CPU only; the device is {parameter.device.type}.")
        if parameter.dtype != torch.float32:
            raise Unsupported(
                f"Dynamic int8 starts from fp32 weights; these are {str(parameter.dtype).removeprefix('torch.')}."
            )
    with warnings.catch_warnings():
        # both announce the removal that the test above answers
        warnings.filterwarnings("ignore", "torch.ao.quantization is deprecated", DeprecationWarning)
        warnings.filterwarnings("ignore", "torch.quantize_per_tensor", UserWarning)
        quantized: Model = quantize_dynamic(copy.deepcopy(model), {nn.LSTM, nn.Linear}, dtype=torch.qint8, inplace=True)
    return quantized.eval().requires_grad_(False)


def stored_bytes(model: nn.Module) -> int:
    """Bytes that the weights take: a tensor that is used twice counts once, an int8 weight with its scale."""
    plain = {tensor.data_ptr(): tensor.nbytes for tensor in (*model.parameters(), *model.buffers())}
    return sum(plain.values()) + sum(_packed_bytes(tensor) for tensor in _packed(model))


def _packed_bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size() + (SCALE_B if tensor.is_quantized else 0)


def _packed(model: nn.Module) -> Iterator[Tensor]:
    """Weights and biases inside quantized modules: they are no parameters, but packed for the kernel behind methods."""
    for module in model.modules():
        for name in ("weight", "bias", "get_weight", "get_bias"):
            unpack: Any = getattr(module, name, None)
            if callable(unpack):  # of a plain module, these are tensors
                value = unpack()  # a Linear gives one tensor, an LSTM one for each layer by name
                yield from value.values() if isinstance(value, dict) else [value]
