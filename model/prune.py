"""Pruning: sets the smallest weights to zero. Dense kernels multiply zeros too, so it saves no time by itself."""

from torch import Tensor, nn
from torch.nn.utils import prune


def unstructured(model: nn.Module, share: float) -> float:
    """Zero the `share` (0 to below 1) of all weights that is smallest by magnitude, and return the share that is zero.

    The threshold is global (Han et al., 2015), over the matrices that are multiplied with: those of every LSTM and
    Linear. Biases stay. An embedding is a table to look up, and stays; where it is tied to the projection, it is that
    matrix, and is pruned once. The masks are made permanent, so the model can be copied, quantized and saved; training
    it on lets the zeros grow back. In place.
    """
    chosen = _matrices(model)
    if share > 0 and chosen:
        prune.global_unstructured(chosen, pruning_method=prune.L1Unstructured, amount=share)
        for module, name in chosen:
            prune.remove(module, name)  # type: ignore[no-untyped-call]
        for module in model.modules():
            if isinstance(module, nn.RNNBase):
                module.flatten_parameters()  # cuDNN wants the new tensors in one piece of memory
    return sparsity(model)


def sparsity(model: nn.Module) -> float:
    """Share of exact zeros among the weights that `unstructured` prunes; 0 where there are none of those."""
    weights: list[Tensor] = [getattr(module, name) for module, name in _matrices(model)]
    elements = sum(weight.numel() for weight in weights)
    zeros = elements - sum(int(weight.count_nonzero()) for weight in weights)
    return zeros / elements if elements else 0.0


def _matrices(model: nn.Module) -> list[tuple[nn.Module, str]]:
    found: dict[int, tuple[nn.Module, str]] = {}  # by tensor, so that a tied one counts once
    for module in model.modules():
        if isinstance(module, (nn.Linear, nn.RNNBase)):
            for name, parameter in module.named_parameters(recurse=False):
                if name.startswith("weight"):
                    found.setdefault(id(parameter), (module, name))
    return list(found.values())
