"""A document as one self-contained HTML page: no network, light and dark, on paper and on a narrow screen."""

import base64
import hashlib
import json
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from reports.document import Document, Factor, Figure, Formula, Inputs, Part, Table, Term, written

_HERE = Path(__file__).parent
#: A table of more rows scrolls inside its own box, under a head that stays.
_LONG = 40


def render(document: Document) -> str:
    """The page. Every text is escaped; the figures' SVG, which `reports.plots` made, is the only markup let through."""
    css, script = _own("page.css"), _own("page.js")
    if any(isinstance(part, Inputs) for section in document.sections for part in section.parts):
        script += _own("inputs.js")
    page = _environment().get_template("page.html.jinja")
    return page.render(document=document, css=css, script=script, policy=_policy(css, script))


def _own(name: str) -> Markup:
    return Markup((_HERE / name).read_text(encoding="utf-8"))  # noqa: S704 - a file of this package


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["svg"] = _svg
    environment.filters["runs"] = runs
    environment.filters["model"] = _model
    environment.filters["written"] = written
    environment.tests["long"] = lambda table: len(table.rows) > _LONG
    return environment


def _svg(figure: Figure) -> Markup:
    return Markup(figure.svg)  # noqa: S704 - `reports.canvas` serialised it from a tree, so its texts are escaped


def _model(inputs: Inputs) -> str:
    """What `inputs.js` computes with, as JSON: names are short, since there are many terms. The template escapes it."""
    rows = [{str(column): _formula(each) for column, each in row.items()} for row in inputs.formulas]
    return json.dumps({"rows": rows, "by": inputs.rank_by, "ranked": inputs.ranked}, separators=(",", ":"))


def _formula(formula: Formula) -> dict[str, object]:
    limit = [_term(formula.limit)] if formula.limit else []
    return {
        "up": [*map(_term, formula.terms)],
        "down": [*map(_term, formula.over)],
        "limit": limit,
        "else": formula.beyond,
    }


def _term(term: Term) -> list[object]:
    return [[float(f"{draw:.6g}") for draw in term.draws], [*map(_factor, term.factors)]]


def _factor(factor: Factor) -> list[object]:
    return [factor.keys, factor.power, factor.offset]


def runs(parts: tuple[Part, ...]) -> list[list[Part]]:
    """Parts in groups: figures, or tables, that follow each other may stand abreast; everything else stands alone."""
    groups: list[list[Part]] = []
    for part in parts:
        if groups and isinstance(part, (Figure, Table)) and type(part) is type(groups[-1][0]):
            groups[-1].append(part)
        else:
            groups.append([part])
    return groups


def _policy(css: str, script: str) -> str:
    """Nothing may be loaded, and only our own style sheet and script run; SVG needs style attributes."""
    return (
        "default-src 'none'; "
        f"style-src-elem '{_digest(css)}'; style-src-attr 'unsafe-inline'; script-src '{_digest(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    """The source expression that allows exactly this inline text (Content Security Policy Level 3, 2.3.1)."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
