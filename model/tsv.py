"""Two columns of text a line: the form in which users bring labelled texts and translations. Imports no torch."""

from collections import Counter
from pathlib import Path

from model.corpus import decoded
from model.errors import UserError


def read_tsv(path: Path) -> list[tuple[int, str, str]]:
    """Number and two columns of every line of `path` that is not blank; tabs beyond the first belong to the second.

    Raises `UserError` for a file that is missing, empty or no UTF-8, or a line with fewer columns.
    """
    try:
        text = decoded(path.read_bytes(), path)
    except FileNotFoundError as error:
        raise UserError(f"There is no file '{path}'.", "Give an existing UTF-8 file with tabs.") from error
    except OSError as error:
        raise UserError(f"'{path}' cannot be read: {error.strerror}.", "Check its permissions.") from error
    found = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        first, tab, second = line.partition("\t")
        if not tab or not first.strip() or not second.strip():
            raise UserError(f"Line {number} of '{path}' has one column.", "Write two on each line, with a tab between.")
        found.append((number, first.strip(), second.strip()))
    if not found:
        raise UserError(f"'{path}' is empty.", "Write two columns on each line, with a tab between.")
    return found


def labels(path: Path) -> tuple[str, ...]:
    """The labels in the first column of `path`, sorted.

    Raises `UserError` as `read_tsv` does, and for fewer than two labels, or a label with one text.
    """
    return checked_labels([label for _, label, _ in read_tsv(path)], f"'{path}'")


def checked_labels(found: list[str], told: str) -> tuple[str, ...]:
    """The labels among `found` (one a text), sorted. Raises `UserError` for what no classifier could be held to."""
    counts = Counter(found)
    if len(counts) < 2:
        raise UserError(f"{told} has the one label '{found[0]}'.", "Give texts of two labels or more.")
    for label in sorted(counts):
        if counts[label] < 2:
            raise UserError(f"{told} has one text labelled '{label}'.", "Give two or more: one is held out.")
    return tuple(sorted(counts))
