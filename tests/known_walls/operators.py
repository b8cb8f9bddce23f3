"""Cases whose wall lies in the operators: arithmetic, memory, caches, the cost of calls, a slow kernel."""

from collections.abc import Callable
from random import Random

import torch
from torch import nn

from bench import host
from bench.stopwatch import time_iterations
from tests.known_walls.case import Case, Machine, pure

#: Calls after which a heap that keeps memory has room for what they make.
_SETTLES = 30


def fast_product(side: int) -> Callable[[], object]:
    """A square product by the library that does it fastest here: only then arithmetic is what it waits for.

    On an AMD EPYC MKL, which `torch.mm` calls, reaches 41 % of what oneDNN does, so there the kernel is its wall.
    """
    a, b, c = torch.randn(side, side), torch.randn(side, side), torch.empty(side, side)
    packed = torch.ops.mkldnn._reorder_linear_weight(b.t().contiguous(), side)
    steps = (
        lambda: torch.mm(a, b, out=c),
        lambda: torch.ops.mkldnn._linear_pointwise(a, packed, None, "none", [], ""),
    )
    return min(steps, key=lambda step: min(time_iterations(step, 10)))


def matmul(random: Random, _machine: Machine) -> Case:
    """Square products in fp32, large enough for the arithmetic to outweigh all else."""
    side = 64 * random.randint(10, 20)
    return pure("compute", fast_product(side), f"{side} x {side}")


def mlp_training(random: Random, _machine: Machine) -> Case:
    """Forward and backward of two wide layers over many rows, in bf16: oneDNN multiplies those at full speed."""
    width, rows = 128 * random.randint(6, 10), 128 * random.randint(4, 8)
    layers = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width)).bfloat16()
    x = torch.randn(rows, width).bfloat16()

    def step() -> None:
        for parameter in layers.parameters():
            parameter.grad = None
        layers(x).sum().backward()

    return pure("compute", step, f"{rows} rows of {width}")


def triad(random: Random, machine: Machine) -> Case:
    """c = a + 3 b far beyond the last cache."""
    n = int(machine.last_B * random.uniform(2.5, 5)) // 4
    a, b, c = torch.ones(n), torch.ones(n), torch.ones(n)
    return pure("memory bandwidth", lambda: torch.add(a, b, alpha=3.0, out=c), f"3 x {4 * n >> 10} KiB")


def sequential_read(random: Random, machine: Machine) -> Case:
    """The sum of a buffer far larger than the last cache."""
    n = int(machine.last_B * random.uniform(4, 8)) // 4
    a = torch.ones(n)
    return pure("memory bandwidth", lambda: torch.sum(a), f"{4 * n >> 10} KiB")


def random_gather(random: Random, machine: Machine) -> Case:
    """Single numbers from places all over a large table; their lines alone are more than the last cache holds."""
    n = int(machine.last_B * random.uniform(4, 8)) // 4
    count = int(machine.last_B * random.uniform(2, 4)) // 64
    table, places, out = torch.ones(n), torch.randint(0, n, (count,)), torch.empty(count)
    return pure(
        "memory latency", lambda: torch.index_select(table, 0, places, out=out), f"{count} of {4 * n >> 10} KiB"
    )


def cache_loop(random: Random, machine: Machine) -> Case:
    """Triads again and again over buffers that fit the last cache together."""
    n = int(machine.last_B * random.uniform(0.08, 0.2)) // 4
    a, b, c = torch.ones(n), torch.ones(n), torch.ones(n)

    def step() -> None:
        for _ in range(10):
            torch.add(a, b, alpha=3.0, out=c)

    return pure("cache", step, f"3 x {4 * n >> 10} KiB")


def tiny_operators(random: Random, _machine: Machine) -> Case:
    """Thousands of operators on a few numbers each."""
    count, n = random.randint(1000, 4000), random.randint(4, 64)
    x = torch.ones(n)

    def step() -> None:
        for _ in range(count):
            x.mul_(1.0)

    return pure("dispatch", step, f"{count} of {n} numbers")


def tiny_lstm_training(random: Random, _machine: Machine) -> Case:
    """A training step of an LSTM cell so narrow that starting its operators takes longer than they do."""
    width, steps = random.randint(4, 16), random.randint(16, 40)
    cell, x = nn.LSTMCell(width, width), torch.randn(steps, 1, width)
    optimizer = torch.optim.SGD(cell.parameters(), lr=1e-3, foreach=False)

    def step() -> None:
        state = (torch.zeros(1, width), torch.zeros(1, width))
        for row in x:
            state = cell(row, state)
        optimizer.zero_grad()
        state[0].sum().backward()
        optimizer.step()

    return pure("dispatch", step, f"{steps} steps of width {width}")


def one_row(random: Random, machine: Machine) -> Case:
    """One row by a weight of which every second column is used: libraries have no fast kernel for that layout.

    torch copies it in every call; with memory that is kept, no fresh pages are a wall beside the kernel.
    """
    host.keep_freed_memory()
    k = 256 * random.randint(6, 12)
    n = int(machine.last_B * random.uniform(1.2, 2)) // (4 * k)
    weight, row, out = torch.randn(n, 2 * k)[:, ::2], torch.randn(k), torch.empty(n)
    with torch.inference_mode():
        for _ in range(_SETTLES):
            torch.mv(weight, row, out=out)
        return pure("kernel", lambda: torch.mv(weight, row, out=out), f"(1, {k}) x ({k}, {n}), strided")


def softmax_rows(random: Random, machine: Machine) -> Case:
    """Softmax over rows of three numbers: the kernel's work for each row outweighs reading it from the cache."""
    rows = int(machine.last_B * random.uniform(0.1, 0.3)) // 12
    x, out = torch.randn(rows, 3), torch.empty(rows, 3)
    return pure("kernel", lambda: torch.softmax(x, 1, out=out), f"{rows} rows of 3")


def fresh_tensors(random: Random, _machine: Machine) -> Case:
    """A buffer that is made anew in each iteration, so large that the C library maps it for itself, and filled once."""
    n = random.randint(34, 80) * 2**20
    return pure("allocation", lambda: torch.ones(n, dtype=torch.uint8), f"{n >> 10} KiB")
