"""Times kernels in turns, in this process: the same round meets all of them, so that drift meets all alike."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle

import torch

from bench import devices, kernels
from bench.ceilings import _caches
from bench.ceilings._race import Contender, Timed, rounds, timed
from bench.errors import Unsupported
from bench.intervals import quantile
from bench.kernels import Kernel
from bench.stopwatch import Step
from model import precision

#: [min, max] of so many rounds is a 96.9 % interval of their median.
ROUNDS = 6
#: A group of kernels that takes longer is looked at in the fewest rounds.
LIMIT_S = 4.0
#: A call in a row of more than this would tell nothing new.
_MOST_IN_A_ROW = 16
#: Copies of weights, so that they have left the cache when their turn comes again: of so many times the last cache.
_TIMES_CACHE, _UNKNOWN_CACHE_B, _MOST_COPIES = 2, 2**26, 64


def measure(wanted: Sequence[Kernel], device: str) -> list[list[float] | str]:
    """See `bench.kernels.measure`."""
    place = devices.resolve(device)
    threads = torch.get_num_threads()
    contenders: dict[str, Contender] = {}
    refused: dict[str, str] = {}
    try:
        for number, kernel in enumerate(wanted):
            try:
                with _threads(kernel.threads):
                    step = _in_a_row(kernel, place)
                    step()
                contenders[str(number)] = Contender(_by_quartile(timed(step, place), kernel.threads), 1.0)
            except (Unsupported, RuntimeError, NotImplementedError) as error:
                refused[str(number)] = " ".join(str(error).split())[:200]
        rates = rounds(contenders, ROUNDS, limit_s=LIMIT_S)
    finally:
        torch.set_num_threads(threads)
    row = [_row(kernel) for kernel in wanted]
    return [
        refused[name] if name in refused else [1 / rate / row[int(name)] for rate in rates[name]]
        for name in map(str, range(len(wanted)))
    ]


def _row(kernel: Kernel) -> int:
    return max(min(kernel.calls, _MOST_IN_A_ROW), 1)


def _by_quartile(by: Timed, threads: int) -> Timed:
    """The lower quartile of a block, which over pairs of identical programs varies least (`bench.stopping`)."""

    def block(iterations: int) -> list[float]:
        with _threads(threads):
            return [quantile(by(iterations), 0.25)]

    return block


@contextmanager
def _threads(threads: int) -> Iterator[None]:
    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)
    yield


def _in_a_row(kernel: Kernel, device: torch.device) -> Step:
    """As many calls as an iteration makes, in one context, each on the next copy of the weights."""
    precision.apply(torch.nn.Identity(), kernel.precision, device, training=kernel.backward)
    kind = kernels.load(kernel.kind)
    torch.manual_seed(0)
    # made outside of inference mode, as models are: tensors made within it take other paths
    turn = cycle([kind.build(kernel, device) for _ in range(_copies(kernel, kind.weights_B(kernel)))])
    calls = _row(kernel)

    def step() -> None:
        with torch.inference_mode(not kernel.backward), precision.autocast(kernel.precision, device):
            for _ in range(calls):
                next(turn)()

    return step


def _copies(kernel: Kernel, weights_B: int) -> int:
    if kernel.calls == 1 and kernel.around_B <= weights_B:
        return 1
    sizes = _caches.sizes_B()
    last = sizes[max(sizes)] if sizes else _UNKNOWN_CACHE_B
    away_B = min(kernel.around_B, _TIMES_CACHE * last)
    return min(max(round(away_B / max(weights_B, 1)), 1), _MOST_COPIES)
