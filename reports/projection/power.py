"""Power under load as a share of the limit: ln(power / limit) as a mixed model of what bounds the work.

TDP is not power: products near the peak reach the limit, short kernels and waiting for memory leave much of it unused.
So does all else that keeps the time above the ideal one; where speed and power were measured together, or are projected
together, ln(real / ideal) time is therefore a term too (`STALL`).
"""

import numpy as np

from reports.projection.efficiency import LAYER_S, Ideal, Ideals
from reports.projection.situations import Situation, Situations
from reports.projection.terms import Row, Term, Terms

#: A device keeps its mean over seconds to its limit; what meters show above it is their noise.
MOST = 1.0
#: The term whose value is ln(real / ideal) time.
STALL: Term = ("power: stall", "all")


def row(situation: Situation, at: Ideal, log: float) -> Row:
    """What ln(power / limit) depends on, as terms of the mixed model; `log` is ln(real / ideal) of the time."""
    return {**terms(Situations.of([situation]), Ideals.of([at])).rows()[0], STALL: log}


def terms(many: Situations, at: Ideals) -> Terms:
    """What ln(power / limit) of each depends on beside the time: all of it is named here."""
    counts, device = many.counts, many.levels(lambda s: s.device.name)
    source = many.levels(lambda s: s.source or "somebody new")
    found = Terms(many.place)
    found.add("power: all", "all")
    found.add("power: compute", "all", at.compute)
    found.add("power: links", "all", at.links)
    found.add("power: launches", "all", np.log1p(counts.layers * LAYER_S * np.maximum(counts.steps, 1) / at.total_s))
    found.add("power: batch", "all", np.log(counts.batch))
    found.add("power: devices", "all", np.log(many.fact(lambda s: s.devices)))
    found.add("power: vendor", many.levels(lambda s: s.device.vendor))
    found.add("power: architecture", many.levels(lambda s: f"{s.device.vendor} {s.device.architecture}"))
    found.add("power: device", device)
    found.add("power: kind", many.levels(lambda s: s.device.kind))
    found.add("power: engine", many.levels(lambda s: s.engine or "any engine"))
    found.add("power: source", source)
    found.add("power: source, device", [", ".join(each) for each in zip(source, device, strict=True)])
    return found
