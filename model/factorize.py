"""Low rank: a weight matrix (out, in) becomes two factors (out, r) and (r, in), by truncated SVD.

The matrices of every nn.Linear, and with a tied projection the embedding that it is. Not those of an LSTM, a GRU or an
RNN: oneDNN and cuDNN run a whole layer as one kernel that knows no factors, and a loop over the steps in Python costs
more than the factors save. Not those of a convolution or of nn.MultiheadAttention either.
"""

from dataclasses import dataclass
from typing import TypeVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model.errors import Unsupported, UserError

Model = TypeVar("Model", bound=nn.Module)


@dataclass(frozen=True)
class Truncation:
    """Where the singular values are cut off: at `rank`, or where the kept ones hold the share `energy` of all squares.

    Exactly one of the two is given. Raises `UserError` where not, or for a rank below 1, or a share outside (0, 1].
    """

    rank: int | None = None
    energy: float | None = None

    def __post_init__(self) -> None:
        if (self.rank is None) == (self.energy is None):
            raise UserError("A factorization takes a rank or an energy share.", "Give one of the two.")
        if self.rank is not None and self.rank < 1:
            raise UserError(f"A factorization to rank {self.rank} keeps nothing.", "Give a rank of 1 or more.")
        if self.energy is not None and not 0 < self.energy <= 1:
            raise UserError(f"An energy share of {self.energy:g} cannot be kept.", "Give a number above 0, up to 1.")

    def rank_for(self, singular_values: Tensor) -> int:
        """How many of the `singular_values` (n,), largest first, are kept; a rank beyond n keeps all of them."""
        if self.rank is not None:
            return min(self.rank, len(singular_values))
        energies = singular_values.double().square().cumsum(0)  # (n,)
        # the last entry is the sum itself, so that a share of 1 is reached whatever the rounding
        return int((energies < (self.energy or 0.0) * energies[-1]).sum()) + 1


def parse(word: str) -> Truncation | None:
    """`none`, `rank:64` or `energy:0.9`, as an axis writes it. Raises `UserError` for anything else."""
    if word == "none":
        return None
    kind, _, number = word.partition(":")
    try:
        if kind == "rank":
            return Truncation(rank=int(number))
        if kind == "energy":
            return Truncation(energy=float(number))
    except ValueError:
        pass
    raise UserError(f"'{word}' names no factorization.", "Write none, rank:64 or energy:0.9, for example.")


@dataclass(frozen=True)
class Layer:
    """What became of one Linear: its (out, in) shape, the rank that was asked for, the energy that this rank keeps.

    `factored` is False where the two factors would have held as many weights as the matrix, or more.
    """

    name: str
    shape: tuple[int, int]
    rank: int
    energy: float
    factored: bool


@torch.no_grad()
def factorize(model: Model, truncation: Truncation) -> tuple[Model, tuple[Layer, ...]]:
    """Replace each nn.Linear of `model` by two where that takes fewer weights; in place, and what became of each.

    An embedding that is tied to a Linear gets the same two factors, so that it stays tied and both shrink (as in
    ALBERT, Lan et al., 2020). The factors can be trained on. Raises `Unsupported` for a model without an nn.Linear, and
    where the SVD does not converge (weights that are not finite).
    """
    tables = {id(table.weight): name for name, table in model.named_modules() if isinstance(table, nn.Embedding)}
    linears = {name: linear for name, linear in model.named_modules() if type(linear) is nn.Linear}
    if not linears:
        raise Unsupported("Only the matrices of an nn.Linear are factored, and this model has none.")
    layers = []
    for name, linear in linears.items():
        left, right, layer = _factors(name, linear.weight, truncation)
        layers.append(layer)
        if layer.factored:
            pair = _pair(linear, left, right)
            model.set_submodule(name, pair)
            table = tables.get(id(linear.weight))
            if table is not None:
                model.set_submodule(table, FactoredEmbedding(pair, cast(nn.Embedding, model.get_submodule(table))))
    return model, tuple(layers)


class FactoredEmbedding(nn.Module):
    """An embedding (V, E) as the product of the two matrices of a factored projection, which it shares."""

    def __init__(self, projection: nn.Sequential, replaced: nn.Embedding) -> None:
        super().__init__()
        self.inner = cast(nn.Linear, projection[0]).weight  # (r, E)
        self.table = cast(nn.Linear, projection[1]).weight  # (V, r)
        self.padding = replaced.padding_idx

    def forward(self, codes: Tensor) -> Tensor:
        """Rows (..., E) of the product for `codes` (...)."""
        return F.embedding(codes, self.table, self.padding) @ self.inner  # (..., r) @ (r, E)


def _factors(name: str, weight: Tensor, truncation: Truncation) -> tuple[Tensor, Tensor, Layer]:
    try:
        u, s, v = torch.linalg.svd(weight.float(), full_matrices=False)  # (out, n), (n,), (n, in)
    except RuntimeError as error:  # torch.linalg.LinAlgError among them
        raise Unsupported(f"The singular values of {name} cannot be found: its weights are not finite.") from error
    rank = truncation.rank_for(s)
    squares = s.double().square()
    energy = float(squares[:rank].sum() / squares.sum()) if squares.any() else 1.0
    out, inputs = weight.shape
    root = s[:rank].sqrt()  # shared evenly, so that both factors have one scale
    layer = Layer(name, (out, inputs), rank, energy, factored=rank * (out + inputs) < out * inputs)
    return u[:, :rank] * root, root.unsqueeze(1) * v[:rank], layer


def _pair(linear: nn.Linear, left: Tensor, right: Tensor) -> nn.Sequential:
    """Two Linears with the factors `left` (out, r) and `right` (r, in): x -> left @ (right @ x) + bias."""
    made = {"device": linear.weight.device, "dtype": linear.weight.dtype}
    inner = nn.utils.skip_init(nn.Linear, linear.in_features, len(right), bias=False, **made)  # type: ignore[no-untyped-call]
    outer = nn.utils.skip_init(nn.Linear, len(right), linear.out_features, bias=linear.bias is not None, **made)  # type: ignore[no-untyped-call]
    inner.weight.copy_(right)
    outer.weight.copy_(left)
    if linear.bias is not None:
        outer.bias.copy_(linear.bias)
    return nn.Sequential(inner, outer).train(linear.training)
