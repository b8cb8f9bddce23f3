"""Every kernel that a library offers for one matrix product."""

from collections.abc import Collection, Iterable, Iterator

import numpy as np
import torch
from torch import Tensor

from bench import host
from bench.ceilings import Setting
from bench.ceilings._race import Contender, timed
from bench.errors import Unsupported
from bench.stopwatch import Step

#: Number formats of the operands; tf32 is fp32 in memory.
DTYPES = {
    "fp32": torch.float32,
    "tf32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
    "int8": torch.int8,
}

NUMPY = "numpy.matmul"
#: Idle threads of numpy's OpenBLAS spin for 2^26 ticks (its THREAD_TIMEOUT), and torch's threads, woken meanwhile,
#: share a core for longer: on two cores a fifth of their blocks took five times as long 30 ms after numpy, 2 % of them
#: after 100 ms.
SETTLE_S = 0.1


def formats(device: torch.device) -> tuple[str, ...]:
    """Number formats to try on `device`: tf32 is arithmetic of NVIDIA's tensor cores."""
    return tuple(dtype for dtype in DTYPES if device.type == "cuda" or dtype != "tf32")


def unit(dtype: str) -> str:
    """What a product's work is counted in: 2 m n k, integer operations for int8."""
    return "OP/s" if dtype == "int8" else "FLOP/s"


def _numpy_joins(dtype: str, setting: Setting, device: torch.device) -> bool:
    # OpenBLAS takes all cores, and its threads cannot be set once numpy is imported
    return dtype == "fp32" and device.type == "cpu" and setting.threads == host.usable_cores()


def contenders(
    m: int, n: int, k: int, dtype: str, setting: Setting, device: torch.device, *, only: Collection[str] | None = None
) -> dict[str, Contender]:
    """Kernels for an (m, k) by (k, n) product, by name; their work is 2 m n k. `only` names those wanted.

    Sets torch's process-wide switch for tf32. A kernel that this build or device refuses is left out; raises
    `Unsupported` with the last refusal where none is left.
    """
    torch.set_float32_matmul_precision("high" if dtype == "tf32" else "highest")
    steps = _those_that_run(_steps(m, n, k, dtype, setting, device), dtype, device, only)
    return {
        name: Contender(timed(step, device), 2.0 * m * n * k, SETTLE_S * (name == NUMPY))
        for name, step in steps.items()
    }


def routines(m: int, n: int, k: int, dtype: str, device: torch.device) -> dict[str, Step]:
    """One call of each of torch's kernels, by name, in the arithmetic that is set; otherwise as `contenders`."""
    return _those_that_run(_steps(m, n, k, dtype, None, device), dtype, device)


def _those_that_run(
    steps: Iterable[tuple[str, Step]], dtype: str, device: torch.device, only: Collection[str] | None = None
) -> dict[str, Step]:
    found, refusal = {}, "there is no such kernel"
    for name, step in steps:
        if only is not None and name not in only:
            continue
        try:
            step()
        except (RuntimeError, NotImplementedError) as error:
            refusal = " ".join(str(error).split())[:200]
            continue
        found[name] = step
    if not found:
        raise Unsupported(f"torch {torch.__version__} multiplies no {dtype} matrices on {device}: {refusal}.")
    return found


def _operand(rows: int, columns: int, dtype: str, device: torch.device) -> Tensor:
    if dtype == "int8":
        return torch.randint(-8, 8, (rows, columns), dtype=torch.int8, device=device)
    return torch.randn(rows, columns, device=device).to(DTYPES[dtype])


def _steps(
    m: int, n: int, k: int, dtype: str, setting: Setting | None, device: torch.device
) -> Iterator[tuple[str, Step]]:
    """Steps by name. The weight of a linear layer lies as (n, k), so both layouts of the right operand take part.

    numpy's is among them where the setting gives it all cores; without a setting it is not.
    """
    left, weight = _operand(m, k, dtype, device), _operand(n, k, dtype, device)
    right = weight.t().contiguous()  # (k, n)
    if dtype == "int8":
        yield "torch._int_mm", lambda: torch._int_mm(left, right)
        yield "torch._int_mm, weight as (n, k)", lambda: torch._int_mm(left, weight.t())
        return
    result = torch.empty(m, n, dtype=left.dtype, device=device)
    yield "torch.mm", lambda: torch.mm(left, right, out=result)
    yield "torch.mm, weight as (n, k)", lambda: torch.mm(left, weight.t(), out=result)
    if m == 1:
        yield "torch.mv", lambda: torch.mv(weight, left[0], out=result[0])
        yield "torch.mv, weight as (k, n)", lambda: torch.mv(right.t(), left[0], out=result[0])
    if device.type != "cpu":
        return
    packed = _packed(weight, m)
    if packed is not None:
        onednn = torch.ops.mkldnn._linear_pointwise
        yield "oneDNN, packed weight", lambda: onednn(left, packed, None, "none", [], "")
    if setting is not None and _numpy_joins(dtype, setting, device):
        a, b, out = left.numpy(), right.numpy(), result.numpy()
        yield NUMPY, lambda: np.matmul(a, b, out=out)


def _packed(weight: Tensor, rows: int) -> Tensor | None:
    """The weight (n, k) in the layout that oneDNN likes best, as torch.compile's freezing makes it; None without it."""
    reorder = getattr(torch.ops.mkldnn, "_reorder_linear_weight", None)
    try:
        packed: Tensor | None = None if reorder is None else reorder(weight, rows)
    except RuntimeError:
        return None
    return packed
