"""Where the limits of an acceptance pack are from: own measurements, or what a projection promises. Pure."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from bench import points
from bench.errors import UserError
from bench.kinds import nearest
from bench.record import Metric, Record, Value
from bench.units import digits, quantity
from reports import labels, study
from reports.acceptance import Relation, Requirement
from reports.projection.answers import Answer, Estimate, Option

#: What is asked of a workload where nothing else is said: decode is felt token by token, the rest as throughput.
_USUAL = {"decode": "tpot_s"}
_OTHERWISE = "throughput_tokens_per_s"
_RUN_IT = "Measure it here first: pinchpoint sweep; or ask for a model that pinchpoint builds."


@dataclass(frozen=True)
class Limits:
    """The requirements, and what could not become one, each with its reason."""

    requirements: tuple[Requirement, ...]
    left_out: tuple[str, ...] = ()


def from_records(
    records: Iterable[Record],
    metrics: Sequence[str] = (),
    factor: float = 1.0,
    weights: Mapping[str, float] | None = None,
) -> Limits:
    """A limit for each of the `metrics` of each own record; by default time per token of decode, else throughput.

    `factor` is how many times as good as here it must be: a throughput times it, a time divided by it. `weights` are by
    metric, 1 where they name none. Raises `UserError` where nothing can be asked for, or the factor is no number above
    0; what is left out is said.
    """
    _check_factor(factor)
    newest = {study.point(record).id: record for record in sorted(records, key=lambda record: record.started_at)}
    found: list[Requirement] = []
    left_out: list[str] = []
    model = next((str(r.axes["model"]) for r in newest.values() if r.axes["architecture"] == "hf"), None)
    among = [study.point(record) for record in newest.values()]
    for record in newest.values():
        name = points.describe(study.point(record), among)
        if reason := _not_ours(record, model):
            left_out.append(labels.plain(f"{name}: {reason}"))
            continue
        for metric in metrics or (_USUAL.get(str(record.axes["workload"]), _OTHERWISE),):
            made = _of_record(record, metric, factor)
            if isinstance(made, str):
                left_out.append(f"{name}, {metric}: {made}")
            else:
                found.append(made)
    return _weighted(found, left_out, weights)


def from_answer(
    answer: Answer,
    runs: Mapping[str, Value] | None,
    option: Option | None = None,
    factor: float = 1.0,
    weights: Mapping[str, float] | None = None,
    *,
    energy: bool = False,
) -> Limits:
    """Limits from the worse ends of a projection's 90 % intervals, or the user's own where those ask for more.

    `runs` are the axes by which pinchpoint builds the answer's model in its number format (architecture, size or
    dimensions, precision); None where it cannot. `option` is by default the best one that meets the demand. Two points
    are asked for, at the mean lengths of the workload: a decode at the projected batch, for the time per token, and the
    prefill of one prompt, for the time to the first. With `energy`, joules per generated token of the decode too.

    Raises `UserError` where pinchpoint cannot run the model or the option, and where nothing meets the demand.
    """
    _check_factor(factor)
    chosen = option or _best(answer)
    outlook, workload = chosen.outlook, answer.workload
    if runs is None:
        raise UserError(f"pinchpoint cannot run {workload.model.name} itself, so no vendor could measure it.", _RUN_IT)
    if outlook.candidate.devices > 1:
        raise UserError(
            f"{outlook.candidate.label} serve one replica together, and pinchpoint measures one device at a time.",
            "Ask for a device that holds a replica by itself.",
        )
    lengths: dict[str, Value] = {
        "sequence_length": max(round(workload.prompt), 1),
        "generated_length": max(round(workload.output), 1),
    }
    decode = _given({**runs, **lengths, "workload": "decode", "batch_size": outlook.batch})
    prefill = _given({**runs, **lengths, "workload": "prefill", "batch_size": 1})
    named = outlook.candidate.label
    asked = [
        (decode, "tpot_s", outlook.tpot_s, workload.tpot_s, "s"),
        (prefill, "latency_s", outlook.ttft_s, workload.ttft_s, "s"),
    ]
    if energy and outlook.power_W is not None:
        # Draws belong together: a slower token under more power is one case, not two.
        joules = outlook.power_W.draws * outlook.tpot_s.draws / outlook.batch
        asked.append((decode, "joules_per_token", Estimate(joules, "J/token", outlook.tpot_s.kind), None, "J/token"))
    found: list[Requirement] = []
    left_out: list[str] = []
    for point, metric, estimate, own, unit in asked:
        made = _of_estimate(point, metric, unit, estimate, own, factor, named)
        if made is None:
            left_out.append(f"{metric}: for {named} there are bounds alone, no estimate")
        else:
            found.append(made)
    return _weighted(found, left_out, weights)


def _check_factor(factor: float) -> None:
    if not (math.isfinite(factor) and factor > 0):
        raise UserError(f"A factor of {factor:g} asks for nothing.", "Give a number above 0; 1 asks for as good.")


def _best(answer: Answer) -> Option:
    meeting = [option for option in answer.options if option.meets]
    if not meeting:
        raise UserError("No option of the projection meets the demand.", "Relax it, or add devices.")
    return meeting[0]


def _not_ours(record: Record, model: str | None) -> str:
    """Why a vendor could not measure the point with a spec of ours; empty where one can."""
    if record.status != "ok":
        return labels.status(record)
    if tool := study.imported_from(record):
        return f"measured by {tool}, which pinchpoint cannot run"
    if record.axes["architecture"] == "hf" and record.axes["model"] != model:
        return f"one sweep runs one model of transformers, here {model}"
    return ""


def _of_record(record: Record, name: str, factor: float) -> Requirement | str:
    """The requirement, or why there is none."""
    metric = record.metrics.get(name)
    if metric is None:
        near = nearest(name, record.metrics)
        return f"it is not a figure of this point.{near}".rstrip(".")
    if metric.value is None:
        return labels.plain(metric.reason or "it was not measured").rstrip(".")
    if metric.direction == 0 or not (math.isfinite(metric.value) and metric.value > 0):
        return "neither more nor less of it is better" if metric.direction == 0 else f"{metric.value:g} has no ratio"
    relation: Relation = "at least" if metric.direction > 0 else "at most"
    limit = metric.value * factor if metric.direction > 0 else metric.value / factor
    return Requirement(
        dict(study.point(record).given), name, relation, limit, metric.unit, _told(record, metric, factor)
    )


def _told(record: Record, metric: Metric, factor: float) -> str:
    measured = f"{quantity(metric.value, metric.unit)} measured in run {record.run}"
    return f"{measured}, {_by(factor, more=metric.direction > 0)}".rstrip(", ")


def _by(factor: float, *, more: bool) -> str:
    return "" if factor == 1 else f"{'times' if more else 'divided by'} {digits(factor)}"


def _of_estimate(
    point: dict[str, Value], metric: str, unit: str, estimate: Estimate, own: float | None, factor: float, named: str
) -> Requirement | None:
    """At most the worse end of the estimate, or the user's own limit where that is stricter; None without either."""
    worst = estimate.high / factor if estimate.kind == "estimate" else None
    if own is not None and (worst is None or own <= worst):
        return Requirement(point, metric, "at most", own, unit, "the buyer's own limit")
    if worst is None:
        return None
    source = f"worse end of the projected 90 % interval for {labels.plain(named)}, {_by(factor, more=False)}"
    return Requirement(point, metric, "at most", worst, unit, source.rstrip(", "))


def _given(values: Mapping[str, Value]) -> dict[str, Value]:
    made = points.point(values)
    points.check(made.axes)  # raises where the architecture lacks that preset or dimension
    return dict(made.given)


def _weighted(found: list[Requirement], left_out: list[str], weights: Mapping[str, float] | None) -> Limits:
    if not found:
        why = f" ({'; '.join(left_out[:3])})" if left_out else ""
        raise UserError(f"There is nothing that a vendor could measure{why}.", _RUN_IT)
    given = dict(weights or {})
    metrics = list(dict.fromkeys(each.metric for each in found))
    for metric, weight in given.items():
        if metric not in metrics:
            raise UserError(
                f"No limit is on {metric}.{nearest(metric, metrics)}", f"Limits are on {', '.join(metrics)}."
            )
        if not (math.isfinite(weight) and weight > 0):
            raise UserError(f"A weight of {weight:g} for {metric} is none.", "Give a number above 0.")
    weighted = tuple(replace(each, weight=float(given.get(each.metric, 1.0))) for each in found)
    return Limits(weighted, tuple(left_out))
