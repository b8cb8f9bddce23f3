"""Number formats: what fp32, tf32, amp-bf16, amp-fp16 and bf16 do to a model, its arithmetic and its training.

The CUDA branches cannot be exercised by tests on a machine without such a device.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TypeVar

import torch
from torch import nn

from model.errors import Unsupported, UserError

Model = TypeVar("Model", bound=nn.Module)

#: Format that autocast computes in; the weights stay fp32 (Micikevicius et al., 2018).
AUTOCAST = {"amp-bf16": torch.bfloat16, "amp-fp16": torch.float16}
PRECISIONS = ("fp32", "tf32", *AUTOCAST, "bf16")

#: Tensor cores for tf32 and bf16 came with Ampere.
AMPERE = (8, 0)


def apply(model: Model, precision: str, device: torch.device, *, training: bool = False) -> Model:
    """Bring weights (in place) and arithmetic to `precision`, and return the model.

    Sets torch's process-wide switches for tf32, off as well as on: cuDNN's default is on, so an LSTM in "fp32" would
    not be. Raises `Unsupported` where `device` has no such arithmetic or cannot train in it, `UserError` for an
    unknown precision.
    """
    _check(precision, device)
    if training:
        _check_training(precision, device)
    tf32 = precision == "tf32"
    torch.set_float32_matmul_precision("high" if tf32 else "highest")
    torch.backends.cudnn.allow_tf32 = tf32
    return model.to(torch.bfloat16) if precision == "bf16" else model


def _check(precision: str, device: torch.device) -> None:
    if precision not in PRECISIONS:
        raise UserError(f"There is no precision '{precision}'.", f"Choose one of: {', '.join(PRECISIONS)}.")
    if precision == "tf32" and device.type != "cuda":
        raise Unsupported(f"tf32 is arithmetic of NVIDIA tensor cores; the device is {device.type}.")
    if device.type == "cuda" and precision in ("tf32", "amp-bf16", "bf16"):
        capability = torch.cuda.get_device_capability(device)
        if capability < AMPERE:
            raise Unsupported(
                f"{precision} needs compute capability 8.0; this device has {capability[0]}.{capability[1]}."
            )


@contextmanager
def exact() -> Iterator[None]:
    """Products in full fp32 whatever `apply` has switched on, for what a variant is compared with."""
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before[0])
        torch.backends.cudnn.allow_tf32 = before[1]


def autocast(precision: str, device: torch.device) -> AbstractContextManager[object]:
    """The context in which forward passes run: torch's autocast for amp-*, nothing for the rest."""
    if precision not in AUTOCAST:
        return nullcontext()
    return torch.autocast(device.type, dtype=AUTOCAST[precision])


def scaler(precision: str, device: torch.device) -> torch.amp.GradScaler | None:
    """The loss scaler that fp16 training needs, lest small gradients vanish; None for the formats that do without.

    Raises `Unsupported` for training in fp16 on the CPU (torch 2.13: oneDNN has no such LSTM).
    """
    _check_training(precision, device)
    return torch.amp.GradScaler(device.type) if precision == "amp-fp16" else None


def _check_training(precision: str, device: torch.device) -> None:
    if precision == "amp-fp16" and device.type == "cpu":
        raise Unsupported("oneDNN cannot train an LSTM in fp16 on the CPU.")
