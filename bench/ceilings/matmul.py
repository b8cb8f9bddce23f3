"""Matmul peak of each number format: the best product over a search of shapes, as mamf-finder does."""

from collections.abc import Iterator

import torch

from bench import devices
from bench.ceilings import Ceiling, Setting, _products, missing
from bench.ceilings._race import SEARCH_ROUNDS, Contender, as_rate, fastest, rounds
from bench.errors import Unsupported

#: (m, n, k) of a product.
Sides = tuple[int, int, int]

#: In ascending work. On a CPU the best ones fit the second-level cache, so the steps are fine there.
CPU_SHAPES = (
    *((side, side, side) for side in range(320, 961, 64)),
    (512, 2048, 512),
    (2048, 512, 512),
    *((side, side, side) for side in (1024, 1536, 2048)),
)
GPU_SHAPES = (
    *((side, side, side) for side in (1024, 2048, 3072, 4096)),
    (4096, 8192, 4096),
    (8192, 4096, 4096),
    *((side, side, side) for side in (6144, 8192, 12288)),
)

#: The plain kernel of each library, which search the shapes: what suits OpenBLAS best need not suit oneDNN or MKL.
PLAIN = ("torch.mm", "torch._int_mm", _products.NUMPY)
#: Shapes whose every kernel is tried, out of those searched.
BEST_SHAPES = 3
#: Where one product takes longer than that, a larger one teaches nothing (fp16 on many CPUs is emulated).
MOST_S = 0.2


def measure(setting: Setting) -> dict[str, Ceiling]:
    """FLOP/s (int8: OP/s) of each number format that the device has."""
    device = devices.resolve(setting.device)
    devices.set_threads(setting.threads)
    found = {}
    for dtype in _products.formats(device):
        name = f"matmul_{dtype}_{'OP' if dtype == 'int8' else 'FLOP'}_per_s"
        label = f"matmul, {dtype}"
        try:
            found[name] = peak(dtype, label, setting, device)
        except Unsupported as reason:
            found[name] = missing(label, _products.unit(dtype), 1, str(reason))
    return found


def peak(dtype: str, label: str, setting: Setting, device: torch.device) -> Ceiling:
    """The best product of two matrices in `dtype`. Raises `Unsupported` where there is none."""
    winner = fastest(finalists(dtype, setting, device))
    return as_rate(winner, _products.unit(dtype), label, winner.name)


def finalists(dtype: str, setting: Setting, device: torch.device) -> dict[str, Contender]:
    """Every kernel on the few shapes that suit `dtype` best, by a name such as `torch.mm 512x512x512`."""
    searched, shapes = {}, {}
    for sides, found in _affordable(dtype, setting, device):
        for kernel, contender in found.items():
            searched[_name(kernel, sides)] = contender
            shapes[_name(kernel, sides)] = sides
    rates = rounds(searched, SEARCH_ROUNDS)
    ranked = sorted(searched, key=lambda name: max(rates[name]), reverse=True)
    best = list(dict.fromkeys(shapes[name] for name in ranked))[:BEST_SHAPES]
    return {
        _name(kernel, sides): contender
        for sides in best
        for kernel, contender in _products.contenders(*sides, dtype, setting, device).items()
    }


def _affordable(dtype: str, setting: Setting, device: torch.device) -> Iterator[tuple[Sides, dict[str, Contender]]]:
    for sides in GPU_SHAPES if device.type == "cuda" else CPU_SHAPES:
        found = _products.contenders(*sides, dtype, setting, device, only=PLAIN)
        yield sides, found
        if all(contender.timed(1)[0] > MOST_S for contender in found.values()):
            return


def _name(kernel: str, sides: Sides) -> str:
    return f"{kernel} {'x'.join(map(str, sides))}"
