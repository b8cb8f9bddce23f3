"""A record from what the store holds of a point: pure, so that a killed sweep loses nothing that was measured."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from statistics import median
from typing import Any

from bench import assessment, points, summary
from bench.errors import Unsupported, UserError
from bench.inputs import Inputs
from bench.record import SCHEMA, Block, Metric, MetricInfo, Record, Status, Value, Warn
from bench.store import Run, Store


def now() -> str:
    """The present moment in UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def record(
    run: Run,
    axes: Mapping[str, Value],
    children: Sequence[Mapping[str, Any]],
    blocks: Sequence[Block],
    status: Status,
    reason: str | None,
) -> Record:
    """The record of one point from what its processes reported (`children`) and measured (`blocks`)."""
    point = points.point(axes)
    first: Mapping[str, Any] = children[0] if children else {}
    counts, uncounted = _counts(point.axes, run.inputs)
    started = min((str(child["started_at"]) for child in children), default=now())
    return Record(
        schema=SCHEMA,
        run=run.run,
        point=point.id,
        axes=point.axes,
        status=status,
        reason=reason,
        started_at=started,
        finished_at=now(),
        metrics=_measured(run, first, point.axes, counts, blocks) if blocks else {},
        costs=counts,
        facts={
            **first.get("facts", {}),
            **{f"setting_{name}": value for name, value in run.settings.items()},
            **({"uncounted": uncounted} if uncounted and blocks else {}),
        },
        host=run.host,
        warnings=[*_warnings(children), *summary.warnings(blocks)],
        unavailable=dict(first.get("unavailable", {})),
        blocks=list(blocks),
        load_s=_median([child["load_s"] for child in children]),
        warmup_s=_median([child["warmup_s"] for child in children]),
    )


def unfinished(store: Store, run: Run) -> list[Record]:
    """Records, `interrupted`, of the points that have blocks but no record: what a stopped or killed sweep left."""
    finished = store.statuses(run.run)
    found = []
    for axes in run.points:
        point = points.point(axes).id
        blocks = [] if point in finished else store.blocks(run.run, point)
        if blocks:
            reason = f"the sweep ended after {len(blocks)} blocks of this point; `--resume` goes on"
            found.append(record(run, axes, store.children(run.run, point), blocks, "interrupted", reason))
    return found


def _counts(axes: Mapping[str, Value], inputs: Inputs) -> tuple[dict[str, int], str | None]:
    """The exact counts of the point; where there are none, the reason."""
    try:
        costs = points.costs(axes, inputs)
    except (Unsupported, UserError) as reason:  # the files of an interrupted point may be on another machine
        return {}, str(reason)
    return _known(axes, asdict(costs) | {"memory_B": costs.memory_B}), None


def _measured(
    run: Run, report: Mapping[str, Any], axes: Mapping[str, Value], counts: Mapping[str, int], blocks: Sequence[Block]
) -> dict[str, Metric]:
    provided, reasons = declared(report)
    tokens = int(report["tokens"]) if "tokens" in report else points.tokens(axes, run.inputs)
    quality = assessment.metrics(report.get("quality"), str(axes["architecture"]))
    return summary.metrics(blocks, tokens, counts.get("flops"), provided, reasons, _steps(axes)) | quality


def _known(axes: Mapping[str, Value], counts: dict[str, int]) -> dict[str, int]:
    """The counts that hold for the point: of a quantized model, bytes are counted for the fp32 one it was made from."""
    unknown = ("weights_B", "bytes_moved", "memory_B") if axes["quantize"] != "none" else ()
    return {name: count for name, count in counts.items() if name not in unknown}


def _steps(axes: Mapping[str, Value]) -> int | None:
    return int(axes["generated_length"]) if axes["workload"] == "decode" else None


def declared(report: Mapping[str, Any]) -> tuple[dict[str, MetricInfo], dict[str, str]]:
    """What each reading is, and for those that could not be had the reason."""
    provided, reasons = {}, {}
    for name, raw in report.get("provided", {}).items():
        rest = dict(raw)
        probe = rest.pop("probe")
        provided[name] = MetricInfo(**rest)
        if probe in report["unavailable"]:
            reasons[name] = report["unavailable"][probe]
    return provided, reasons


def _warnings(children: Sequence[Mapping[str, Any]]) -> list[Warn]:
    """Each code once over the processes of a point, with the words of the first that gave it."""
    found: dict[str, Warn] = {}
    for child in children:
        for raw in child["warnings"]:
            found.setdefault(raw["code"], Warn(**raw))
    return list(found.values())


def _median(values: Sequence[float]) -> float | None:
    return median(values) if values else None
