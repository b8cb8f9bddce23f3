"""Pruning: sets the smallest weights to zero. Dense kernels multiply zeros too, so it saves no time by itself.

Where whole units are to go, so that the matrices shrink, see `model.structured`.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils import prune
from torch.utils.hooks import RemovableHandle

from model.errors import UserError

#: Whoever multiplies with a weight matrix of its own; an embedding is looked up in, and stays.
MULTIPLYING = (nn.Linear, nn.RNNBase, nn.Conv1d, nn.Conv2d)

#: Sparse tensor cores came with Ampere, for 16-bit floats (Mishra et al., 2021, section 3).
AMPERE = (8, 0)
HALF_PRECISIONS = (torch.bfloat16, torch.float16)


def check_share(share: float) -> None:
    """Raise `UserError` unless 0 <= `share` < 1."""
    if not 0 <= share < 1:
        raise UserError(f"A share of {share:g} cannot be pruned.", "Give a number from 0 up to, not including, 1.")


def unstructured(model: nn.Module, share: float) -> float:
    """Zero the `share` (0 to below 1) of all weights that is smallest by magnitude, and return the share that is zero.

    The threshold is global (Han et al., 2015), over the matrices that are multiplied with: those of every LSTM and
    Linear. Biases stay. An embedding is a table to look up, and stays; where it is tied to the projection, it is that
    matrix, and is pruned once. The masks are made permanent, so the model can be copied, quantized and saved; training
    it on lets the zeros grow back, unless `keep_zeros` holds them. In place. Raises `UserError` for a share that is
    none.
    """
    check_share(share)
    chosen = _matrices(model)
    if share > 0 and chosen:
        prune.global_unstructured(chosen, pruning_method=prune.L1Unstructured, amount=share)
        for module, name in chosen:
            prune.remove(module, name)  # type: ignore[no-untyped-call]
        _flatten(model)
    return sparsity(model)


@torch.no_grad()
def two_of_four(model: nn.Module) -> float:
    """Zero the two smallest of every four neighbours in a row, and return the share of all weights that is zero.

    The pattern of NVIDIA's sparse tensor cores (Mishra et al., 2021), along the inputs of each matrix that
    `unstructured` prunes too. A matrix whose rows are no multiple of four, and a convolution, stay as they are. In
    place; these are zeros in a dense matrix until `use_sparse_kernels` is called.
    """
    for module, name in _matrices(model):
        weight: Tensor = getattr(module, name)
        if weight.dim() == 2 and weight.shape[1] % 4 == 0:
            fours = weight.view(-1, 4)  # (out * in / 4, 4)
            fours.scatter_(1, fours.abs().topk(2, dim=1, largest=False).indices, 0.0)
    return sparsity(model)


def gradual(share: float, rounds: int) -> list[float]:
    """The share after each of `rounds` rounds: quickly at first, while much is superfluous; the last is `share`.

    s_t = s (1 - (1 - t/n)^3), Zhu and Gupta (2017), equation 1. Raises `UserError` where a number is out of range.
    """
    check_share(share)
    if rounds < 1:
        raise UserError(f"Pruning in {rounds} rounds prunes nothing.", "Give 1 (one shot) or more.")
    return [share * (1 - (1 - number / rounds) ** 3) for number in range(1, rounds + 1)]


def keep_zeros(model: nn.Module, optimizer: torch.optim.Optimizer) -> RemovableHandle:
    """Set what is zero now to zero again after every step of `optimizer`, until the handle is removed."""
    masks = [(weight, weight.detach() != 0) for weight in _weights(model)]

    @torch.no_grad()
    def hold(*_: object) -> None:
        for weight, mask in masks:
            weight.mul_(mask)

    return optimizer.register_step_post_hook(hold)


@dataclass(frozen=True)
class SparseKernels:
    """How many of the Linear and LSTM matrices of a model run in sparse kernels, of how many; why not the rest."""

    converted: int
    of: int
    reason: str | None


def use_sparse_kernels(model: nn.Module) -> SparseKernels:
    """Store each 2:4 pruned Linear of a model, on its device and in its precision, as its sparse kernel reads it.

    In place, for inference. Where there are no such kernels the weights stay masked only, and `reason` says why: they
    are NVIDIA's (Ampere or later), take 16-bit floats, and there is none for an LSTM. The CUDA branch cannot be
    exercised on a machine without such a device.
    """
    matrices = _matrices(model)
    linears = [module for module, _ in matrices if isinstance(module, nn.Linear)]
    reason = _no_sparse_kernels(linears)
    if reason is not None:
        return SparseKernels(0, len(matrices), f"Masked only: {reason}")
    converted = sum(_store_sparse(linear) for linear in linears)
    left = len(matrices) - converted
    told = f"{left} matrices stay masked only: an LSTM's, or of a shape that the sparse kernels do not take."
    return SparseKernels(converted, len(matrices), told if left else None)


def _no_sparse_kernels(linears: list[nn.Linear]) -> str | None:
    if not linears:
        return "the model has no Linear, and there is no sparse kernel for anything else."
    weight = linears[0].weight
    if weight.device.type != "cuda":
        return f"sparse kernels run on NVIDIA devices; this is {weight.device.type}."
    if torch.cuda.get_device_capability(weight.device) < AMPERE:
        return "sparse kernels need compute capability 8.0."
    if weight.dtype not in HALF_PRECISIONS:
        return "sparse kernels take 16-bit floats; choose the precision bf16."
    return None


def _store_sparse(linear: nn.Linear) -> bool:
    try:
        stored = torch.sparse.to_sparse_semi_structured(linear.weight.detach())
    except (RuntimeError, ValueError):  # a shape that the kernel does not take
        return False
    linear.weight = nn.Parameter(stored, requires_grad=False)
    return True


def sparsity(model: nn.Module) -> float:
    """Share of exact zeros among the weights that `unstructured` prunes; 0 where there are none of those."""
    weights = _weights(model)
    elements = sum(weight.numel() for weight in weights)
    zeros = elements - sum(int(weight.count_nonzero()) for weight in weights)
    return zeros / elements if elements else 0.0


def _weights(model: nn.Module) -> list[Tensor]:
    return [getattr(module, name) for module, name in _matrices(model)]


def _matrices(model: nn.Module) -> list[tuple[nn.Module, str]]:
    found: dict[int, tuple[nn.Module, str]] = {}  # by tensor, so that a tied one counts once
    for module in model.modules():
        if isinstance(module, MULTIPLYING):
            for name, parameter in module.named_parameters(recurse=False):
                if name.startswith("weight"):
                    found.setdefault(id(parameter), (module, name))
    return list(found.values())


def _flatten(model: nn.Module) -> None:
    for module in model.modules():
        if isinstance(module, nn.RNNBase):
            module.flatten_parameters()  # cuDNN wants the new tensors in one piece of memory
