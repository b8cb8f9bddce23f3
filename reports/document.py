"""What a report consists of, before it has a format. Renderers know these types and nothing else."""

from dataclasses import dataclass
from typing import Literal

Emphasis = Literal["plain", "best", "bad", "muted"]
Align = Literal["left", "right"]


@dataclass(frozen=True)
class Cell:
    """One cell of a table. `sort` is the value to sort by where the text does not sort by itself."""

    text: str
    sort: float | str | None = None
    emphasis: Emphasis = "plain"


@dataclass(frozen=True)
class Column:
    """The head of a column; numbers stand on the right."""

    name: str
    align: Align = "left"


@dataclass(frozen=True)
class Table:
    """A caption, the columns, and rows of as many cells; `note` stands below in small print."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""


@dataclass(frozen=True)
class Paragraph:
    """Running text."""

    text: str


@dataclass(frozen=True)
class Bullets:
    """A list of sentences, each with a few words at its head."""

    items: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Figure:
    """A drawing: `svg` is our own markup, `alt` says in words what it shows, `data` holds its numbers."""

    svg: str
    alt: str
    caption: str
    data: Table


@dataclass(frozen=True)
class Notice:
    """Something that a reader must know: what happened, and what to do about it."""

    title: str
    text: str
    remedy: str
    about: str = ""


Part = Paragraph | Bullets | Table | Figure | Notice


@dataclass(frozen=True)
class Section:
    """A heading, its answer in one plain sentence, and what supports it."""

    title: str
    lead: str
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Document:
    """A report: its title, one line that says what it is about, and its sections."""

    title: str
    subtitle: str
    sections: tuple[Section, ...]
