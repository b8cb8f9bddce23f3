"""Keeps what was measured of this machine for a month, under its fingerprint."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from bench import files
from bench.ceilings import Measured
from bench.errors import UserError
from bench.executors.local import cache_folder
from bench.record import Value

if TYPE_CHECKING:
    from pydantic import TypeAdapter

#: Schema of the file; one that differs is measured anew. History: 1 first release; 2 gather; 3 fresh pages.
SCHEMA = 3
#: Firmware, drivers and neighbours change; a month is short enough for that, and costs a minute.
OLDEST = timedelta(days=30)


@cache
def _adapter() -> "TypeAdapter[Measured]":
    from pydantic import TypeAdapter

    return TypeAdapter(Measured)


def path(facts: Mapping[str, Value | None], device: str, threads: int) -> Path:
    """Where the ceilings of the host of `facts` are kept, for one device and number of threads."""
    words = f"{facts['fingerprint']}-{device.replace(':', '')}-{threads}"
    return cache_folder() / f"ceilings-{words}.json"


def host_name(facts: Mapping[str, Value | None]) -> str:
    """The host in words that tell nothing private: `Xeon, 2 cores, no GPU (fingerprint 0123...)`."""
    return f"{facts['cpu']}, {facts['cores']} cores, {facts['accelerator'] or 'no GPU'}"


def read(file: Path, facts: Mapping[str, Value | None], now: datetime | None = None) -> Measured | None:
    """What `file` holds of the host of `facts`; None where it is missing, damaged, of another schema or too old.

    Raises `UserError` where it is of another host, naming both.
    """
    from pydantic import ValidationError

    try:
        found = _adapter().validate_json(file.read_bytes())
        age = (now or datetime.now(UTC)) - datetime.fromisoformat(found.measured_at)
    except (OSError, ValidationError, ValueError, TypeError):  # TypeError: a time without its zone
        return None
    if found.fingerprint != facts["fingerprint"]:
        raise UserError(
            f"The ceilings in {file} are of {found.host} ({found.fingerprint}); "
            f"this is {host_name(facts)} ({facts['fingerprint']}).",
            "Measure them here: pinchpoint ceilings --refresh.",
        )
    return found if found.schema == SCHEMA and timedelta(0) <= age <= OLDEST else None


def write(file: Path, measured: Measured) -> None:
    """Keep `measured` in `file`, whole or not at all. Raises `UserError` where it cannot be written."""
    files.write(file, to_json(measured))


def to_json(measured: Measured) -> str:
    """`measured` as indented JSON."""
    return _adapter().dump_json(measured, indent=2).decode() + "\n"
