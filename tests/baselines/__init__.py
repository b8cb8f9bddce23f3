"""What the default points count, committed, so that a change which makes a model or its code do more is seen.

`python -m tests.baselines` counts again and writes the file; the commit that changes it says why.
"""

import json
from importlib import resources
from pathlib import Path
from typing import Any

import torch

from bench import points, spec
from bench.executors.local import cache_folder
from bench.points import Point
from bench.session import Session
from reports import exact_counts

FILE = Path(__file__).with_name("exact_counts.json")
#: One architecture of each kind beside those of the sweep `ci`, as small as they come.
_BESIDE = [
    {"architecture": architecture, "size": "nano", "workload": workload, "batch_size": 1}
    for architecture in ("transformer", "seq2seq", "rnn")
    for workload in ("train", "decode")
]
#: Counts that depend on torch's version: which operators it breaks the same work into.
OF_TORCH = frozenset({"operators"})


def benchmarks() -> dict[str, Point]:
    """The points that are counted, by name."""
    text = resources.files("bench.sweeps").joinpath("ci.toml").read_text(encoding="utf-8")
    chosen = [*spec.parse(text, "ci", {}, {}).points, *map(points.point, _BESIDE)]
    return {points.describe(point, chosen): point for point in chosen}


def counts(point: Point) -> dict[str, float]:
    """The point's exact counts: its shape's, those of the model once it is built, and the operators that it calls."""
    settings = {"lean": True, "block_seconds": 0.001, "warmup_limit": 0, "corpus": None, "cache": str(cache_folder())}
    session = Session(point.axes | {"device": "cpu", "threads": 1}, settings)
    facts = session.build()["facts"]
    found: dict[str, Any] = vars(points.costs(point.axes)) | {"operators": session.dispatches()}
    found |= {name: facts[name] for name in ("parameters", "stored_weights_B")}
    return {name: found[name] for name in exact_counts.COUNTS if name in found}


def write() -> None:
    """Count everything again and keep it, with the version of torch that it holds for."""
    content = {
        "torch": torch.__version__.partition("+")[0],
        "counts": {name: counts(point) for name, point in benchmarks().items()},
    }
    FILE.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def read() -> dict[str, Any]:
    """The committed counts by benchmark (`counts`), and torch's version (`torch`)."""
    content: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return content
