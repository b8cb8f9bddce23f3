"""What this machine can do at most, measured: one file a ceiling, found by its name.

Each file offers `measure(setting) -> dict[str, Ceiling]`, run in a child; the names of its figures end in their unit.
The value of a ceiling is the median, over rounds, of the best iteration of each round: what the machine does when
nobody disturbs it, without being a single lucky sample. `low` and `high` are the 95 % interval of that median.
These are the *machine* rung of three that are never mixed up: the datasheet, the machine (measured here), and the
kernel (`bench.ceilings.kernel`: the best that a library reaches for one very shape). No torch is imported here.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from bench.record import Ceiling
from model import plugins

__all__ = ["Ceiling", "Measured", "Setting", "measure", "missing", "names", "scratch"]

PACKAGE = "bench.ceilings"


@dataclass(frozen=True)
class Setting:
    """What a ceiling is measured on: a device as the axis names it, CPU threads, and a folder for a scratch file."""

    device: str
    threads: int
    folder: str


@dataclass(frozen=True)
class Measured:
    """Every ceiling of one machine, by file and figure, and what is needed to know whose they are and how old.

    `load_1min` is the system's load average before the first was measured: what others were running.
    """

    schema: int
    fingerprint: str
    host: str
    device: str
    threads: int
    measured_at: str
    load_1min: float | None
    ceilings: dict[str, dict[str, Ceiling]]


def names() -> tuple[str, ...]:
    """Every ceiling that can be measured."""
    return plugins.names(PACKAGE)


def measure(name: str, setting: Setting) -> dict[str, Ceiling]:
    """The figures of the ceiling `name`, measured in this process, which has to be a child."""
    module: Any = plugins.load(PACKAGE, name)
    return cast(dict[str, Ceiling], module.measure(setting))


def missing(label: str, unit: str, direction: Literal[-1, 1], reason: str) -> Ceiling:
    """A figure that could not be had, with the reason."""
    return Ceiling(None, unit, direction, label, reason=reason)


def scratch(setting: Setting) -> Path:
    """The folder for a scratch file, made where it is missing."""
    folder = Path(setting.folder)
    folder.mkdir(parents=True, exist_ok=True)
    return folder
