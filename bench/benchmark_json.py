"""The JSON of pytest-benchmark 5, so that its `compare` and its histogram read what we measured.

The statistics are computed by pytest-benchmark itself, so that a reader who compares the two finds them equal.
"""

import json
import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from bench.record import Value


@dataclass(frozen=True)
class Entry:
    """One benchmark: `seconds` holds the time of an iteration in each round, `iterations` how many each round had.

    `fullname` is what pytest-benchmark matches two files by, `name` what it shows, `group` whom it is shown with.
    """

    name: str
    fullname: str
    group: str | None
    seconds: Sequence[float]
    iterations: int
    params: Mapping[str, object] | None = None
    param: str | None = None
    extra_info: Mapping[str, object] = field(default_factory=dict)


def document(
    entries: Sequence[Entry],
    machine_info: Mapping[str, object],
    commit_info: Mapping[str, object],
    measured_at: str | None = None,
) -> str:
    """The whole file as text; `measured_at` is ISO 8601 (default: now)."""
    from pytest_benchmark import __version__

    content = {
        "machine_info": machine_info,
        "commit_info": commit_info,
        "benchmarks": [_benchmark(entry) for entry in entries],
        "datetime": measured_at or datetime.now(UTC).isoformat(),
        "version": __version__,
    }
    return json.dumps(_finite(content), indent=4, default=repr, ensure_ascii=True) + "\n"


def _benchmark(entry: Entry) -> dict[str, object]:
    from pytest_benchmark.stats import Stats

    counted = Stats()  # type: ignore[no-untyped-call]
    counted.data = list(entry.seconds)
    return {
        "group": entry.group,
        "name": entry.name,
        "fullname": entry.fullname,
        "params": entry.params,
        "param": entry.param,
        "extra_info": entry.extra_info,
        "options": {"timer": "perf_counter_ns", "disable_gc": True, "warmup": True},
        "stats": {**counted.as_dict(), "data": counted.data, "iterations": entry.iterations},  # type: ignore[no-untyped-call]
    }


def machine(facts: Mapping[str, Value | None], *, with_name: bool) -> dict[str, object]:
    """`machine_info` of a host's facts (`bench.host.describe`); the machine's name is left out unless it is wanted."""
    system, _, architecture = str(facts.get("os") or "").partition(" ")
    return {
        "node": facts.get("host_name") if with_name else "",
        "processor": facts.get("cpu"),
        "machine": architecture,
        "python_implementation": platform.python_implementation(),
        "python_version": facts.get("python"),
        "release": facts.get("kernel"),
        "system": system,
        "cpu": {"brand_raw": facts.get("cpu"), "count": facts.get("cores")},
        "pinchpoint": {
            name: facts.get(name) for name in ("fingerprint", "memory_B", "accelerator", "power_limit_W", "torch")
        },
    }


def commit(revision: Value | None) -> dict[str, object]:
    """`commit_info` of a revision as git describes it, `-dirty` where the checkout was changed; None where unknown."""
    name = str(revision) if revision else "unknown"
    return {"id": name.removesuffix("-dirty"), "dirty": name.endswith("-dirty"), "time": None, "branch": "(unknown)"}


def _finite(raw: Any) -> Any:
    """`raw` without numbers that JSON does not have: those become null."""
    if isinstance(raw, Mapping):
        return {str(name): _finite(value) for name, value in raw.items()}
    if isinstance(raw, (list, tuple)):
        return [_finite(value) for value in raw]
    return None if isinstance(raw, float) and not math.isfinite(raw) else raw
