"""Whether experiments bear out the wall that was read from the record: one table of rules. Pure.

A wall is the largest of several shares of the time, so what it names must have an elasticity of at least `LARGEST`, a
quarter: of four resources that share a time, the largest has no less. Where the whole interval is below, the label is
contradicted; where it reaches across, nothing was shown. Walls that are no resource are told by what single
interventions did. All is decided on bounds of 95 % intervals, never on a middle value alone.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from bench.record import Experiment
from reports.elasticity import FALSE_ALARM, MOVED, Effect, Elasticity, Fit, effect

Verdict = Literal["confirmed", "contradicted", "untested"]

#: The least elasticity of the resource that is the wall, and the most of one that is not.
LARGEST = 0.25
#: Half of the time: what has so much of it leaves no other wall the larger part.
MOST = 0.5
#: A routine that saves so much is faster, since timing its products alone leaves out what stands between them.
FASTER = 0.1
#: Parallel work of which half does not scale takes 1.33 times as long with half of its threads, so that more than that
#: speaks against a serial part as the wall, and less for it.
SERIAL = math.log(4 / 3)
#: Work of which more than 3/4 is done once whatever the batch takes at most 1.25 times as long for twice the batch.
ONCE = math.log(1.25 / 2)


@dataclass(frozen=True)
class Proof:
    """Whether the label was borne out, and the one sentence that says by what."""

    verdict: Verdict
    sentence: str


@dataclass(frozen=True)
class Evidence:
    """What the rules look at: elasticities, and what each experiment did to the time."""

    fit: Fit
    effects: Mapping[str, Effect]
    experiments: Sequence[Experiment]


#: What an intervention does, as the subject of a sentence whose end is "cost 43 %" or "gained 4 %".
PHRASES = {
    "bandwidth_antagonist": "loading the memory bus",
    "cache_antagonist": "a core busy within its cache",
    "fewer_threads": "halving the threads",
    "more_threads": "doubling the threads",
    "batch_scaling": "doubling the batch",
    "extra_dispatches": "more empty operators",
    "fewer_dispatches": "compiling it",
    "fastest_products": "the fastest product routines",
    "kept_memory": "keeping freed memory",
    "lower_clock": "lowering the GPU's clock",
    "lower_power": "lowering the power limit",
    "nothing": "changing nothing",
}


def proof(wall: str, fit: Fit, experiments: Sequence[Experiment]) -> Proof:
    """Whether `fit` and `experiments` confirm that `wall` limits the point; `untested` where they cannot tell.

    `wall` is a name of `reports.bottleneck`: `compute`, `memory bandwidth`, `dispatch`, ...
    """
    effects = {each.name: found for each in experiments if not each.null and (found := effect(each)) is not None}
    if not effects:
        reasons = "; ".join(dict.fromkeys(each.reason.rstrip(".") for each in experiments if each.reason))
        return Proof("untested", f"No experiment could be made{': ' + reasons if reasons else ''}.")
    return RULES.get(wall, _untried("No intervention here changes it"))(wall, Evidence(fit, effects, experiments))


Rule = Callable[[str, Evidence], Proof]


def _resource(*shown: str) -> Rule:
    """The wall is a resource of the same name; `shown` are the experiments that move it most."""

    def judge(wall: str, evidence: Evidence) -> Proof:
        found = evidence.fit.of(wall)
        told = _told(evidence, shown)
        if found is None or found.value is None:
            reason = "it was not looked at" if found is None else found.reason
            return Proof("untested", f"{told}Whether {wall} limits it is not known: {reason}.")
        verdict = _against(found, LARGEST)
        together = f" (with {', '.join(name for name in found.resources if name != wall)})"
        what = f"{wall}{together if len(found.resources) > 1 else ''}"
        if len(found.resources) > 1 and verdict == "confirmed":
            verdict = _apart(wall, found, evidence)
        return Proof(verdict, f"{told}The elasticity to {what} is {shown_elasticity(found)}.")

    return judge


def _apart(wall: str, found: Elasticity, evidence: Evidence) -> Verdict:
    """A resource that was only moved with others may be said to matter where the others are of the same cores.

    So are misses in flight, of which each core has its own: without cores, scattered reads become fewer too.
    """
    of_cores = {"compute", "cache", "memory latency"}
    named = wall in ("compute", "cache")
    return "confirmed" if named and of_cores.issuperset(found.resources) else "untested"


def _against(found: Elasticity, threshold: float) -> Verdict:
    if found.low is None or found.high is None:
        return "untested"
    if found.high < threshold:
        return "contradicted"
    return "confirmed" if found.low > 0 and (found.value or 0.0) >= threshold else "untested"


def _dispatch(wall: str, evidence: Evidence) -> Proof:
    """Its own elasticity, which knows of empty operators alone; or all that only the number of operators explains.

    The latter: twice the batch takes hardly longer, and neither fewer cores nor a loaded memory matters.
    """
    told = _told(evidence, ("extra_dispatches", "batch_scaling", "fewer_threads"))
    found = evidence.fit.of(wall)
    direct = "untested" if found is None else _against(found, LARGEST)
    if direct == "confirmed" and found is not None:
        return Proof("confirmed", f"{told}The elasticity to dispatching is {shown_elasticity(found)}.")
    batch = evidence.effects.get("batch_scaling")
    if batch is None or batch.low is None or batch.high is None:
        return Proof("untested", f"{told}Without a larger batch its other costs of an operator are not known.")
    memory = evidence.fit.of("memory bandwidth")
    spared = memory is None or memory.high is None or memory.high < LARGEST
    threads = evidence.effects.get("fewer_threads")
    alone = threads is None or (threads.high is not None and threads.high < SERIAL)
    if batch.high < ONCE and spared and alone:
        return Proof("confirmed", f"{told}Neither cores nor memory explain that.")
    if batch.low > ONCE:
        return Proof("contradicted", f"{told}Most of its work grows with the batch.")
    return Proof("untested", f"{told}That leaves more than one explanation.")


def _parallelism(_wall: str, evidence: Evidence) -> Proof:
    threads = evidence.effects.get("fewer_threads")
    told = _told(evidence, ("fewer_threads", "more_threads"))
    if threads is None or threads.low is None or threads.high is None:
        return Proof("untested", f"{told}{_refusal(evidence, 'fewer_threads') or 'Fewer threads were not tried'}.")
    if threads.high < SERIAL:
        return Proof("confirmed", f"{told}Half of it or more does not scale with threads.")
    if threads.low > SERIAL:
        return Proof("contradicted", f"{told}Most of it scales with threads.")
    return Proof("untested", f"{told}That is too near to the border.")


def _kernel(_wall: str, evidence: Evidence) -> Proof:
    """The same products in much less time; or in less, where most of the time is spent on the cores.

    So it is where neither memory nor the dispatcher matters, whether a faster routine is known or not.
    """
    told = _told(evidence, ("fastest_products", "bandwidth_antagonist", "fewer_threads"))
    if _saved(evidence, "fastest_products", LARGEST):
        return Proof("confirmed", f"{told}So much its kernels take beyond what these products need.")
    if not _loaded(evidence):
        return Proof("untested", f"{told}Without a loaded memory bus it is not known what memory has to do with it.")
    others = [evidence.fit.of(name) for name in ("memory bandwidth", "dispatch")]
    known = [each for each in others if each is not None and each.low is not None and each.high is not None]
    if any((each.low or 0.0) > MOST for each in known):
        return Proof("contradicted", f"{told}What the machine gives is felt in most of the time.")
    highs = [each.high or 0.0 for each in known]
    if len(highs) == len(others) and max(highs) < LARGEST:
        return Proof("confirmed", f"{told}Neither memory nor dispatching is what it waits for.")
    if len(highs) == len(others) and sum(highs) < MOST and _saved(evidence, "fastest_products", FASTER):
        return Proof("confirmed", f"{told}Most of the time is spent on the cores, where a faster routine is known.")
    return Proof("untested", f"{told}Memory or dispatching may matter as much.")


def _allocation(_wall: str, evidence: Evidence) -> Proof:
    """Freed memory that is kept needs no fresh pages: all that they cost is saved."""
    told = _told(evidence, ("kept_memory", "bandwidth_antagonist"))
    kept = evidence.effects.get("kept_memory")
    if kept is None or kept.low is None:
        return Proof("untested", f"{told}{_refusal(evidence, 'kept_memory') or 'Keeping freed memory was not tried'}.")
    if _saved(evidence, "kept_memory", LARGEST):
        return Proof("confirmed", f"{told}So much fresh pages cost.")
    if kept.low > math.log(1 - LARGEST):
        return Proof("contradicted", f"{told}Fresh pages cost less than a quarter of its time.")
    return Proof("untested", f"{told}That is too near to the border.")


def _refusal(evidence: Evidence, name: str) -> str:
    """Why an experiment could not be made, without a full stop; empty where it was not refused."""
    return next((each.reason or "" for each in evidence.experiments if each.name == name), "").rstrip(".")


def _saved(evidence: Evidence, name: str, least: float) -> bool:
    """Whether an experiment took away at least such a share of the time, beyond chance."""
    found = evidence.effects.get(name)
    return found is not None and found.high is not None and found.high < 0 and found.share <= -least


def _power(wall: str, evidence: Evidence) -> Proof:
    """The elasticity to the power limit, which may speak for the wall and not against it: heat is no matter of it."""
    tried = next((each for each in evidence.experiments if each.name == "lower_power"), None)
    if tried is None:
        return Proof("untested", "A power limit is lowered only where that is asked for (a GPU's, --try lower_power).")
    if tried.reason is not None:
        return Proof("untested", f"The power limit was not lowered: {tried.reason.rstrip('.')}.")
    found = _resource("lower_power", "lower_clock")(wall, evidence)
    if found.verdict == "contradicted":
        return Proof("untested", f"{found.sentence} It is not the power limit; heat may hold it back all the same.")
    return found


def _untried(reason: str) -> Rule:
    return lambda _wall, _evidence: Proof("untested", f"{reason}.")


#: How each wall is tested.
RULES: Mapping[str, Rule] = {
    "compute": _resource("fewer_threads", "lower_clock", "cache_antagonist"),
    "memory bandwidth": _resource("bandwidth_antagonist", "cache_antagonist", "fewer_threads"),
    "memory latency": _resource("bandwidth_antagonist", "fewer_threads"),
    "cache": _resource("fewer_threads", "cache_antagonist"),
    "dispatch": _dispatch,
    "kernel": _kernel,
    "parallelism": _parallelism,
    "allocation": _allocation,
    "memory capacity": _untried("No intervention here gives it more memory"),
    "input": _untried("No intervention here changes how its input is loaded"),
    "transfer": _untried("Nothing is transferred on a CPU, and no intervention changes it elsewhere"),
    "communication": _untried("No intervention here changes the link between ranks"),
    "power or thermal": _power,
    "unexplained": _untried("No wall was named that could be tested"),
}


def shown_elasticity(found: Elasticity) -> str:
    """`0.61 [0.55, 0.70]`; an em dash where it is not known."""
    if found.value is None:
        return "—"
    if found.low is None or found.high is None:
        return f"{found.value:.2f}"
    return f"{found.value:.2f} [{found.low:.2f}, {found.high:.2f}]"


def changed(found: Effect) -> str:
    """`cost 43 %`, `gained 4 %`; what is less than 2 % or chance `changed nothing measurable`."""
    unclear = found.low is not None and found.high is not None and found.low <= 0 <= found.high
    if unclear or abs(found.share) < FALSE_ALARM:
        return "changed nothing measurable"
    if found.value >= 0:
        return f"cost {found.share:.0%}".replace("%", " %")
    return f"gained {math.expm1(-found.value):.0%}".replace("%", " %")


def _told(evidence: Evidence, names: Sequence[str]) -> str:
    """What these experiments did, as one clause: `loading the memory bus cost 43 %; halving the threads cost 4 %. `."""
    parts = []
    for name in names:
        found = evidence.effects.get(name)
        if found is None:
            continue
        phrase = f"{PHRASES.get(name, name.replace('_', ' '))} {changed(found)}"
        if name == "bandwidth_antagonist" and not _loaded(evidence):
            phrase += " (but took little of its bandwidth)"
        parts.append(phrase)
    told = "; ".join(parts)
    return f"{told[0].upper()}{told[1:]}. " if told else ""


def _loaded(evidence: Evidence) -> bool:
    """Whether the antagonist really took bandwidth away."""
    rates = next((each.rates for each in evidence.experiments if each.name == "bandwidth_antagonist"), {})
    return abs(rates.get("memory bandwidth", 0.0)) >= MOVED
