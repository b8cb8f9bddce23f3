"""The work of each operator that a step calls, counted from the shapes of its operands.

A pass of its own, unprofiled and untimed: torch tells a `TorchDispatchMode` every operator below autograd with its
tensors. An operator that torch itself composes of others is taken apart, as `torch.utils.flop_counter` does.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from bench import autocasting
from bench.modules import Modules
from bench.observation import Kind
from bench.operator_flops import flops, packed_B, product_shape
from bench.operator_kinds import base, kind_of
from bench.stopwatch import Step

#: An operator's name, and the shapes of those operands that are tensors: by these a profiled call finds its count.
Key = tuple[str, tuple[tuple[int, ...], ...]]

#: Number formats as the ceilings name them.
FORMATS = {
    torch.float32: "fp32",
    torch.bfloat16: "bf16",
    torch.float16: "fp16",
    torch.float64: "fp64",
    torch.int8: "int8",
    torch.qint8: "int8",
    torch.quint8: "int8",
    torch.float8_e4m3fn: "fp8",
    torch.float8_e5m2: "fp8",
}
#: They overwrite their first operand and read nothing of it.
_OVERWRITES = frozenset(
    {
        "copy", "zero", "fill", "normal", "uniform", "random", "bernoulli", "exponential", "cauchy",
        "geometric", "log_normal", "eye",
    }
)  # fmt: skip
#: Gathers that read a few rows or values of their first operand.
_READS_ROWS = frozenset({"embedding", "embedding_bag", "_embedding_bag", "index_select", "index", "gather", "take"})
#: They set memory aside and touch none of it.
_SETS_ASIDE = frozenset(
    {
        "empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided", "resize", "set",
        "empty_permuted",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Count:
    """What one call of an operator does; see `bench.observation.Operator`."""

    kind: Kind
    dtype: str
    flops: float | None = None
    bytes_moved: float | None = None
    places: float = 0.0
    largest_B: int = 0
    shape: tuple[int, ...] = ()


@dataclass
class Counts:
    """The calls of one iteration, in their order, and the bytes of the distinct memory that they touch.

    Those of a table that rows are gathered from are the rows that were read, not the table.
    """

    calls: dict[Key, list[Count]] = field(default_factory=dict)
    working_set_B: int = 0

    @property
    def names(self) -> set[str]:
        """Every operator that was called."""
        return {name for name, _ in self.calls}


def count(step: Step, model: torch.nn.Module | None = None) -> Counts:
    """Run `step` once and count what it calls; `model` tells packed weights of equal shape apart."""
    with Modules(model) as modules, _Counter(modules) as counter:
        step()
    return Counts(counter.calls, sum(counter.touched.values()) + counter.gathered_B)


def key(name: str, shapes: Iterable[Any]) -> Key:
    """The key of a call. The profiler shows what is no tensor, or a list of them, as an empty or a nested list."""
    return name, tuple(tuple(shape) for shape in shapes if shape and not isinstance(shape[0], (list, tuple)))


class _Counter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(self, modules: Modules) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._modules = modules
        self.calls: dict[Key, list[Count]] = {}
        self.touched: dict[object, int] = {}
        self.gathered_B = 0
        self._views: dict[int, dict[tuple[object, ...], int]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if any(issubclass(each, Tensor) and each not in (Tensor, torch.nn.Parameter) for each in types):
            return NotImplemented  # a quantized tensor of torchao first becomes the operators on what it stores
        if not isinstance(func, torch._ops.OpOverload):
            return func(*args, **kwargs)
        if _is_composite(func):
            with self, autocasting.kept((*args, *kwargs.values())):
                return func._op_dk(torch._C.DispatchKey.CompositeImplicitAutograd, *args, **kwargs)
        result = func(*args, **kwargs)
        name = func._schema.name
        shapes = [tuple(each.shape) for each in (*args, *kwargs.values()) if isinstance(each, Tensor)]
        self.calls.setdefault(key(name, shapes), []).append(self._count(func, args, kwargs, result))
        return result

    def _count(self, func: Any, args: Sequence[Any], kwargs: Mapping[str, Any], result: Any) -> Count:
        name = func._schema.name
        given, made = _tensors((*args, *kwargs.values())), _tensors(result)
        dtype = _format([*given, *made])
        if _moves_nothing(func, base(name)):
            return Count("other", dtype, 0.0, 0.0)
        kind = kind_of(name)
        if kind == "elementwise" and len({each.device for each in (*given, *made)}) > 1 and base(name) != "copy":
            kind = "transfer" if base(name) == "_to_copy" else kind
        elif base(name) == "copy" and len({each.device for each in given}) > 1:
            kind = "transfer"
        moved = _moved(func, args, kwargs, made)
        table = given[0] if base(name) in _READS_ROWS and given else None
        bytes_moved = sum(_size_B(each) for each in moved if each is not table)
        if table is not None:
            read_B = min(sum(_size_B(each) for each in made), _size_B(table))
            bytes_moved += read_B
            self.gathered_B += read_B
        for each in moved:
            if each is not table:
                self._touch(each)
        packed = packed_B(base(name), args, made[0]) if made else 0
        if packed:
            self.touched[self._modules.current, base(name), packed] = packed
        return Count(
            kind,
            "int8" if "quantized" in name and kind == "product" else dtype,
            flops(func, args, kwargs, result),
            float(bytes_moved + packed),
            _places(base(name), given, made) if kind == "gather" else 0.0,
            max((_size_B(each) for each in (*given, *made)), default=0),
            product_shape(base(name), args, made) or _largest(given, made),
        )

    def _touch(self, tensor: Tensor) -> None:
        """Note which part of which memory was touched: no more of it than there is."""
        try:
            storage = tensor.untyped_storage()
            place, size = storage.data_ptr(), storage.nbytes()
        except (RuntimeError, NotImplementedError):  # sparse, or of another make: it has no memory of one piece
            return
        views = self._views.setdefault(place, {})
        views[tensor.storage_offset(), tuple(tensor.shape), tensor.stride()] = _size_B(tensor)
        self.touched[place] = max(self.touched.get(place, 0), min(sum(views.values()), size))


def _is_composite(func: Any) -> bool:
    return bool(torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), "CompositeImplicitAutograd"))


def _moves_nothing(func: Any, name: str) -> bool:
    return bool(func.is_view) or name in _SETS_ASIDE or name == "detach" or func.namespace in ("profiler", "prim")


def _tensors(content: Any) -> list[Tensor]:
    """The distinct tensors of arguments or of a result, lists among them taken apart."""
    found = {id(each): each for each in tree_leaves(content) if isinstance(each, Tensor)}
    return list(found.values())


def _moved(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any], made: list[Tensor]) -> list[Tensor]:
    """What is read and what is written; a tensor that is changed in place is both, and counts twice."""
    found: list[Tensor] = []
    written: set[int] = set()
    for argument, value in _bound(func, args, kwargs):
        tensors = _tensors(value)
        if argument.alias_info is not None and argument.alias_info.is_write:
            written |= {id(each) for each in tensors}
            found += tensors
            if argument.kwarg_only or base(func._schema.name) in _OVERWRITES:
                continue
        found += tensors
    return found + [each for each in made if id(each) not in written]


def _bound(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Iterator[tuple[Any, Any]]:
    for place, argument in enumerate(func._schema.arguments):
        if place < len(args):
            yield argument, args[place]
        elif argument.name in kwargs:
            yield argument, kwargs[argument.name]


def _size_B(tensor: Tensor) -> int:
    """Bytes of its values, each once: a dimension of stride 0 repeats the same ones."""
    if tensor.is_sparse:
        return _size_B(tensor._values()) + _size_B(tensor._indices())
    if tensor.is_mkldnn:  # a weight in the layout of oneDNN's own: its padding is not known
        return tensor.element_size() * tensor.numel()
    if tensor.layout != torch.strided:
        rows = tensor.layout in (torch.sparse_csr, torch.sparse_bsr)
        ends, places = (tensor.crow_indices, tensor.col_indices) if rows else (tensor.ccol_indices, tensor.row_indices)
        return sum(map(_size_B, (tensor.values(), ends(), places())))
    return tensor.element_size() * prod(
        size for size, stride in zip(tensor.shape, tensor.stride(), strict=True) if stride or not size
    )


def _places(name: str, given: list[Tensor], made: list[Tensor]) -> float:
    """Scattered places of a gather: one for each index; what lies behind a place in a row is read in order."""
    whole = [each for each in given[1:] if not each.is_floating_point()]
    indices = max((each.numel() for each in whole), default=0)
    if name == "index_select" and made and indices:
        rows = made[0].shape
        at = next((dim for dim, size in enumerate(rows) if size != given[0].shape[dim]), 0)
        return float(prod(rows[:at]) * indices)
    return float(indices)


def _format(tensors: Sequence[Tensor]) -> str:
    """The number format that an operator works in: that of its first tensor of floats, else of its first."""
    floats = [each for each in tensors if each.is_floating_point() and each.dim()]
    chosen = (floats or [each for each in tensors if each.is_floating_point()] or [*tensors])[:1]
    return FORMATS.get(chosen[0].dtype, str(chosen[0].dtype).removeprefix("torch.")) if chosen else ""


def _largest(given: list[Tensor], made: list[Tensor]) -> tuple[int, ...]:
    largest = max((*given, *made), key=_size_B, default=None)
    return () if largest is None else tuple(largest.shape)
