"""What tests of a report's sections share: building one from records, and reading what it says."""

from types import ModuleType

from bench.record import Record
from model import plugins
from reports.document import Bullets, Figure, Notice, Paragraph, Section, Table
from reports.study import study


def load(name: str) -> ModuleType:
    return plugins.load("reports.sections", name)


def build(name: str, records: list[Record]) -> Section:
    section = load(name).build(study(records))
    assert isinstance(section, Section)
    return section


def tables(section: Section) -> list[Table]:
    """Its tables, and after them the data of its figures."""
    found = [part for part in section.parts if isinstance(part, Table)]
    return found + [part.data for part in section.parts if isinstance(part, Figure)]


def figures(section: Section) -> list[Figure]:
    return [part for part in section.parts if isinstance(part, Figure)]


def words(section: Section) -> str:
    """All running text, with plain spaces."""
    text = [section.lead]
    for part in section.parts:
        match part:
            case Paragraph(words):
                text.append(words)
            case Bullets(items):
                text += [f"{head}. {words}" for head, words in items]
            case Notice():
                text += [part.title, part.text, part.remedy, part.about]
    return " ".join(text).replace("\u00a0", " ")


def cell(table: Table, row: int, column: str) -> str:
    """The text of a cell, by the beginning of its column's head, with plain spaces."""
    names = [c.name for c in table.columns]
    found = table.rows[row][next(i for i, name in enumerate(names) if name.startswith(column))]
    return found.text.replace("\u00a0", " ")


def column(table: Table, name: str) -> list[str]:
    return [cell(table, row, name) for row in range(len(table.rows))]
