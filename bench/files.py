"""Writing into folders that a user names: whole or not at all, and one clear error where it cannot be done."""

import tempfile
from pathlib import Path

from bench.errors import UserError


def make_folder(folder: Path) -> None:
    """Make `folder` where it is missing. Raises `UserError` where files cannot be written into it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UserError(
            f"The output folder {folder} cannot be written: {error.strerror}.", "Choose another with --output-dir."
        ) from error


def write(path: Path, text: str) -> Path:
    """Write a file whole or not at all. Raises `UserError` where it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, encoding="utf-8", delete=False) as file:
            try:
                file.write(text)
                file.flush()
                Path(file.name).chmod(0o644)
                Path(file.name).replace(path)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        raise UserError(
            f"{path} cannot be written: {error.strerror}.", "Free some space or choose another --output-dir."
        ) from error
    return path
