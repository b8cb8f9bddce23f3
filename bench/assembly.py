"""A record from what the store holds of a point: pure, so that a killed sweep loses nothing that was measured."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from statistics import median
from typing import Any

from bench import allotment, assessment, environment, points, summary
from bench.errors import Unsupported, UserError
from bench.inputs import Inputs
from bench.record import SCHEMA, Block, Metric, MetricInfo, Record, Status, Value, Warn, observation_of
from bench.run_ceilings import key as ceilings_key
from bench.spec import SETTING_DEFAULTS
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
    stopping: Mapping[str, Value] | None = None,
    cautions: Sequence[Warn] = (),
) -> Record:
    """The record of one point from what its processes reported (`children`) and measured (`blocks`).

    `stopping` are facts, and `cautions` warnings, on why no more was measured.
    """
    point = points.point(axes)
    first: Mapping[str, Any] = children[0] if children else {}
    facts = dict(first.get("facts", {}))
    counts, uncounted = _counts(point.axes, run.inputs, facts)
    seen = next((child for child in children if "observation" in child), {})
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
        facts=facts
        | {"interval_confidence": _confidence(run.settings)}
        | _told(uncounted)
        | ({"unobserved": str(seen["unobserved"])} if "unobserved" in seen else {})
        | dict(stopping or {})
        | {f"setting_{name}": value for name, value in run.settings.items()},
        host=run.host,
        warnings=[*_warnings(children), *environment.warnings(run.host | facts), *summary.warnings(blocks), *cautions],
        unavailable=dict(first.get("unavailable", {})),
        blocks=list(blocks),
        load_s=_median([child["load_s"] for child in children]),
        warmup_s=_median([child["warmup_s"] for child in children]),
        observation=observation_of(seen.get("observation")),
        ceilings=dict(run.ceilings.get(ceilings_key(point.axes, run.host), {})),
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


def _counts(
    axes: Mapping[str, Value], inputs: Inputs, facts: Mapping[str, Value]
) -> tuple[dict[str, int], dict[str, str]]:
    """The counts that hold for the point, and for those that do not the reason.

    Those of the optimizer's state are as the process made them, tensor by tensor.
    """
    try:
        costs = points.costs(axes, inputs)
    except (Unsupported, UserError) as reason:  # the files of an interrupted point may be on another machine
        return {}, {"everything": str(reason).rstrip(".")} if facts else {}
    exact = {"optimizer_B": int(facts["optimizer_state_B"])} if "optimizer_state_B" in facts else {}
    uncounted = {name: reason for name, reason in points.uncounted(axes).items() if name not in exact}
    counts = asdict(costs) | {"memory_B": costs.memory_B} | exact
    return {name: count for name, count in counts.items() if name not in uncounted}, uncounted


def _measured(
    run: Run, report: Mapping[str, Any], axes: Mapping[str, Value], counts: Mapping[str, int], blocks: Sequence[Block]
) -> dict[str, Metric]:
    provided, reasons = declared(report)
    tokens = int(report["tokens"]) if "tokens" in report else points.tokens(axes, run.inputs)
    quality = assessment.metrics(report.get("quality"), str(axes["architecture"]))
    measured = summary.metrics(
        blocks, tokens, counts.get("flops"), provided, reasons, _steps(axes), _confidence(run.settings)
    )
    return measured | quality


def _confidence(settings: Mapping[str, Value]) -> float:
    """Nominal confidence of the intervals that the record prints: what it takes for 95 % of them to hold the truth."""
    return allotment.goal(SETTING_DEFAULTS | dict(settings)).printed_confidence


def _told(uncounted: Mapping[str, str]) -> dict[str, Value]:
    """Why counts are missing, as the fact `uncounted`; nothing where none is."""
    return {"uncounted": "; ".join(f"{name}: {reason}" for name, reason in uncounted.items())} if uncounted else {}


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
