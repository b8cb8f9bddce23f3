"""What a user assumes of money and power: read from a TOML file, and checked."""

import tomllib
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from bench.errors import UserError
from bench.kinds import nearest
from reports.prices import RENTED
from reports.projection.answers import Assumptions

_NAMES = tuple(field.name for field in fields(Assumptions))
_WORDS = ("currency", "rented")
#: The most of anything counted in money, of whatever currency (a rial is some 1e-6 USD).
_MONEY = 1e9
#: Field -> the least and the most that it may be. What lies beyond is a slip, and arithmetic with it means nothing.
_LIMITS: dict[str, tuple[float, float]] = {
    "life_years": (0.01, 100),
    "utilization": (0.001, 1),
    "electricity_per_kWh": (0, _MONEY),
    "PUE": (1, 10),
    "hosting_per_kW_month": (0, _MONEY),
    "system_share": (0, 100),
    "system_W_share": (0, 100),
    "grid_g_per_kWh": (0, 10_000),
    "idle_W_share": (0, 1),
    "rented_utilization": (0.001, 1),
}
_MEANS = {
    "life_years": "years that a device is kept",
    "utilization": "the share of its life in which a device works, such as 0.6 for 60 %",
    "PUE": "the power of the whole site over that of its servers, 1 at best",
    "rented_utilization": "the share of the hours paid in which a rented device works",
}
_CURRENCY = 3


def check(assumptions: Assumptions) -> None:
    """Raises `UserError` for the first one that cannot be, with what is allowed."""
    for name, (least, most) in _LIMITS.items():
        value = getattr(assumptions, name)
        if value is None:
            continue
        if not least <= value <= most:  # nor is what is not a number
            means = f" ({_MEANS[name]})" if name in _MEANS else ""
            raise UserError(
                f"The assumption {name} is {value:g}.", f"Give a number from {least:,g} to {most:,g}{means}."
            )
    word = assumptions.currency
    if not (len(word) == _CURRENCY and word.isascii() and word.isalpha() and word.isupper()):
        raise UserError(f"The assumption currency is '{word}'.", "Give its code of three letters, such as USD or EUR.")
    if assumptions.rented not in RENTED:
        raise UserError(
            f"The assumption rented is '{assumptions.rented}'.",
            f"Give one of {', '.join(RENTED)}.{nearest(assumptions.rented, RENTED)}",
        )


def changed(assumptions: Assumptions, values: Mapping[str, object]) -> Assumptions:
    """`assumptions` with `values` by name. Raises `UserError` for an unknown name or a wrong value."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if name not in _NAMES:
            raise UserError(
                f"There is no assumption '{name}'.{nearest(name, _NAMES)}", f"Known are {', '.join(_NAMES)}."
            )
        word = name in _WORDS
        if not isinstance(value, str if word else (int, float)) or isinstance(value, bool):
            raise UserError(f"The assumption {name} is {value!r}.", f"Give a {'text' if word else 'number'}.")
        found[name] = value if word else float(str(value))
    after = replace(assumptions, **found)
    check(after)
    return after


def assumptions_from(path: Path) -> Assumptions:
    """The assumptions in a TOML file, whose keys are the names of the fields; those left out keep their defaults.

    Raises `UserError` that names the file where it cannot be read, is no TOML or has a key or value that cannot be.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(
            f"The assumptions {path} cannot be read: {error}.", "Give a TOML file with lines such as PUE = 1.2."
        ) from error
    try:
        return changed(Assumptions(), values)
    except UserError as error:
        raise UserError(f"In {path}: {error.message}", error.remedy) from error
