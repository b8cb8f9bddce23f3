"""The first sentence on a bottleneck, for a reader who knows no roofline."""

from bench import units
from reports.bottleneck import Attribution
from reports.walls import sentence


def in_words(attribution: Attribution, subject: str) -> str:
    """What `subject` ("Decode at batch 1") waits for, in one sentence with its figures."""
    o = attribution.observation
    arithmetic = next((rung for rung in attribution.rungs if rung.unit != "B/s"), None)
    memory = next((rung for rung in attribution.rungs if rung.unit == "B/s"), None)
    slowest = next((part for part in attribution.operators if part.wall == "kernel"), None)
    must = slowest.need.seconds if slowest else 0.0
    figures = {
        "subject": subject,
        "share": percent(attribution.share(attribution.verdict)),
        "of_peak": percent(arithmetic.of_machine if arithmetic else None),
        "dtype": arithmetic.resource if arithmetic else "arithmetic",
        "of_bandwidth": percent(memory.of_machine if memory else None),
        "places": f"{sum(operator.places for operator in o.operators):,.0f}",
        "pages": f"{o.minor_faults:,.0f}",
        "held": units.quantity(o.held_B, "B"),
        "limit": units.quantity(o.limit_B, "B"),
        "calls": f"{o.calls:,.0f}",
        "operator": slowest.operator.name if slowest else "an operator",
        "times": units.digits(slowest.operator.seconds / must, 2) if slowest and must > 0 else "many",
        "busy": units.digits(o.cpu_s / o.iteration_s, 2),
        "threads": str(o.threads),
        "clock": percent(o.clock_share),
    }
    return sentence(attribution.verdict, figures)


def percent(share: float | None) -> str:
    """A share as `61 %`; below 1 % with a digit more."""
    if share is None:
        return "an unknown share"
    return f"{units.digits(100 * share, 1 if share < 0.01 else 2)} %"
