"""Quality beside speed: before anything is timed, each model of a sweep is trained once and its variants are graded.

The parent's side: it decides what is to be trained and graded, and asks a child (`bench.grading`) for it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import host, planning, points
from bench.executors.local import Child, ChildFailed
from bench.points import Point
from bench.record import Metric, MetricInfo, Value
from model import shapes

#: What is told of a variant beside its fp32 parent, on the same held-out tokens (see `model.quality.Quality`).
FIGURES = {
    "perplexity": MetricInfo("", -1, "perplexity on held-out text"),
    "parent_perplexity": MetricInfo("", -1, "perplexity of the fp32 parent on held-out text"),
    "delta_ln_perplexity": MetricInfo("nat", -1, "ln perplexity above the fp32 parent's"),
    "kl_mean": MetricInfo("nat", -1, "mean KL divergence from the fp32 parent"),
    "kl_p999": MetricInfo("nat", -1, "KL divergence from the fp32 parent, 99.9th percentile of the tokens"),
    "same_top_1": MetricInfo("", 1, "share of tokens whose likeliest word is the fp32 parent's"),
}
#: What is told of a classifier, its variants too; and of each class, as `precision/NAME`.
CLASS_FIGURES = {
    "accuracy": MetricInfo("", 1, "share of held-out texts that are given their label"),
    "macro_precision": MetricInfo("", 1, "precision, mean over the classes"),
    "macro_recall": MetricInfo("", 1, "recall, mean over the classes"),
    "macro_f1": MetricInfo("", 1, "F1, mean over the classes"),
}
PER_CLASS = {
    "precision": MetricInfo("", 1, "precision of one class"),
    "recall": MetricInfo("", 1, "recall of one class"),
    "f1": MetricInfo("", 1, "F1 of one class"),
}
UNTRAINED = "the weights were not trained; --train-budget 60s trains each model first"

COMES_TRAINED = "a model of transformers comes trained, and is fed other tokens than its own: it is not graded"

#: How a model is trained before it is graded, as far as memory goes: `model.train.Plan`, and `bench.grading.LENGTH`.
_TRAINING: dict[str, Value] = {"workload": "train", "batch_size": 16, "sequence_length": 32, "generated_length": 32}


@dataclass(frozen=True)
class Assessment:
    """The file of the trained weights, what their training took, and the variant's figures, or why there are none.

    `figures` maps a name to its value, the bounds of its interval and the number of samples.
    """

    parent: str | None = None
    facts: dict[str, Value] = field(default_factory=dict)
    figures: dict[str, list[float | None]] = field(default_factory=dict)
    reason: str | None = UNTRAINED


def metrics(found: Mapping[str, Any] | None, architecture: str) -> dict[str, Metric]:
    """The quality metrics of a record from what a child's report holds of an assessment (None: an older report)."""
    kept = Assessment(**found) if found is not None else Assessment()
    known = CLASS_FIGURES if shapes.labels_texts(architecture) else FIGURES
    if not kept.figures:
        reason = COMES_TRAINED if architecture == "hf" else kept.reason
        return {
            name: Metric(None, info.unit, info.direction, info.label, reason=reason) for name, info in known.items()
        }
    made = {}
    for name, (value, low, high, n) in kept.figures.items():
        info = known.get(name) or PER_CLASS[name.partition("/")[0]]
        made[name] = Metric(value, info.unit, info.direction, info.label, low, high, int(n or 0))
    return made


def assess(
    chosen: Sequence[Point], settings: Mapping[str, Any], limit_s: float, told: Callable[[str], None]
) -> dict[str, Assessment]:
    """Train and grade what `chosen` needs; point id -> assessment. `told` hears what is being done.

    `settings` are those of a child, with `train_budget` in seconds; `limit_s` is what each grading may take. Nothing
    that goes wrong here stops a sweep: it is the reason why a point has no quality.
    """
    found: dict[str, Assessment] = {}
    for parent, members in _grouped(chosen, points.parent).items():
        if dict(parent)["architecture"] == "hf":
            found |= {point.id: Assessment(reason=COMES_TRAINED) for point in members}
            continue
        variants = _grouped(members, points.answers)
        child = Child()
        try:
            assessed = _assess(child, dict(parent), [each[0] for each in variants.values()], settings, limit_s, told)
        finally:
            child.kill()
        for assessment, alike in zip(assessed, variants.values(), strict=True):
            found |= {point.id: assessment for point in alike}
    return found


def _assess(
    child: Child,
    parent: dict[str, Value],
    variants: Sequence[Point],
    settings: Mapping[str, Any],
    limit_s: float,
    told: Callable[[str], None],
) -> list[Assessment]:
    """An assessment for each of `variants` of one parent."""
    name = f"{parent['architecture']} {parent['size']}"
    need, have = planning.memory_B(points.point(parent | _TRAINING)), host.usable_memory_B()
    if need > have:
        reason = f"to train it takes at least {need / 2**30:.1f} GiB of {have / 2**30:.1f} GiB"
        return [Assessment(reason=reason)] * len(variants)
    told(f"training {name}")
    try:
        child.ask(None, limit_s)
        limit = limit_s + float(settings["train_budget"])
        trained = child.ask({"do": "train", "axes": parent, "settings": settings}, limit)["trained"]
    except ChildFailed as failed:
        return [Assessment(reason=failed.reason)] * len(variants)
    made: list[Assessment] = []
    for variant in variants:
        told(f"grading {points.describe(variant, variants)}")
        made.append(_graded(child, variant, trained, limit_s))
    child.ask_to_finish()
    child.finish()
    return made


def _graded(child: Child, variant: Point, trained: Mapping[str, Any], limit_s: float) -> Assessment:
    try:
        graded = child.ask({"do": "grade", "axes": variant.axes}, limit_s)["graded"]
    except ChildFailed as failed:
        return Assessment(trained["parent"], trained["facts"], reason=failed.reason)
    return Assessment(trained["parent"], trained["facts"], graded["figures"], graded["reason"])


def kept(report: Mapping[str, Any]) -> Assessment | None:
    """The assessment that an earlier process of the point was given, where its weights are still there."""
    if "quality" not in report:
        return None
    found = Assessment(**report["quality"])
    return found if found.parent is None or Path(found.parent).is_file() else None


def _grouped(chosen: Iterable[Point], key: Callable[[Point], Any]) -> dict[Any, list[Point]]:
    groups: dict[Any, list[Point]] = {}
    for point in chosen:
        groups.setdefault(key(point), []).append(point)
    return groups
