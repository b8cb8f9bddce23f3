"""Fields of a foreign file, checked one by one: what is wrong is named with the file and the place in it."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.errors import UserError
from bench.record import Value

#: A larger file is refused: what these tools write is a few kB to a few MB, and a parsed one takes ten times its size.
MOST_B = 64 * 2**20
_AGAIN = "Write the file again with the tool that made it."


@dataclass(frozen=True)
class Fields:
    """An object of the file `path`: `place` is where it stands in it, such as `benchmarks[3].stats`.

    `line` is given where it stands on one line of its own, as in JSON lines, CSV and tables.
    """

    raw: Mapping[str, Any]
    path: Path
    place: str = ""
    line: int | None = None

    def refuse(self, name: str, why: str) -> UserError:
        """The error for a field that is not as it should be."""
        where = ".".join(part for part in (self.place, name) if part)
        line = "" if self.line is None else f"line {self.line}, "
        return UserError(f"{self.path}: {line}{where} {why}.", _AGAIN)

    def _at(self, name: str) -> Any:
        if name not in self.raw:
            raise self.refuse(name, "is missing")
        return self.raw[name]

    def within(self, name: str) -> "Fields":
        """The object in a field. Raises `UserError` where it is none."""
        found = self._at(name)
        if not isinstance(found, dict):
            raise self.refuse(name, "is no object")
        return replace(self, raw=found, place=".".join(part for part in (self.place, name) if part))

    def all_of(self, name: str) -> "list[Fields]":
        """The objects in a list, one at least. Raises `UserError` where it is none, or holds something else."""
        found = self._at(name)
        if not isinstance(found, list) or not found:
            raise self.refuse(name, "is no list, or an empty one")
        places = [f"{self.place}.{name}[{place}]".lstrip(".") for place in range(len(found))]
        for place, each in enumerate(found):
            if not isinstance(each, dict):
                raise self.refuse(f"{name}[{place}]", "is no object")
        return [replace(self, raw=each, place=place) for each, place in zip(found, places, strict=True)]

    def text(self, name: str) -> str:
        """A text that is not empty. Raises `UserError` for anything else."""
        found = self._at(name)
        if not isinstance(found, str) or not found.strip():
            raise self.refuse(name, "is no text, or an empty one")
        return found

    def optional_text(self, *names: str) -> str | None:
        """The first of these fields that is a text; None where none is."""
        return next((found for name in names if isinstance(found := self.raw.get(name), str) and found.strip()), None)

    def amount(self, name: str) -> float:
        """A finite number of 0 or more. Raises `UserError` for anything else, NaN and negative ones among it."""
        return self.checked(name, self._at(name))

    def checked(self, name: str, found: object) -> float:
        """`found` as a finite number of 0 or more, where it stands in the field `name`."""
        if isinstance(found, bool) or not isinstance(found, (int, float)):
            raise self.refuse(name, "is no number")
        if not (isinstance(found, int) or math.isfinite(found)) or not 0 <= found < 1e300:
            raise self.refuse(name, f"is {str(found)[:20]}, which is no time or count")
        return float(found)

    def optional_amount(self, name: str) -> float | None:
        """A finite number of 0 or more; None where the field is missing or null. Raises `UserError` for another."""
        return None if self.raw.get(name) is None else self.amount(name)

    def optional_within(self, name: str) -> "Fields":
        """The object in a field; an empty one where it is missing or null. Raises `UserError` for something else."""
        return self.within(name) if self.raw.get(name) is not None else replace(self, raw={}, place=name)

    def count(self, name: str, least: int = 1) -> int:
        """A whole number of `least` or more. Raises `UserError` for anything else."""
        found = self.amount(name)
        if found != int(found) or found < least:
            raise self.refuse(name, f"is {found:g}, and not a whole number of {least} or more")
        return int(found)

    def amounts(self, name: str) -> list[float]:
        """The finite numbers of 0 or more in a list; empty where it is missing, null or empty."""
        found = self.raw.get(name) or []
        if not isinstance(found, list):
            raise self.refuse(name, "is no list")
        return [self.checked(f"{name}[{place}]", each) for place, each in enumerate(found)]

    def moment(self, name: str) -> str:
        """A time in ISO 8601 (UTC where it has no zone), as UTC to the second. Raises `UserError` for anything else."""
        text = self.text(name)
        try:
            found = datetime.fromisoformat(text)
            found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
        except (ValueError, OverflowError):
            raise self.refuse(name, f"is {text[:40]!r}, which is no time of ISO 8601") from None
        return found.isoformat(timespec="seconds")


def content_of(path: Path) -> bytes:
    """What a file holds. Raises `UserError` where it cannot be read, or is far larger than any of these formats is."""
    try:
        if (size := path.stat().st_size) > MOST_B:
            raise UserError(
                f"{path} has {size / 2**20:.0f} MiB; at most {MOST_B / 2**20:.0f} MiB are read of another tool's file.",
                "Name the file of results alone, without details of single requests.",
            )
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.", "Check its name and permissions.") from error


def text_of(path: Path, content: bytes) -> str:
    """A file's content as text. Raises `UserError` with the line that is no UTF-8, and for an empty one."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise UserError(
            f"{path} is written in UTF-16, as PowerShell does.", "Save it as UTF-8: `... | Out-File -Encoding utf8`."
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UserError(f"{path}: line {line} is no UTF-8 text.", _AGAIN) from error
    if not text.strip():
        raise UserError(f"{path} is empty.", _AGAIN)
    return text


def json_object(path: Path) -> tuple[Fields, bytes]:
    """The JSON object that a file holds, and its content. Raises `UserError` with the place where it breaks off."""
    content = content_of(path)
    raw = _json(path, text_of(path, content))
    if not isinstance(raw, dict):
        raise UserError(f"{path} holds no JSON object.", _AGAIN)
    return Fields(raw, path), content


def json_objects(path: Path) -> tuple[list[Fields], bytes]:
    """The JSON objects that a file holds, one at least: alone, in a list, or one a line.

    Raises `UserError` with the line or the place of what is none.
    """
    content = content_of(path)
    text = text_of(path, content)
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    rows: list[tuple[Any, str, int | None]]
    if len(lines) > 1 and all(line.lstrip().startswith("{") for _, line in lines[:2]) and _whole(lines[0][1]):
        rows = [(_json(path, line, number), "", number) for number, line in lines]
    else:
        raw = _json(path, text)
        rows = (
            [(each, f"[{place}]", None) for place, each in enumerate(raw)]
            if isinstance(raw, list)
            else [(raw, "", None)]
        )
    for each, place, line in rows:
        if not isinstance(each, dict):
            raise Fields({}, path, place, line).refuse("", "is no JSON object")
    if not rows:
        raise UserError(f"{path} holds an empty list.", _AGAIN)
    return [Fields(each, path, place, line) for each, place, line in rows], content


def _whole(line: str) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _json(path: Path, text: str, line: int = 1) -> Any:
    """The value of a JSON text that begins at `line` of the file. Raises `UserError` with the line at fault."""
    try:
        raw = json.loads(text)
        json.dumps(raw, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise UserError(f"{path} holds text that is no Unicode.", _AGAIN) from error
    except json.JSONDecodeError as error:
        where = f"line {line + error.lineno - 1} column {error.colno}"
        raise UserError(f"{path} is no JSON: {error.msg}: {where}.", f"Is it cut off? {_AGAIN}") from error
    except (ValueError, RecursionError) as error:
        said = str(error).rstrip(".") or type(error).__name__
        raise UserError(f"{path} is no JSON: {said}.", f"Is it cut off? {_AGAIN}") from error
    return raw


def run_id(moment: str, content: bytes) -> str:
    """The id of the run that a file stands for: its time, and a hash of its content."""
    stamp = moment[:19].replace("-", "").replace(":", "").replace("T", "-")
    return f"{stamp}-{hashlib.sha256(content).hexdigest()[:8]}"


def fingerprint(identity: Mapping[str, Value | None]) -> str:
    """Sixteen hexadecimal digits that two files share where they name the same machine and the same versions."""
    return hashlib.sha256(json.dumps(dict(identity), sort_keys=True).encode()).hexdigest()[:16]


def scalars(raw: object, prefix: str) -> dict[str, Value]:
    """Those members of an object that are plain and finite, as facts; nothing where it is no object."""
    if not isinstance(raw, dict):
        return {}
    return {
        f"{prefix}{name}": value
        for name, value in raw.items()
        if isinstance(value, (int, str, float)) and not (isinstance(value, float) and not math.isfinite(value))
    }
