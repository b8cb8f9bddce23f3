"""Which hardware to buy for a workload: one question, one answer. Pure; `pinchpoint project` asks it.

The steps stand in `reports.projection`: what fits and what it would do (`outlook`), how many that takes (`demand`),
what they cost (`ownership`), which is best (`ranking`), and what that hangs on (`levers`).
"""

import math
from collections.abc import Sequence

from bench.errors import UserError
from reports.catalogue import Device
from reports.projection import assumptions as assumed
from reports.projection import calibrated, demand, engines, formats, levers, outlook, ownership, ranking
from reports.projection.answers import Answer, Assumptions, Candidate, Option, Outlook, Refusal, Workload
from reports.projection.calibrated import Calibrated
from reports.projection.ranking import Criterion

#: Devices that serve a replica together, tried in this order; the first count that holds the model is taken.
COUNTS = (1, 2, 4, 8)
#: More devices to a replica are taken where they promise so many times as much: their figures are less certain.
_WORTH = 1.05
split = engines.split


def candidates(
    workload: Workload,
    devices: Sequence[Device],
    most: int = COUNTS[-1],
    models: Calibrated | None = None,
    criterion: Criterion = "owned cost",
) -> tuple[Candidate, ...]:
    """One candidate for each device: so many of it, up to `most`, as hold the model together and serve it best.

    Best, by likely values, is what keeps the limits, then what generates most a device (by speed: in all), or takes the
    fewest for the demand: room for more sequences pays for what devices tell each other. Where not even `most` hold it,
    that many, so that the refusal says by how much it fails; where their number does not matter, a single one.
    """
    counts = [count for count in COUNTS if count <= most]
    tried = [Candidate(device, n, split(workload.engine, n)) for device in devices for n in counts]
    does = outlook.likely(models or calibrated.shipped(), workload, tried)
    width = len(counts)
    return tuple(
        _serving(workload, tried[at : at + width], does[at : at + width], criterion)
        for at in range(0, len(tried), width)
    )


def _serving(
    workload: Workload, tried: Sequence[Candidate], does: Sequence[tuple[float, float] | None], criterion: Criterion
) -> Candidate:
    """The best number of one device: more of it while each is worth it."""
    found: Candidate | None = None
    over, merit = math.inf, 0.0
    for each, told in zip(tried, does, strict=True):
        if told is not None:
            rate, beyond = told
            now = _merit(workload, each.devices, rate, criterion)
            if found is not None and beyond >= over and (beyond > over or now <= _WORTH * merit):
                break  # more of them only share the work further
            found, over, merit = each, beyond, now
    if found is not None:
        return found
    device = tried[0].device
    sized = device.memory is not None and device.memory.size_B is not None
    return tried[-1] if sized and formats.product(device, workload.weights) is not None else tried[0]


def _merit(workload: Workload, devices: int, rate: float, criterion: Criterion) -> float:
    """Tokens/s that so many devices are worth: in all by speed, else each, of what is asked for where something is.

    At a batch that the user fixed there is no room to fill, and what two devices do together one does in less than
    twice the time: nothing is gained by more.
    """
    if criterion == "speed":
        return rate
    if workload.batch is not None or rate <= 0:
        return 0.0
    demand = workload.demand_tokens_per_s
    return rate / devices if demand is None else demand / (devices * math.ceil(demand / rate))


def answer(
    workload: Workload,
    candidates: Sequence[Candidate],
    assumptions: Assumptions,
    models: Calibrated | None = None,
    criterion: Criterion = "owned cost",
    draws: int = outlook.DRAWS,
    seed: int = 0,
) -> Answer:
    """Options of all candidates, best first, with what could not be answered and why.

    `models` are the shipped ones where none are given (`calibrated.calibrated` makes those that know own measurements
    too). Raises `UserError` for assumptions that cannot be, and where there is no candidate.
    """
    assumed.check(assumptions)
    if not candidates:
        raise UserError("There is no device to project to.", "Name some with --to, or leave it out for all.")
    found = outlook.outlooks(models or calibrated.shipped(), workload, candidates, draws, seed)
    options = [_option(each, workload, assumptions) for each in found if isinstance(each, Outlook)]
    refusals = tuple(each for each in found if isinstance(each, Refusal))
    used, note = ranking.usable(options, criterion) if options else (criterion, None)
    ranked = ranking.rank(options, used)
    hangs_on = levers.levers(ranked, assumptions, used, workload.demand_tokens_per_s) if ranked else ()
    notes = tuple(each for each in (note, _too_long(workload)) if each)
    return Answer(workload, assumptions, ranked, refusals, used, tuple(hangs_on), notes)


def _too_long(workload: Workload) -> str | None:
    """A note where a request is longer than what the model was made for: speed and memory say nothing of sense."""
    most, longest = workload.model.context, max(use.prompt + use.output for use in workload.uses)
    if most is None or longest <= most:
        return None
    return f"{workload.model.name} was made for at most {most:,} tokens, and a request has {longest:,}."


def _option(found: Outlook, workload: Workload, assumptions: Assumptions) -> Option:
    judged = demand.judge(found, workload)
    device = found.candidate.device
    cost = ownership.cost(found, judged.replicas.safe, assumptions, device.price, workload.demand_tokens_per_s)
    return Option(found, cost, meets=judged.meets, misses=judged.misses)
