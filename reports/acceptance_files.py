"""The files of an acceptance pack as text, and back: a sweep's spec, the limits, and checksums over both. Pure."""

import hashlib
import json
import tomllib
from collections import Counter
from collections.abc import Mapping
from functools import cache

from pydantic import TypeAdapter, ValidationError

from bench import axes, points, profiles
from bench.errors import UserError
from bench.points import Point
from bench.record import Value
from bench.units import quantity
from reports import labels
from reports.acceptance import SCHEMA, Pack, Requirement

SPEC, LIMITS, INSTRUCTIONS, SEALS = "spec.toml", "limits.toml", "INSTRUCTIONS.md", "pack.sha256"
#: Digits of a seal that are shown, as git shows a commit.
_DIGITS = 12
_ALWAYS = ("architecture", "size", "workload", *profiles.AXES)


def spec(pack: Pack) -> str:
    """The spec that a vendor runs: each point of the pack as a grid of its own, under the pack's settings."""
    tables = [f"description = {_value(pack.title)}", _table("[settings]", pack.settings)]
    tables += [_table("[[grid]]", _written(point)) for point in pack.points]
    return (
        "\n\n".join(["# The sweep to run, as it stands: pinchpoint sweep spec.toml --output-dir returned", *tables])
        + "\n"
    )


def limits(pack: Pack) -> str:
    """The pack itself: every limit with its weight and where it is from."""
    head = [
        "# What the returned measurements must reach. Limits are SI; INSTRUCTIONS.md says how they are judged.",
        f"schema = {pack.schema}",
        f"title = {_value(pack.title)}",
        f"created = {_value(pack.created)}",
    ]
    head += [f"pinchpoint = {_value(pack.pinchpoint)}"] if pack.pinchpoint is not None else []
    head += [f"{name} = {_list(getattr(pack, name))}" for name in ("terms", "left_out")]
    tables = [_table("[settings]", pack.settings)]
    tables += [_requirement(pack, each) for each in pack.requirements]
    return "\n\n".join(["\n".join(head), *tables]) + "\n"


def seals(texts: Mapping[str, str]) -> str:
    """Lines as `sha256sum --check` reads them, for the spec and the limits."""
    return "".join(f"{_sha256(texts[name])}  {name}\n" for name in (SPEC, LIMITS))


def seal(seals_text: str) -> str:
    """Some digits that stand for the whole pack: two packs with the same ones are the same."""
    return _sha256(seals_text)[:_DIGITS]


def changed(texts: Mapping[str, str], seals_text: str) -> list[str]:
    """Which of the spec and the limits are not as they were sealed."""
    return [name for name in (SPEC, LIMITS) if f"{_sha256(texts[name])}  {name}" not in seals_text.splitlines()]


def parse(text: str, where: str) -> Pack:
    """A pack from the text of its limits. Raises `UserError` with the line, or with the key that is wrong."""
    try:
        raw = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{where} is not TOML: {error}.", "Mend that line.") from error
    schema = raw.get("schema")
    if isinstance(schema, int) and schema > SCHEMA:
        raise UserError(
            f"{where} has schema {schema}; this pinchpoint reads up to {SCHEMA}.",
            "Upgrade it: pip install --upgrade pinchpoint.",
        )
    try:
        pack = _adapter().validate_python(raw)
    except ValidationError as error:
        first = error.errors()[0]
        at = ".".join(str(part + 1 if isinstance(part, int) else part) for part in first["loc"])
        raise UserError(
            f"{where} is wrong at {at}: {first['msg']}.", "Mend that key, or write the pack anew."
        ) from error
    twice = [each for each, times in Counter(map(_key, pack.requirements)).items() if times > 1]
    if twice:
        raise UserError(f"{where} limits {twice[0][1]} of one point twice.", "Keep one of the two.")
    return pack


@cache
def _adapter() -> TypeAdapter[Pack]:
    return TypeAdapter(Pack)


def _key(requirement: Requirement) -> tuple[str, str, str]:
    return requirement.id, requirement.metric, requirement.relation


def _written(point: Point) -> dict[str, Value]:
    """The axes to write: those that a reader looks for also where they are as by default, and never the found ones.

    A profile would set lengths that stand at their default if those were left out.
    """
    shown = [name for name in axes.BY_NAME if name in _ALWAYS or name in dict(point.given)]
    if point.axes["architecture"] == "hf":
        shown.remove("size")  # its model brings it along
    return {name: point.axes[name] for name in shown if not axes.BY_NAME[name].found}


def _requirement(pack: Pack, each: Requirement) -> str:
    of_model = {name: each.point[name] for name in ("model", "size") if "model" in each.point}
    shown = _written(points.point(each.point)) | of_model
    point = ", ".join(f"{name} = {_value(value)}" for name, value in shown.items())
    lines = [
        f"[[requirements]] # {pack.name(each)}",
        f"metric = {_value(each.metric)}",
        f"relation = {_value(each.relation)}",
        f"limit = {_value(each.limit)} # {labels.plain(quantity(each.limit, each.unit))}",
        f"unit = {_value(each.unit)}",
        f"source = {_value(each.source)}",
        f"weight = {_value(each.weight)}",
        f"point = {{ {point} }}",
    ]
    return "\n".join(lines)


def _table(head: str, values: Mapping[str, Value]) -> str:
    return "\n".join([head, *(f"{name} = {_value(value)}" for name, value in values.items())])


def _list(texts: tuple[str, ...]) -> str:
    return "[" + "".join(f"\n    {_value(text)}," for text in texts) + ("\n]" if texts else "]")


def _value(value: Value) -> str:
    """A TOML value. Text loses control characters, so that JSON's escapes are TOML's too."""
    return json.dumps(labels.plain(value), ensure_ascii=False) if isinstance(value, str) else repr(value)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
