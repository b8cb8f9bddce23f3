"""Records from a file that `pinchpoint export` wrote: JSON lines, or one JSON list."""

import json
from pathlib import Path

from bench.errors import UserError
from bench.record import Record, from_json

_REMEDY = "Export it again: pinchpoint export STORE > records.jsonl."


def read(path: Path) -> list[Record]:
    """Every record of the file. Raises `UserError` with the line at which it is cut off, broken, or no record."""
    text = text_of(path)
    if not text.strip():
        raise UserError(f"{path} is empty.", _REMEDY)
    if text.lstrip().startswith("["):
        return _list(path, text)
    return [_record(path, number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]


def text_of(path: Path) -> str:
    """The file's text. Raises `UserError` where it cannot be read, or is no text."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.", "Check its name and permissions.") from error
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path} is neither a store nor text.", "Name a store, or what pinchpoint export wrote."
        ) from error


def json_of(path: Path, text: str, first_line: int = 1) -> object:
    """The value of a JSON text that begins at `first_line` of the file. Raises `UserError` with the line at fault."""
    try:
        value: object = json.loads(text)
    except json.JSONDecodeError as error:
        cut = not text[error.pos :].strip() or error.msg.startswith("Unterminated")
        fault = "is cut off" if cut else f"is no JSON: {error.msg}"
        raise UserError(f"{path}, line {first_line + error.lineno - 1}: the file {fault}.", _REMEDY) from error
    except (RecursionError, ValueError) as error:  # nested too deeply, or a number of too many digits
        raise UserError(f"{path}, line {first_line}: this is no JSON of ours: {error}.", _REMEDY) from error
    return value


def _list(path: Path, text: str) -> list[Record]:
    content = json_of(path, text)
    assert isinstance(content, list)
    # The export writes one record a line, after a line that opens the list.
    return [_checked(path, number, json.dumps(each)) for number, each in enumerate(content, 2)]


def _record(path: Path, number: int, line: str) -> Record:
    json_of(path, line, number)
    return _checked(path, number, line)


def _checked(path: Path, number: int, text: str) -> Record:
    try:
        return from_json(text)
    except UserError as error:
        raise UserError(f"{path}, line {number}: {error.message}", error.remedy) from error
