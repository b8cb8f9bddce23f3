"""The kernel rung: the best that a library reaches for one very shape, and that of a one-row product, as in decoding.

A one-row product moves its weight once and hardly computes, so it is shown as bytes of weight a second beside the read
bandwidth; where it stays far below, the wall is the library's kernel and not the memory.
"""

from bench import devices
from bench.ceilings import Ceiling, Setting, _products, missing
from bench.ceilings._race import Winner, as_duration, as_rate, fastest
from bench.errors import Unsupported

#: Width of the hidden state of a 7-billion-parameter model: (1, 4096) by (4096, 4096).
WIDTH = 4096


def best_time(m: int, n: int, k: int, dtype: str, setting: Setting) -> Ceiling:
    """Seconds of an (m, k) by (k, n) product in `dtype` by the fastest kernel that a library has for it.

    The operands are the same each time, so they come from the cache where they fit. `dtype` is one of
    `_products.DTYPES`. Raises `Unsupported` where no kernel takes it.
    """
    winner = _race(m, n, k, dtype, setting)
    return as_duration(winner, f"{dtype} ({m}, {k}) x ({k}, {n})", winner.name)


def _race(m: int, n: int, k: int, dtype: str, setting: Setting) -> Winner:
    device = devices.resolve(setting.device)
    devices.set_threads(setting.threads)
    return fastest(_products.contenders(m, n, k, dtype, setting, device))


def measure(setting: Setting) -> dict[str, Ceiling]:
    """Bytes of weight a second that a one-row product reaches, for each number format."""
    found = {}
    for dtype in _products.formats(devices.resolve(setting.device)):
        label = f"one-row product, {dtype}"
        try:
            found[f"one_row_{dtype}_B_per_s"] = _one_row(dtype, label, setting)
        except Unsupported as reason:
            found[f"one_row_{dtype}_B_per_s"] = missing(label, "B/s", 1, str(reason))
    return found


def _one_row(dtype: str, label: str, setting: Setting) -> Ceiling:
    winner = _race(1, WIDTH, WIDTH, dtype, setting)
    weight_B = _products.DTYPES[dtype].itemsize * WIDTH**2
    operations = 2.0 * WIDTH**2
    in_bytes = Winner(winner.name, [rate / operations * weight_B for rate in winner.rates])
    return as_rate(in_bytes, "B/s", label, f"{winner.name}; (1, {WIDTH}) x ({WIDTH}, {WIDTH}), {weight_B >> 20} MiB")
