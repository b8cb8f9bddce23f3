"""Matrix products without the model around them, each by the routine that turns out to be the fastest here."""

import math
from functools import cache

import torch

from bench.ceilings import _products
from bench.ceilings._race import timed
from bench.interventions import Product
from bench.stopwatch import Step

#: Looks at each routine, in turns: the first is one call, each other so many as fit into so many seconds.
_LOOKS, _CALLS, _LOOK_S = 3, 10, 0.01


@cache
def step(products: tuple[Product, ...], device: torch.device) -> Step:
    """The products of one iteration, call after call of all of them in alternation, as layers make them.

    Raises `Unsupported` where this build cannot multiply matrices of such a format.
    """
    with torch.inference_mode():
        fastest = [_fastest(each, device) for each in products]
    most = max(each.calls for each in products)
    order = [
        routine
        for turn in range(most)
        for routine, each in zip(fastest, products, strict=True)
        if turn < each.calls
        for _ in range(each.in_a_row)
    ]

    def alone() -> None:
        with torch.inference_mode():
            for routine in order:
                routine()
            if device.type == "cuda":
                torch.cuda.synchronize(device)

    return alone


def _fastest(product: Product, device: torch.device) -> Step:
    """The routine with the shortest call."""
    routines = _products.routines(product.m, product.n, product.k, product.dtype, device)
    least = dict.fromkeys(routines, math.inf)
    for _ in range(_LOOKS):
        for name, routine in routines.items():
            calls = min(max(int(_LOOK_S / least[name]), 1), _CALLS)
            least[name] = min(least[name], *timed(routine, device)(calls))
    return routines[min(least, key=lambda name: least[name])]
