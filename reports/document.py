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
    """A caption, the columns, and rows of as many cells; `note` stands below in small print.

    Where room is short, a line of a number may end at its spaces if `wraps`.
    """

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    wraps: bool = False


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


@dataclass(frozen=True)
class Field:
    """A value that a reader may change, in `unit`, between `low` and `high`; `key` is how terms name it.

    `origin` says where the value is from.
    """

    key: str
    label: str
    value: float
    unit: str
    origin: str
    low: float
    high: float | None = None


@dataclass(frozen=True)
class Factor:
    """`offset` + the value of a field, or the greatest of several, to a whole power."""

    keys: tuple[str, ...]
    power: int
    offset: float = 0.0


@dataclass(frozen=True)
class Term:
    """A coefficient, as draws where it is uncertain, times factors. Draw i belongs to draw i of the same formula."""

    draws: tuple[float, ...]
    factors: tuple[Factor, ...] = ()


@dataclass(frozen=True)
class Formula:
    """A sum of terms, or its quotient by another sum.

    Where that is above `limit`, or its divisor is not above 0, the words `beyond` are its value.
    """

    terms: tuple[Term, ...]
    over: tuple[Term, ...] = ()
    limit: Term | None = None
    beyond: str = "never"


@dataclass(frozen=True)
class Inputs:
    """Values that a reader may change, in tables by caption, and a table of results that follow from them.

    `formulas` has a row for each of `results`, and there, by place of the column, what is computed anew. Its first
    column holds ranks: by the column `rank_by`, least first, of the rows whose place is in `ranked`. What has no
    scripts shows plain tables. `note` says what a change does.
    """

    fields: tuple[tuple[str, tuple[Field, ...]], ...]
    results: Table
    formulas: tuple[dict[int, Formula], ...]
    rank_by: int | None
    ranked: tuple[int, ...]
    note: str

    def tables(self) -> tuple[Table, ...]:
        """The fields as they are, a table each caption."""
        heads = (Column("assumption"), Column("value", "right"), Column("unit"), Column("from"))
        return tuple(
            Table(
                caption,
                heads,
                tuple(
                    (Cell(each.label), Cell(written(each.value), each.value), Cell(each.unit), Cell(each.origin))
                    for each in fields
                ),
            )
            for caption, fields in self.fields
        )


def written(value: float) -> str:
    """A value as a person would enter it, in full: `0.12`, `28000`.

    >>> written(0.12), written(28000.0), written(1234567.5)
    ('0.12', '28000', '1234567.5')
    """
    return f"{value:.12g}"


Part = Paragraph | Bullets | Table | Figure | Notice | Inputs


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
