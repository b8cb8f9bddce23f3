"""The one file that knows torchao: its weight formats for nn.Linear, and its optimizer with 8-bit state.

torchao is imported when it is first needed, which takes seconds.
"""

import importlib
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from model.errors import Unsupported
from model.shapes import MOMENT_BLOCK

#: int4 keeps a scale for each group of this many neighbours in a row: the largest that divides every preset's width.
INT4_GROUP = 32

#: torchao stores the moments of tensors from this size on in 8 bits, in blocks that share a scale.
SMALLEST_8BIT = 4096

#: fp8 tensor cores came with Ada and Hopper, the int4 kernel with Ampere.
ADA = (8, 9)
AMPERE = (8, 0)


def quantize_linears(model: nn.Module, scheme: str) -> None:
    """Store the weights of every nn.Linear as `scheme` says, in place: int8-dynamic, int8-weight, int4-weight or fp8.

    Raises `Unsupported` where the device, the weights' precision or the installation has no such kernels. The CUDA
    branches cannot be exercised on a machine without such a device.
    """
    linears = [module for module in model.modules() if isinstance(module, nn.Linear)]
    if not linears:
        raise Unsupported(f"{scheme} by torchao reaches nn.Linear only, and the model has none.")
    weight = linears[0].weight
    {"int4-weight": _check_int4, "fp8": _check_fp8}.get(scheme, _check_int8)(weight)
    quantization = _part("torchao.quantization")
    try:
        quantization.quantize_(model, _config(quantization, scheme))
    except (ImportError, NotImplementedError, AssertionError) as error:  # how torchao says what it cannot do
        said = " ".join(str(error).split()) or type(error).__name__
        raise Unsupported(f"torchao cannot store {scheme} weights here: {said[:200]}.") from error


def _config(quantization: Any, scheme: str) -> Any:
    if scheme == "int8-dynamic":
        return quantization.Int8DynamicActivationInt8WeightConfig()
    if scheme == "int8-weight":
        return quantization.Int8WeightOnlyConfig()
    if scheme == "fp8":
        return quantization.Float8DynamicActivationFloat8WeightConfig(set_inductor_config=False)
    # the layout of torch's own int4 kernel; the others need the package mslk
    return quantization.Int4WeightOnlyConfig(
        group_size=INT4_GROUP, int4_packing_format="tile_packed_to_4d", set_inductor_config=False
    )


def _check_int8(weight: torch.Tensor) -> None:
    if weight.device.type not in ("cpu", "cuda"):
        raise Unsupported(f"torchao has no int8 kernels for this device, which is {weight.device.type}.")


def _check_int4(weight: torch.Tensor) -> None:
    if weight.device.type != "cuda":
        raise Unsupported(
            f"The int4 kernel of torch runs on CUDA; those for {weight.device.type} need the package mslk."
        )
    if torch.cuda.get_device_capability(weight.device) < AMPERE:
        raise Unsupported("The int4 kernel needs compute capability 8.0.")
    if weight.dtype != torch.bfloat16:
        raise Unsupported("The int4 kernel multiplies with bf16 activations only; choose the precision bf16.")


def _check_fp8(weight: torch.Tensor) -> None:
    if weight.device.type != "cuda" or torch.cuda.get_device_capability(weight.device) < ADA:
        raise Unsupported(f"This device ({weight.device.type}) has no fp8 arithmetic: it takes compute capability 8.9.")


def adamw_8bit(parameters: Iterable[nn.Parameter], learning_rate: float, weight_decay: float) -> torch.optim.Optimizer:
    """AdamW whose moments are stored in 8 bits, in blocks of 256 (Dettmers et al., 2022); small tensors keep fp32.

    It updates in eager mode: torchao would compile the update for each shape of tensor, which takes half a minute for
    the smallest model and a C++ compiler. Raises `Unsupported` where torchao is missing.
    """
    made: torch.optim.Optimizer = _part("torchao.optim").AdamW8bit(
        parameters, lr=learning_rate, weight_decay=weight_decay
    )
    compiled_step = made.step

    def step(*arguments: Any) -> Any:
        with torch.compiler.set_stance("force_eager"):
            return compiled_step(*arguments)

    made.step = step  # type: ignore[method-assign, assignment]
    return made


def moment_bytes(parameter: torch.Tensor) -> int:
    """Bytes of one moment of `parameter` as `adamw_8bit` stores it.

    A code of one byte a value, an fp32 scale a block, and the table of what the 256 codes mean in fp32; as in
    bitsandbytes, tensors that are small or fill no whole number of blocks keep the format of the parameter.
    """
    values = parameter.numel()
    if values < SMALLEST_8BIT or values % MOMENT_BLOCK:
        return values * parameter.element_size()
    return values + 4 * (values // MOMENT_BLOCK) + 4 * 256


def _part(name: str) -> Any:
    try:
        with _quiet("torchao"), _quiet("torch.utils._pytree"):
            return importlib.import_module(name)
    except ImportError as error:
        raise Unsupported(f"torchao is not installed, or does not fit torch {torch.__version__}.") from error


@contextmanager
def _quiet(name: str) -> Iterator[None]:
    # torchao warns of each CUDA library that a build without CUDA cannot load, and torch of torchao's enumerations
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
