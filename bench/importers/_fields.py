"""Fields of a foreign file, checked one by one: what is wrong is named with the file and the place in it."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.errors import UserError
from bench.record import Value


@dataclass(frozen=True)
class Fields:
    """A JSON object of the file `path`; `place` is where it stands in it, such as `benchmarks[3].stats`."""

    raw: Mapping[str, Any]
    path: Path
    place: str = ""

    def refuse(self, name: str, why: str) -> UserError:
        """The error for a field that is not as it should be."""
        where = ".".join(part for part in (self.place, name) if part)
        return UserError(f"{self.path}: {where} {why}.", "Write the file again with the tool that made it.")

    def _at(self, name: str) -> Any:
        if name not in self.raw:
            raise self.refuse(name, "is missing")
        return self.raw[name]

    def within(self, name: str) -> "Fields":
        """The object in a field. Raises `UserError` where it is none."""
        found = self._at(name)
        if not isinstance(found, dict):
            raise self.refuse(name, "is no object")
        return Fields(found, self.path, ".".join(part for part in (self.place, name) if part))

    def all_of(self, name: str) -> "list[Fields]":
        """The objects in a list, one at least. Raises `UserError` where it is none, or holds something else."""
        found = self._at(name)
        if not isinstance(found, list) or not found:
            raise self.refuse(name, "is no list, or an empty one")
        places = [f"{self.place}.{name}[{place}]".lstrip(".") for place in range(len(found))]
        for place, each in enumerate(found):
            if not isinstance(each, dict):
                raise self.refuse(f"{name}[{place}]", "is no object")
        return [Fields(each, self.path, place) for each, place in zip(found, places, strict=True)]

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

    def count(self, name: str) -> int:
        """A whole number of 1 or more. Raises `UserError` for anything else."""
        found = self.amount(name)
        if found != int(found) or found < 1:
            raise self.refuse(name, f"is {found:g}, and not a whole number of 1 or more")
        return int(found)

    def moment(self, name: str) -> str:
        """A time in ISO 8601 (UTC where it has no zone), as UTC to the second. Raises `UserError` for anything else."""
        text = self.text(name)
        try:
            found = datetime.fromisoformat(text)
            found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
        except (ValueError, OverflowError):
            raise self.refuse(name, f"is {text[:40]!r}, which is no time of ISO 8601") from None
        return found.isoformat(timespec="seconds")


def json_object(path: Path) -> tuple[Fields, bytes]:
    """The JSON object that a file holds, and its content. Raises `UserError` with the place where it breaks off."""
    try:
        content = path.read_bytes()
        raw = json.loads(content)
        json.dumps(raw, ensure_ascii=False).encode()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.", "Check its permissions.") from error
    except UnicodeEncodeError as error:
        raise UserError(
            f"{path} holds text that is no Unicode.", "Write it again with the tool that made it."
        ) from error
    except (ValueError, RecursionError) as error:
        said = str(error).rstrip(".") or type(error).__name__
        raise UserError(f"{path} is no JSON: {said}.", "Is it cut off? Write it again with its tool.") from error
    if not isinstance(raw, dict):
        raise UserError(f"{path} holds no JSON object.", "Write it again with the tool that made it.")
    return Fields(raw, path), content


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
