"""Bottlenecks in plain words: the point, what it waits for, and what interventions showed."""

from bench.record import Record
from reports import labels
from reports.study import Study, values
from reports.verdict import Effect, Verdict

#: To follow `12 of 30 points wait`.
_WAIT = {
    "compute": "for arithmetic",
    "memory bandwidth": "for memory",
    "memory latency": "for scattered reads from memory",
    "memory capacity": "for memory to be freed",
    "allocation": "for memory that is handed out anew",
    "cache": "for the processor's caches",
    "dispatch": "for dispatch (the start of many small operators)",
    "kernel": "for a library's routine that is slower than the machine",
    "parallelism": "while cores are idle",
    "input": "for input",
    "transfer": "for copies between host and device",
    "communication": "for other ranks",
    "power or thermal": "for a clock that is held down",
    "unexplained": "for something that was not seen",
}
#: Interventions that are evidence only beside another one.
_CONTROLS = ("cache_antagonist",)
#: Interventions in a sentence.
_MOST_EFFECTS = 2


def where(study: Study, record: Record) -> str:
    """The point at the head of a sentence: `Decode at batch size 1`, `Training (nano, bf16)`."""
    name = labels.workload(values(record)["workload"])
    if not [axis for axis in study.varying if axis != "workload"] and len(study.hosts) == 1 and not study.repeats:
        return name
    label = study.label(record, ["workload"])
    return f"{name} at {label}" if label.startswith("batch size") and "," not in label else f"{name} ({label})"


def waits(wall: str) -> str:
    """`for memory`, to follow `12 of 30 points wait`."""
    return _WAIT.get(wall, f"for {labels.plain(wall)}")


def sentence(study: Study, verdict: Verdict) -> str:
    """The whole verdict as one plain sentence with its evidence."""
    head = labels.plain(verdict.sentence(where(study, verdict.record)))
    shown = ", ".join(each.words for each in telling_effects(verdict))
    against = ", which speaks against it" if verdict.proof == "contradicted" else ""
    return f"{head}; {shown}{against}." if shown else f"{head}."


def telling_effects(verdict: Verdict) -> list[Effect]:
    """The interventions with the largest effect that is certain, in the order in which they were tried."""
    tried = [each for each in verdict.effects if each.name not in _CONTROLS]
    ranked = sorted(tried, key=lambda each: (not each.decided, -abs(each.change)))[:_MOST_EFFECTS]
    return [each for each in tried if any(each is one for one in ranked)]


def percent(share: float) -> str:
    """A share in whole percent, below 1 % with a decimal.

    >>> percent(0.614), percent(0.004), percent(1e-6), percent(0.0)
    ('61\\xa0%', '0.4\\xa0%', '<0.1\\xa0%', '0\\xa0%')
    """
    size = abs(100 * share)
    shown = f"{100 * share:.0f}" if size >= 0.95 or not share else f"{100 * share:.1f}" if size >= 0.05 else "<0.1"
    return labels.unbroken(f"{shown} %")
