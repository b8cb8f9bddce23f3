"""What a sweep asks for: points and settings, from a TOML file or from flags. A spec can do nothing but choose points.

description = "LSTM on my machine"

[settings]
rounds = 5

[base]                      # what every point shares
architecture = "lstm"

[[grid]]                    # each grid is the product of its axes
size = ["nano", "tiny"]
batch_size = "1-16*4"
"""

import itertools
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from bench import axes, points, profiles, ranges
from bench.axes import Axis
from bench.errors import UserError
from bench.kinds import Duration, Number, nearest
from bench.points import Point
from bench.record import Value

#: A sweep of more points than this is taken for a typing error.
MOST_POINTS = 10_000

#: How the points are measured: rows like those of the axes, so that flags and validation derive from them too.
SETTINGS: tuple[Axis, ...] = (
    Axis("repetitions", Number(1, 1000), 32, "processes", "fresh processes a point, at most", ("-r",)),
    Axis("rounds", Number(1, 10_000), 5, "rounds", "rounds a process; in each, every point of a group runs a block"),
    Axis(
        "block_seconds", Number(0.001, 60, whole=False), 0.02, "block length", "seconds a block (1 iteration or more)"
    ),
    Axis(
        "precision_goal",
        Number(0, 1, whole=False),
        0.02,
        "precision",
        "half-width, as a share, of the 95 % interval of a ratio at which it needs no more processes",
    ),
    Axis(
        "point_budget", Duration(0, 86_400), 20.0, "budget of a point", "seconds after which it gets no more processes"
    ),
    Axis(
        "sweep_budget",
        Duration(0, 604_800),
        0.0,
        "budget of the sweep",
        "seconds for all points, shared out by need; 0: no limit",
    ),
    Axis("warmup_limit", Number(0, 3600, whole=False), 1.0, "warm-up limit", "seconds of warm-up a process, at most"),
    Axis("time_limit", Number(1, 86_400, whole=False), 120.0, "time limit", "seconds a point may take in a process"),
    Axis(
        "train_budget",
        Duration(0, 86_400),
        0.0,
        "training budget",
        "seconds to train each model before its variants are graded; 0: fresh weights, no quality",
    ),
    Axis("group", Number(1, 8), 8, "group", "points that are measured interleaved, at most"),
)
SETTING_DEFAULTS: dict[str, Value] = {setting.name: setting.default for setting in SETTINGS}
_SETTINGS_BY_NAME = {setting.name: setting for setting in SETTINGS}


@dataclass(frozen=True)
class Spec:
    """The points of a sweep, in order and without doubles, and how they are measured."""

    name: str
    description: str
    points: tuple[Point, ...]
    settings: dict[str, Value]


def shipped() -> tuple[str, ...]:
    """Names of the specs that come with pinchpoint."""
    return tuple(sorted(entry.name[:-5] for entry in files("bench.sweeps").iterdir() if entry.name.endswith(".toml")))


def read(name: str, overrides: Mapping[str, object], settings: Mapping[str, object]) -> Spec:
    """The shipped spec of that name, or the TOML file at that path, with axes and settings from flags on top.

    An axis given in `overrides` replaces that axis in every grid. Raises `UserError` for whatever is wrong.
    """
    if name in shipped():
        text = (files("bench.sweeps") / f"{name}.toml").read_text(encoding="utf-8")
        return parse(text, name, overrides, settings)
    path = Path(name)
    if not path.is_file():
        known = shipped()
        raise UserError(
            f"There is no sweep '{name}'.{nearest(name, known)}",
            f"Name one of those that ship ({', '.join(known)}), or a TOML file.",
        )
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"The spec {path} cannot be read: {error}.", "Write it as a UTF-8 text file.") from error
    return parse(text, path.stem, overrides, settings)


def parse(text: str, name: str, overrides: Mapping[str, object], settings: Mapping[str, object]) -> Spec:
    """A spec from TOML text. Raises `UserError` with line and column, or with the key that is wrong."""
    try:
        raw = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # a TOMLDecodeError, a number of 5,000 digits, 3,000 brackets
        lines = text.splitlines() or [""]
        end = f"at line {len(lines)}, column {len(lines[-1]) + 1}, the end"
        said = str(error).replace("at end of document", end)
        raise UserError(f"The spec '{name}' is not TOML: {said}.", "Mend that line.") from error
    _known(raw, ("description", "settings", "base", "grid"), f"the spec '{name}'")
    base = _table(raw.get("base", {}), "[base]")
    grids = raw.get("grid", [{}])
    if not isinstance(grids, list) or not grids:
        raise UserError(f"'grid' in the spec '{name}' is no list of tables.", "Write [[grid]] above each.")
    found: dict[Point, None] = {}
    for grid in grids:
        for given in _stacked((base, _table(grid, "[[grid]]"), overrides)):
            _product(given, found, name)
    return Spec(
        name=name,
        description=str(raw.get("description", "")),
        points=tuple(found),
        settings=choose_settings(_table(raw.get("settings", {}), "[settings]") | dict(settings)),
    )


def _stacked(layers: Sequence[Mapping[str, object]]) -> Iterator[dict[str, object]]:
    """The layers on top of each other, once a profile: lengths and batch size that stand below it give way to it."""
    naming = [place for place, layer in enumerate(layers) if "profile" in layer]
    place = naming[-1] if naming else 0
    below, above = (_merged(part) for part in (layers[:place], layers[place:]))
    if not naming:
        yield above
        return
    for profile in ranges.expand(axes.find("profile"), above["profile"]):
        hidden = () if profile == profiles.NONE else profiles.AXES
        yield {key: raw for key, raw in below.items() if key not in hidden} | above | {"profile": profile}


def _merged(layers: Sequence[Mapping[str, object]]) -> dict[str, object]:
    return {key: raw for layer in layers for key, raw in layer.items()}


def _product(given: Mapping[str, object], found: dict[Point, None], name: str) -> None:
    values: dict[str, Sequence[Value]] = {key: ranges.expand(axes.find(key), raw) for key, raw in given.items()}
    for combination in itertools.product(*values.values()):
        made = points.point(dict(zip(values, combination, strict=True)))
        points.check(made.axes)  # raises where the architecture lacks that preset or dimension
        found[made] = None
        if len(found) > MOST_POINTS:
            raise UserError(f"The sweep '{name}' has over {MOST_POINTS} points.", "Give fewer values to its axes.")


def choose_settings(given: Mapping[str, object]) -> dict[str, Value]:
    """Settings with their defaults. Raises `UserError` for an unknown one and for a value out of range."""
    _known(given, tuple(_SETTINGS_BY_NAME), "[settings]")
    chosen = dict(SETTING_DEFAULTS)
    for key, raw in given.items():
        if isinstance(raw, bool) or not isinstance(raw, (int, float, str)):
            raise UserError(f"{key} = {raw!r} is no number.", f"{_SETTINGS_BY_NAME[key].kind.describe()} is allowed.")
        chosen[key] = _SETTINGS_BY_NAME[key].parse(raw)
    return chosen


def _table(raw: object, where: str) -> dict[str, object]:
    if not isinstance(raw, dict):
        raise UserError(f"{where} is no table of keys and values.", f"Write {where} on a line of its own.")
    return raw


def _known(raw: Mapping[str, object], known: Sequence[str], where: str) -> None:
    for key in raw:
        if key not in known:
            raise UserError(f"There is no key '{key}' in {where}.{nearest(key, known)}", f"Keys: {', '.join(known)}.")
