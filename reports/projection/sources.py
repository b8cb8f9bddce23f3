"""Where the rows of `calibration.csv` were published, and what had to be assumed for them: `sources.toml`."""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Annotated

from pydantic import ConfigDict, StringConstraints, TypeAdapter

SHIPPED = "sources.toml"
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


@dataclass(frozen=True)
class Source:
    """A publication: its address (`where`), its date (YYYY, YYYY-MM or YYYY-MM-DD) and `what` was measured.

    `assumed` says what the publication leaves open and how it was read; it is empty where nothing was.
    """

    where: Text
    date: Annotated[str, StringConstraints(pattern=r"^20\d\d(-\d\d(-\d\d)?)?$")]
    what: Text
    assumed: str = ""
    __pydantic_config__ = ConfigDict(extra="forbid")


@cache
def shipped() -> dict[str, Source]:
    """The sources of the shipped calibration, by the key that its rows name."""
    return parse((files("reports.projection") / SHIPPED).read_text(encoding="utf-8"))


def parse(text: str) -> dict[str, Source]:
    """Sources from TOML text. Raises pydantic's `ValidationError` for a key or a value that is none."""
    return TypeAdapter(dict[str, Source]).validate_python(tomllib.loads(text))
