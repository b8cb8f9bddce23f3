"""Quantization: weights stored in 8 or 4 bits. Copies for inference; nothing in them can be trained."""

import copy
import warnings
from collections.abc import Iterator
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from model import ao
from model.errors import Unsupported, UserError

Model = TypeVar("Model", bound=nn.Module)

SCHEMES = ("none", "int8-dynamic", "int8-weight", "int4-weight", "fp8")

#: What a per-tensor int8 weight carries beside its values: a double for the scale, an int64 for the zero point.
SCALE_B = 16


def quantize(model: Model, scheme: str) -> Model:
    """A copy of `model`, on its device, with its weights stored as `scheme`; "none" is the model itself.

    `int8-dynamic` quantizes activations on the way, per batch; so does `fp8`. `int8-weight` and `int4-weight` store
    the weights alone and multiply in the model's precision. Save for int8-dynamic on the CPU, these are torchao's and
    reach every nn.Linear: the matrices of an LSTM or an RNN and an embedding stay as they are. A tied projection
    becomes a copy of its own beside the embedding, so that the model may even grow: `stored_bytes` tells. Raises
    `Unsupported` where the device, the precision or the installation has no such kernels, `UserError` for an unknown
    scheme.
    """
    if scheme not in SCHEMES:
        raise UserError(f"There is no quantization '{scheme}'.", f"Choose one of: {', '.join(SCHEMES)}.")
    if scheme == "none":
        return model
    if scheme == "int8-dynamic" and _for_torch_ao(model):
        return int8_dynamic(model)
    quantized = copy.deepcopy(model).eval().requires_grad_(False)
    ao.quantize_linears(quantized, scheme)
    return quantized


def _for_torch_ao(model: nn.Module) -> bool:
    # On the CPU in fp32, torch.ao's int8 Linear takes a third of an fp32 Linear's time, and torchao's in eager mode
    # mostly more than all of it (torch 2.13, torchao 0.18, 160x4096 to 768x768, 1 to 256 rows). For an LSTM there is
    # no other.
    if any(isinstance(module, (nn.LSTM, nn.GRU)) for module in model.modules()):
        return True
    plain = all(parameter.device.type == "cpu" and parameter.dtype == torch.float32 for parameter in model.parameters())
    return plain and _quantize_dynamic() is not None


def _quantize_dynamic() -> Any:
    return getattr(getattr(torch.ao, "quantization", None), "quantize_dynamic", None)


def int8_dynamic(model: Model) -> Model:
    """A copy whose LSTM and Linear weights are int8 by torch.ao; activations are quantized on the way, per batch.

    A tied projection becomes an int8 copy of its own, while the embedding that it was tied to stays fp32: less is
    saved than a quarter suggests. Nothing in the copy can be trained. Raises `Unsupported` where torch has dropped
    this path (announced; it is the only one for nn.LSTM), off the CPU, and for weights that are not fp32.
    """
    quantize_dynamic = _quantize_dynamic()
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
        quantized: Model = quantize_dynamic(
            copy.deepcopy(model), {nn.LSTM, nn.GRU, nn.Linear}, dtype=torch.qint8, inplace=True
        )
    return quantized.eval().requires_grad_(False)


def stored_bytes(model: nn.Module) -> int:
    """Bytes that the weights take: a tensor that is used twice counts once, a quantized one with its scales."""
    tensors = [part for tensor in (*model.parameters(), *model.buffers()) for part in parts(tensor)]
    plain = {tensor.data_ptr(): tensor.nbytes for tensor in tensors}
    return sum(plain.values()) + sum(_packed_bytes(tensor) for tensor in _packed(model))


def parts(tensor: Tensor) -> Iterator[Tensor]:
    """The plain tensors that hold `tensor`: those inside of one of torchao's or a sparse one, which only look dense."""
    if hasattr(tensor, "__tensor_flatten__"):
        for name in tensor.__tensor_flatten__()[0]:
            yield from parts(getattr(tensor, name))
    else:
        yield tensor


def _packed_bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size() + (SCALE_B if tensor.is_quantized else 0)


def _packed(model: nn.Module) -> Iterator[Tensor]:
    """Weights and biases inside quantized modules: they are no parameters, but packed for the kernel behind methods."""
    for module in model.modules():
        for name in ("weight", "bias", "get_weight", "get_bias"):
            unpack: Any = getattr(module, name, None)
            if callable(unpack):  # of a plain module, these are tensors
                value = unpack()  # a Linear gives one tensor, an LSTM one for each layer by name
                values = value.values() if isinstance(value, dict) else [value]
                yield from (tensor for tensor in values if tensor is not None)  # a Linear may have no bias
