"""Formatting of SI values for people. Storage keeps plain SI; this is the only place where a prefix is chosen."""

import math
from collections.abc import Iterable

_PREFIXES = {-9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T", 15: "P"}
_BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
#: Shares and counts take no prefix; a count of parameters or tokens does.
_PLAIN = {"", "1", "%", "°C"}


def scale(values: Iterable[float | None], unit: str) -> tuple[float, str]:
    """The divisor and the unit's name under which all of `values` read well together (chosen for their median).

    >>> scale([0.0021, 0.0034], "s")
    (0.001, 'ms')
    >>> scale([3 * 2**20], "B")
    (1048576.0, 'MiB')
    """
    sizes = sorted(abs(v) for v in values if v is not None and math.isfinite(v) and v != 0)
    if unit in _PLAIN or not sizes:
        return 1.0, unit
    middle = sizes[len(sizes) // 2]
    if unit == "B" or unit.startswith("B/"):
        power = min(max(int(math.log2(middle) // 10), 0), len(_BINARY) - 1)
        return float(2 ** (10 * power)), _BINARY[power] + unit[1:]
    power = min(max(3 * math.floor(math.log10(middle) / 3), -9), 15)
    if unit.startswith("tokens"):
        power = max(power, 0)
        return 10.0**power, _PREFIXES[power] + unit.replace("tokens", "tok")
    return 10.0**power, _PREFIXES[power] + unit


def digits(value: float, significant: int = 3) -> str:
    """`value` with that many significant digits and no exponent: 1234 -> 1,230; 0.01234 -> 0.0123.

    >>> digits(1234.5), digits(0.012345), digits(99.96)
    ('1,230', '0.0123', '100')
    """
    if not math.isfinite(value):
        return str(value)
    if value == 0:
        return "0"
    rounded = float(f"{value:.{significant - 1}e}")
    places = max(significant - 1 - math.floor(math.log10(abs(rounded))), 0)
    return f"{rounded:,.{places}f}"


def quantity(value: float | None, unit: str) -> str:
    """One value with its unit and three significant digits; an em dash where there is none."""
    if value is None:
        return "—"
    factor, name = scale([value], unit)
    return f"{digits(value / factor)} {name}".strip()


def interval(value: float | None, low: float | None, high: float | None, unit: str) -> str:
    """`value [low, high] unit` under one prefix, the bounds with as many decimals as the value."""
    if value is None:
        return "—"
    if low is None or high is None:
        return quantity(value, unit)
    factor, name = scale([value], unit)
    return f"{bracketed(value / factor, low / factor, high / factor)} {name}".strip()


def bracketed(value: float, low: float, high: float) -> str:
    """`value [low, high]` with three significant digits, up to five where fewer would show a bound as the value itself.

    >>> bracketed(12.345, 11.9, 12.8), bracketed(105.91, 105.66, 106.51)
    ('12.3 [11.9, 12.8]', '105.9 [105.7, 106.5]')
    """
    text = ""
    for significant in (3, 4, 5):
        middle = digits(value, significant)
        places = len(middle.partition(".")[2])
        bounds = [f"{bound:,.{places}f}" for bound in (low, high)]
        text = f"{middle} [{', '.join(bounds)}]"
        if not any(shown == middle and bound != value for shown, bound in zip(bounds, (low, high), strict=True)):
            break
    return text


def change(log: float) -> str:
    """The change that a logarithm of a ratio stands for, in per cent.

    >>> change(0.0953), change(-0.6931)
    ('+10 %', '-50 %')
    """
    percent = 100 * math.expm1(log)
    return f"{percent:+.0f} %" if abs(percent) >= 9.95 else f"{percent:+.1f} %"


def duration(seconds: float) -> str:
    """A span for people: 8 s, 3 min 20 s, 2 h 05 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
