"""Structured pruning: whole units are removed, so that the matrices really shrink. The result is a smaller model.

An architecture takes part by two functions:

- `narrowed(config, share)` in its file under `model/shapes`: the Config after removing that share of its units, by
  arithmetic alone, so that memory can be planned before a model is built;
- `units(config)` in its file under `model/architectures`: the `Group`s of units, each with the `Cut`s that removing
  one makes. Removing a unit means leaving its indices out of every tensor that it is coupled to.

Because the result is an ordinary model of the smaller Config, its costs, its checkpoint and every further compression
are those of any other model.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn

from model import plugins, shapes
from model.architectures import build_any
from model.errors import Unsupported
from model.prune import check_share

Model = TypeVar("Model", bound=nn.Module)


@dataclass(frozen=True)
class Cut:
    """Where the units of a group lie in one parameter: `members` (units, n) are each unit's indices along `dim`."""

    parameter: str
    dim: int
    members: Tensor


@dataclass(frozen=True)
class Group:
    """Units of one layer that stand or fall alone; as many are kept as the smaller Config's attribute `count` says.

    A tied parameter is cut under the first name that `named_parameters` gives it.
    """

    count: str
    cuts: tuple[Cut, ...]


def made_by(layer: str, members: Tensor, *, bias: bool = True) -> list[Cut]:
    """The cuts of units that the linear layer or convolution of that name puts out as `members`."""
    cuts = [Cut(f"{layer}.weight", 0, members)]
    return [*cuts, Cut(f"{layer}.bias", 0, members)] if bias else cuts


def read_by(layer: str, members: Tensor) -> Cut:
    """The cut of units that the linear layer or convolution of that name reads as `members`."""
    return Cut(f"{layer}.weight", 1, members)


def narrowed(architecture: str, config: Any, share: float) -> Any:
    """The Config of `architecture` after `share` of its units are removed.

    Raises `Unsupported` for an architecture whose units cannot be removed, `UserError` for a share that is none.
    """
    check_share(share)
    return _hook(shapes.load(architecture), "narrowed", architecture)(config, share)


def structured(model: Model, architecture: str, config: Any, smaller: Any) -> Model:
    """A model of the Config `smaller` with the weightiest units of `model`; its device, format and mode are the same.

    A unit weighs the sum of squares of all that goes with it (the group norm of Wen et al., 2016, per unit); within
    each group the lightest go. Raises `Unsupported` for an architecture whose units cannot be removed.
    """
    groups = _hook(plugins.load("model.architectures", architecture), "units", architecture)(config)
    tensors = narrow(dict(model.named_parameters()), groups, smaller)
    # the weights drawn here are overwritten; dropout's draws go on as they were
    with torch.random.fork_rng(devices=[]):
        made = build_any(architecture, smaller)
    like = next(model.parameters())
    made = made.to(like.device, like.dtype).train(model.training)
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if parameter.shape != tensors[name].shape:  # copy_ would broadcast
                raise ValueError(f"{name}: units() leaves {tensors[name].shape}, narrowed() wants {parameter.shape}")
            parameter.copy_(tensors[name])
    return cast(Model, made)  # of the same architecture, so of the same kind


def _hook(module: object, name: str, architecture: str) -> Callable[..., Any]:
    hook: Callable[..., Any] | None = getattr(module, name, None)
    if hook is None:
        raise Unsupported(f"Structured pruning knows no units that could be removed from '{architecture}'.")
    return hook


@torch.no_grad()
def narrow(tensors: dict[str, Tensor], groups: Sequence[Group], smaller: Any) -> dict[str, Tensor]:
    """The parameters `tensors` by name without the lightest units of each group; `smaller` counts what stays."""
    # several groups may lie along one dimension of a parameter, so what stays is gathered before anything is cut
    stays: dict[tuple[str, int], Tensor] = {}
    for group in groups:
        weights = _importance(tensors, group)  # (units,)
        light = weights.argsort(stable=True)[: len(weights) - int(getattr(smaller, group.count))]
        for cut in group.cuts:
            tensor = tensors[cut.parameter]
            whole = torch.ones(tensor.shape[cut.dim], dtype=torch.bool, device=tensor.device)
            stays.setdefault((cut.parameter, cut.dim), whole)[cut.members.to(light.device)[light]] = False
    left = dict(tensors)
    for (name, dim), mask in stays.items():
        left[name] = left[name].index_select(dim, mask.nonzero().squeeze(1))  # in their old order
    return left


def _importance(tensors: dict[str, Tensor], group: Group) -> Tensor:
    total = torch.zeros(())
    for cut in group.cuts:
        tensor = tensors[cut.parameter].float()
        others = [dim for dim in range(tensor.dim()) if dim != cut.dim % tensor.dim()]
        squares = tensor.square().sum(others) if others else tensor.square()  # along the cut dimension
        total = total.to(squares) + squares[cut.members.to(squares.device)].sum(1)  # (units,)
    return total
