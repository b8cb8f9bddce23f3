"""A document as Markdown (GitHub's flavour): figures stand as the tables of their numbers."""

import re

from reports.document import Bullets, Cell, Document, Figure, Inputs, Notice, Paragraph, Part, Section, Table

#: What Markdown or the HTML inside it would take for markup, and a table for the end of a cell.
_SPECIAL = re.compile(r"([\\`*_\[\]<>|~#&$@])")


def render(document: Document) -> str:
    """The whole document, with a line feed at its end."""
    head = f"# {escape(document.title)}\n\n{escape(document.subtitle)}"
    return "\n\n".join([head, *(_section(section) for section in document.sections)]) + "\n"


def escape(text: str) -> str:
    """`text` as Markdown shows it letter by letter, on one line.

    >>> escape("a|b <script>")
    'a\\\\|b \\\\<script\\\\>'
    """
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _section(section: Section) -> str:
    return "\n\n".join([f"## {escape(section.title)}", escape(section.lead), *(_part(part) for part in section.parts)])


def _part(part: Part) -> str:
    match part:
        case Paragraph(text):
            return escape(text)
        case Bullets(items):
            return "\n".join(f"- **{escape(head)}.** {escape(text)}" for head, text in items)
        case Table():
            return _table(part)
        case Figure():
            return _table(part.data)
        case Inputs():
            return "\n\n".join(map(_table, (part.results, *part.tables())))
        case Notice():
            about = f"\n>\n> {escape(part.about)}" if part.about else ""
            return f"> **{escape(part.title)}.** {escape(part.text)}\n>\n> What to do: {escape(part.remedy)}{about}"


def _table(table: Table) -> str:
    rules = ["---:" if column.align == "right" else "---" for column in table.columns]
    lines = [[escape(column.name) for column in table.columns], rules, *([_cell(c) for c in row] for row in table.rows)]
    drawn = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    note = f"\n\n{escape(table.note)}" if table.note else ""
    return f"**{escape(table.caption)}**\n\n{drawn}{note}"


def _cell(cell: Cell) -> str:
    return f"**{escape(cell.text)}**" if cell.emphasis == "best" else escape(cell.text)
