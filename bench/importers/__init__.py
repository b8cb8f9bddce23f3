"""Files of other tools, read as records. One file a format; its name is how `pinchpoint import --format` calls it.

A format offers NAME (of the tool), DESCRIPTION, `recognises(raw)` and `records(path)`. A record says where it is from
in `facts["imported_from"]`, and what the tool calls it in the axis `benchmark`, unless the tool names axes of ours.
All records of a file are of one run, whose id follows from the file's content, so that none is imported twice. What ran
(model, formats, engine, devices, lengths) is told by facts of the same names for every tool (`_facts.Told`).
"""

from pathlib import Path
from typing import Protocol, cast

from bench.errors import UserError
from bench.importers import _fields
from bench.record import Record
from model import plugins


class Importer(Protocol):
    """A format. `raw` is the content of a file."""

    NAME: str
    DESCRIPTION: str

    def recognises(self, raw: bytes) -> bool:
        """Whether it looks like this format, however damaged. Never raises."""
        ...

    def records(self, path: Path) -> list[Record]:
        """The records of a file. Raises `UserError` that names the file and the field that is wrong."""
        ...


def names() -> tuple[str, ...]:
    """The formats, as the command line calls them."""
    return tuple(name.replace("_", "-") for name in plugins.names("bench.importers"))


def load(name: str) -> Importer:
    """The format of that name. Raises `UserError` where there is none."""
    return cast(Importer, plugins.load("bench.importers", name.replace("-", "_")))


def recognised(raw: bytes) -> Importer | None:
    """The first format that knows a file's content as its own; None where none does."""
    return next((each for each in map(load, names()) if each.recognises(raw)), None)


def read(path: Path, chosen: str | None = None) -> list[Record]:
    """The records of a file of the `chosen` format, else of the one that recognises it.

    Raises `UserError` where none does, and for whatever that format refuses.
    """
    found = load(chosen) if chosen else recognised(_fields.content_of(path))
    if found is None:
        told = "; ".join(f"{each.NAME} ({each.DESCRIPTION})" for each in map(load, names()))
        raise UserError(f"{path} is of no format that can be imported.", f"Those are: {told}.")
    return found.records(path)
