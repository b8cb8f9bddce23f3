"""How it was measured, and what the words of the report mean."""

from collections import Counter
from statistics import median

from reports import certainty, labels, tables
from reports.document import Paragraph, Section
from reports.estimate import NEGLIGIBLE
from reports.study import Study, imported_from, metric, values

ORDER = 90

_WORKLOADS = {
    "train": ("Training", "one step: forward, backward and the optimizer's update of all weights"),
    "prefill": ("Prefill", "the model reads the whole prompt at once, before it writes anything"),
    "decode": ("Decode", "the model writes new tokens one after the other, each from what came before"),
    "classify": ("Classify", "the model reads texts at once and chooses a label for each"),
}
_TERMS = (
    ("Token", "a word or a piece of punctuation, as the model reads and writes it"),
    ("Batch size", "how many sequences run together"),
    ("Throughput", "tokens of all sequences of the batch over the time they took"),
    ("Slowest 1 %", "99 of 100 iterations are faster than this (the 99th percentile)"),
    ("Peak memory", "the most that was taken while iterating: on a GPU what the allocator held, on a CPU the growth of "
     "the process since before the model was built"),
    ("Interval", "a range that holds the median with 95 % confidence, judging by how far the processes of this run "
     "differ; what changes from one day to another is not in it"),
    (f"{certainty.TIMES.mark} and {certainty.POWER.mark}", "a warning speaks against the number before the sign: "
     f"{certainty.TIMES.mark} against times, {certainty.POWER.mark} against power and energy"),
)  # fmt: skip


def build(study: Study) -> Section | None:
    """None where nothing was measured."""
    if not study.ok:
        return None
    used = dict.fromkeys(str(values(record)["workload"]) for record in study.ok)
    terms = [_WORKLOADS[name] for name in used if name in _WORKLOADS]
    some_memory = any(metric(r, "max_ram_B") or metric(r, "max_allocated_B") for r in study.ok)
    terms += [term for term in _TERMS if term[0] != "Peak memory" or some_memory]
    glossary = tables.simple("Words used here", ["word", "meaning"], terms)
    return Section("How it was measured", _lead(study), (*map(Paragraph, _paragraphs(study)), glossary))


def _lead(study: Study) -> str:
    timed = [block for record in study.ok for block in record.blocks if block.kind == "timed"]
    samples = sum(len(block.samples_ns) for block in timed)
    if timed and not study.ours:
        return f"{labels.count(samples, 'timed round')}, measured by another tool."
    if not timed:
        return "The records hold no raw samples; their own summaries are shown."
    blocks = labels.count(len(timed), "short block")
    return f"{labels.count(samples, 'timed iteration')} in {blocks}, alternating between configurations."


def _imported(study: Study) -> list[str]:
    """Which tools measured what was imported; their own rules hold for it, and not those below."""
    tools = Counter(tool for record in study.ok if (tool := imported_from(record)))
    return [
        f"{labels.count(number, 'configuration')} came from a file of {tool}, measured one after the other. A file "
        "that names no processes is taken to be of one, which is too few for an interval."
        for tool, number in tools.items()
    ]


def _paragraphs(study: Study) -> list[str]:
    if not study.ours:
        return _imported(study)
    blocks = [[block for block in record.blocks if block.kind == "timed"] for record in study.ours]
    rounds = sorted(len({block.round for block in mine}) for mine in blocks)
    processes = sorted(len({block.process for block in mine}) for mine in blocks)
    others = "other " if len(study.ours) < len(study.ok) else ""
    return [
        *_imported(study),
        f"Every {others}configuration ran in {_span(processes, 'fresh process', 'fresh processes')} and "
        f"{_span(rounds, 'round')}. Within a round, the configurations that are compared with each other run one short "
        "block each, in random order, so that a machine that speeds up or slows down does so for all of them.",
        *_stopping(study),
        "Intervals are taken from process to process, whatever the shape of the noise: two of the sorted values of the "
        "blocks, chosen so that 95 % of such intervals enclose the true median, and as far apart as the processes "
        "differ. They need at least 6 processes; with fewer, none is given.",
        "A ratio is the median, over rounds, of the ratio of the lower quartiles of two blocks of the same round. "
        f"Where its interval reaches within {NEGLIGIBLE:.0%} of 1, no measurable difference is reported.",
    ]


def _stopping(study: Study) -> list[str]:
    """How precise the ratios came out, and why no more was measured."""
    facts = [record.facts for record in study.ok if record.facts.get("precision_of") == "ratio"]
    widths = sorted(float(known["half_width"]) for known in facts if "half_width" in known)
    if not facts or not widths:
        return []
    reasons = Counter(str(known.get("stopped_for")) for known in facts)
    said = [f"{reasons[why]} {words}" for why, words in _ENDINGS.items() if reasons[why]]
    endings = f" Of all: {', '.join(said)}." if said else ""
    return [
        f"The half-width of the 95 % interval of a ratio is {widths[0]:.1%} to {widths[-1]:.1%}, "
        f"{median(widths):.1%} at the median, over {labels.count(len(widths), 'ratio')}.{endings}"
    ]


#: Why a configuration was given no more processes, in words.
_ENDINGS = {
    "precise": "as precise as was asked for",
    "budget": "ended by the budget of time",
    "cap": "ended by the number of processes",
}


def _span(counts: list[int], noun: str, plural: str | None = None) -> str:
    low, high = counts[0], counts[-1]
    return labels.count(high, noun, plural) if low == high else f"{low} to {labels.count(high, noun, plural)}"
