"""Benchmarks of the reference models: each architecture and workload, then one axis at a time from a small LSTM."""

from collections.abc import Iterable

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench import assembly, host, points, run_ceilings
from bench.axes import DEFAULTS
from bench.ceilings import Measured, _cache
from bench.errors import Unsupported
from bench.executors.local import cache_folder
from bench.record import Record, Value
from bench.session import Session
from bench.store import Run
from model import shapes
from reports.render_pytest_benchmark import extra_info

SETTINGS: dict[str, Value | None] = {
    "block_seconds": 0.05,
    "warmup_limit": 0.5,
    "corpus": None,
    "cache": str(cache_folder()),
}

Axes = dict[str, Value]
WORKLOADS = ("train", "prefill", "decode")
#: Sizes and batches of the LSTM that the variants below start from.
SIZES: tuple[Axes, ...] = tuple({"size": size, "batch_size": batch} for size in ("nano", "tiny") for batch in (1, 16))
#: One change each, of the kinds that `pinchpoint sweep full` has too; torch.compile alone takes a minute, and is there.
VARIANTS: tuple[Axes, ...] = (
    {"size": "tiny", "batch_size": 16, "precision": "amp-bf16"},
    {"size": "tiny", "batch_size": 16, "precision": "bf16"},
    {"size": "tiny", "batch_size": 1, "prune": 0.5},
    {"size": "tiny", "batch_size": 1, "prune": 0.5, "prune_scheme": "structured"},
    {"size": "tiny", "batch_size": 1, "factorize": "rank:64"},
    {"size": "tiny", "batch_size": 1, "quantize": "int8-dynamic"},
    {"size": "tiny", "batch_size": 1, "quantize": "int8-weight"},
)
OF_TRANSFORMER: tuple[Axes, ...] = (
    {"workload": "decode", "kv_cache": "int8"},
    {"workload": "train", "batch_size": 8, "accumulation": 4},
    {"workload": "train", "batch_size": 8, "checkpointing": "on"},
)


def cases() -> list[Axes]:
    """What is measured, each once."""
    found: list[Axes] = []
    for architecture in (name for name in shapes.names() if name not in ("lstm", "hf")):
        does = ("classify",) if shapes.labels_texts(architecture) else WORKLOADS
        found += [{"architecture": architecture, "workload": workload} for workload in does]
    found += [{**axes, "workload": workload} for axes in (*SIZES, *VARIANTS) for workload in WORKLOADS]
    return found + [{"architecture": "transformer", **axes} for axes in OF_TRANSFORMER]


def name(axes: Axes) -> str:
    """What tells one case from another, short: `lstm-tiny-b16-amp-bf16-decode`."""
    always = ("architecture", "size", "batch_size")
    first = [f"b{value}" if axis == "batch_size" else str(value) for axis, value in _some(axes, always)]
    rest = [_word(axis, value) for axis, value in axes.items() if axis not in (*always, "workload")]
    return "-".join([*first, *rest, str(axes["workload"])])


def _some(axes: Axes, names: Iterable[str]) -> list[tuple[str, Value]]:
    return [(axis, axes.get(axis, DEFAULTS[axis])) for axis in names]


def _word(axis: str, value: Value) -> str:
    return str(value) if isinstance(value, str) and value not in ("on", "int8") else f"{axis}-{value}"


@pytest.mark.parametrize("axes", cases(), ids=name)
def test_iteration(benchmark: BenchmarkFixture, axes: Axes) -> None:
    """One iteration of the workload; costs, memory, energy and the wall beside it."""
    point = points.point(axes)
    session = Session(point.axes, SETTINGS)
    try:
        report = session.build()
    except Unsupported as reason:
        pytest.skip(str(reason))
    benchmark.group = str(axes["workload"])
    benchmark(session.step)
    benchmark.extra_info.update(extra_info(_record(session, point, report)))  # after it, as the profiler slows a step


def _record(session: Session, point: points.Point, report: dict[str, object]) -> Record:
    """What a sweep would have kept of one process: a block, one that meters can read, and what an iteration is."""
    blocks = [session.block("timed", 0, 0)]
    if float(str(report["window_s"])) > 0:
        blocks.append(session.block("observed", -1, 0))
    facts = host.describe()

    def kept(device: str, threads: int) -> Measured | None:
        return _cache.read(_cache.path(facts, device, threads), facts)

    ceilings = run_ceilings.find(run_ceilings.pairs([point.axes]), kept, None).ceilings
    now = assembly.now()
    run = Run("suite", "suite", now, (point.axes,), {}, "", facts, ceilings=ceilings)
    seen = session.observe() if ceilings else {}  # it takes seconds, and names no wall without ceilings
    child = {**report, "started_at": now, **seen}
    return assembly.record(run, point.axes, [child], blocks, "ok", None)
