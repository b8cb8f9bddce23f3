"""FLOPs of an operator from its operands: torch's own formulas, and ours for what torch has none for.

A multiplication with its addition counts as 2, as in `torch.utils.flop_counter`. None where nobody has a formula: what
a tanh or a sum costs depends on how it is computed.
"""

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

from torch import Tensor
from torch.utils.flop_counter import flop_registry

from bench.operator_kinds import base

Formula = Callable[[Sequence[Any], Any], float]


def flops(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any], result: Any) -> float | None:
    """FLOPs of one call of `func`, an `OpOverload`; integer operations where it multiplies integers."""
    own = _FORMULAS.get(base(func._schema.name))
    try:
        if own is not None:
            return own(args, result)
        formula = flop_registry.get(func._overloadpacket)
        return None if formula is None else float(formula(*args, **kwargs, out_val=result))
    except (AttributeError, AssertionError, IndexError, TypeError, ValueError):  # operands that it was not made for
        return None


def packed_B(name: str, args: Sequence[Any], result: Any) -> int:
    """Bytes of int8 weights that torch keeps packed, so that no tensor shows them: a byte a multiplication of a token.

    `name` has no namespace.
    """
    if name in ("linear_dynamic", "linear_relu_dynamic"):
        return int(args[0].shape[-1] * result.shape[-1])
    if name == "quantized_lstm":
        return int(_quantized_lstm(args, result)) // (2 * int(args[0].shape[0]) * int(args[0].shape[1]))
    return 0


def product_shape(  # noqa: PLR0911 - a line a kind of product
    name: str, args: Sequence[Any], made: Sequence[Tensor]
) -> tuple[int, ...]:
    """(m, n, k) of a product, of one of them where there is a batch; empty for what is none.

    A recurrent layer is its product of one time step: (batch, 4 hidden, input + hidden) of an LSTM. Attention is
    (queries, keys, width of a head). `name` has no namespace.
    """
    tensors = [each for each in args if isinstance(each, Tensor)]
    shapes = [tuple(each.shape) for each in tensors]
    if name in ("addmm", "baddbmm", "addbmm"):
        shapes = shapes[1:]
    if name in ("mm", "addmm", "bmm", "baddbmm", "_int_mm", "_scaled_mm"):
        return (shapes[0][-2], shapes[1][-1], shapes[0][-1])
    if name in ("mv", "addmv"):
        rows, columns = shapes[-2]
        return (1, rows, columns)
    if name in ("dot", "vdot"):
        return (1, 1, shapes[0][0])
    if name in ("mkldnn_rnn_layer", "mkldnn_rnn_layer_backward"):
        (_, batch, _), gates_by_input, gates_by_hidden = shapes[:3]
        return (batch, gates_by_input[0], gates_by_input[1] + gates_by_hidden[1])
    if name == "quantized_lstm":
        batch, hidden = args[1][0].shape[-2:]
        return (batch, 4 * hidden, shapes[0][-1] + hidden)
    if "attention" in name and len(shapes) >= 3 and len(shapes[0]) == 4:
        queries, keys = shapes[1:3] if name.endswith("backward") else shapes[:2]  # after the gradient of the output
        return (queries[-2], keys[-2], queries[-1])
    if (name.startswith(("linear_dynamic", "linear_relu_dynamic")) or name in _WITH_WEIGHT) and made:
        width, columns = shapes[0][-1], made[0].shape[-1]
        return (prod(shapes[0][:-1]), columns, width)
    return ()


#: (..., k) by a weight that is stored in a layout of the kernel's own, giving (..., n).
_WITH_WEIGHT = ("_linear_pointwise", "_weight_int8pack_mm", "_weight_int4pack_mm", "_weight_int4pack_mm_for_cpu")


def _plain(args: Sequence[Any], result: Any) -> float:
    """2 m n k of an (m, k) by (k, n) product."""
    (m, k), (_, n) = args[0].shape, args[1].shape
    return float(2 * m * n * k)


def _by_output(args: Sequence[Any], result: Any) -> float:
    """Each value of the output is a sum over the width of the input."""
    return float(2 * result.numel() * args[0].shape[-1])


def _recurrent(args: Sequence[Any], result: Any) -> float:
    """One layer and direction on oneDNN: both weights meet each token once, 8 H (I + H) a token for an LSTM."""
    steps, batch = args[0].shape[:2]
    return float(2 * (args[1].numel() + args[2].numel()) * steps * batch)


def _quantized_lstm(args: Sequence[Any], result: Any) -> float:
    """8 H (I + H) a token, layer and direction; the input is (T, B, I) or (B, T, I), the first state (LD, B, H)."""
    source, state = args[0], args[1][0]
    hidden, directions = state.shape[-1], 2 if args[7] else 1
    tokens, total, width = source.shape[0] * source.shape[1], 0.0, source.shape[-1]
    for _ in range(state.shape[0] // directions):
        total += directions * 8.0 * hidden * (width + hidden) * tokens
        width = hidden * directions
    return total


def _attention(args: Sequence[Any], result: Any) -> float:
    """Scores and weighted values, 2 b h q k (d + e): queries (b, h, q, d), keys (b, h, k, d), values (b, h, k, e)."""
    query, key, value = args[:3]
    b, h, q, d = query.shape
    return float(2 * b * h * q * key.shape[-2] * (d + value.shape[-1]))


_FORMULAS: dict[str, Formula] = {
    "_int_mm": _plain,
    "mv": lambda args, _: 2.0 * args[0].numel(),
    "addmv": lambda args, _: 2.0 * args[1].numel(),
    "dot": lambda args, _: 2.0 * args[0].numel(),
    "vdot": lambda args, _: 2.0 * args[0].numel(),
    "linear_dynamic": _by_output,
    "linear_relu_dynamic": _by_output,
    "linear_dynamic_fp16": _by_output,
    "_linear_pointwise": _by_output,
    "_weight_int8pack_mm": _by_output,
    "_weight_int4pack_mm": _by_output,
    "_weight_int4pack_mm_for_cpu": _by_output,
    "mkldnn_rnn_layer": _recurrent,
    # with respect to the input and to the weights, each as much as forward
    "mkldnn_rnn_layer_backward": lambda args, result: 2.0 * _recurrent(args, result),
    "quantized_lstm": _quantized_lstm,
    "_scaled_dot_product_flash_attention_for_cpu": _attention,
    # torch's own formula for flash attention: five products where forward has two (the scores are computed again)
    "_scaled_dot_product_flash_attention_for_cpu_backward": lambda args, result: 2.5 * _attention(args[1:], result),
}
