"""What vendors promise of devices: the catalogue `datasheets.toml`, read and checked. Values are SI; peaks are dense.

This is the datasheet rung of three that are never mixed up; `bench.ceilings` measures the other two.
"""

import tomllib
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from bench.errors import UserError
from reports import datasheet_own
from reports.catalogue import (
    Catalogue,
    Device,
    Group,
    Link,
    Memory,
    Peaks,
    Power,
    Source,
    Standing,
    figures,
)
from reports.datasheet_checks import contradictions

__all__ = [
    "SHIPPED",
    "Catalogue",
    "Device",
    "Group",
    "Link",
    "Memory",
    "Peaks",
    "Power",
    "Source",
    "Standing",
    "figures",
    "parse",
    "shipped",
    "with_own",
]

SHIPPED = "datasheets.toml"


@cache
def shipped() -> Catalogue:
    """The catalogue that comes with pinchpoint."""
    return parse((files("reports") / SHIPPED).read_text(encoding="utf-8"), SHIPPED)


def parse(text: str, name: str) -> Catalogue:
    """A catalogue from TOML text. Raises `UserError` with the line, or with the device and the key that are wrong."""
    return _checked(_tables(text, name), name)


def with_own(catalogue: Catalogue, path: Path) -> Catalogue:
    """The catalogue with a user's TOML file laid over it.

    A device of a known name overrides groups or single figures of it, another one is added. Prices, of a device or in
    a `[[price]]` with `device = "NAME"`, replace that device's prices of the same kind. Sources are those of the file.
    Raises `UserError` with the file, the device and the key that are wrong.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"The catalogue {path} cannot be read: {error}.", "Give the path of a TOML file.") from error
    name = str(path)
    return _checked(datasheet_own.laid_over(catalogue, _tables(text, name), name), name)


def _tables(text: str, name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"The catalogue {name} is not TOML: {error}.", "Mend that line.") from error


def _checked(raw: dict[str, Any], name: str) -> Catalogue:
    try:
        catalogue = TypeAdapter(Catalogue).validate_python(raw)
    except ValidationError as error:
        first = error.errors()[0]
        reason = first["msg"].removeprefix("Value error, ").rstrip(".")
        told = f"{_place(raw, first['loc'])}: {reason[:1].lower()}{reason[1:]}"
        raise UserError(
            f"The catalogue {name} is wrong at {told}.", "Mend that key; figures are SI numbers."
        ) from error
    wrong = next(contradictions(catalogue), None)
    if wrong is not None:
        raise UserError(f"The catalogue {name} is wrong: {wrong}.", "Mend that device.")
    return catalogue


def _place(raw: dict[str, Any], where: tuple[int | str, ...]) -> str:
    """`NVIDIA T4, memory.size_B`: the device by its name where it has one, and the path to the key below it."""
    if where[:1] != ("device",) or len(where) < 2:
        return ".".join(map(str, where))
    index = int(where[1])
    entry = raw["device"][index]
    named = str(entry["name"]) if isinstance(entry, dict) and "name" in entry else f"device {index + 1}"
    return ", ".join(part for part in (named, ".".join(map(str, where[2:]))) if part)
