"""Answers of a projection for tests of what shows them. Devices are real, their figures and prices made up."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from reports.datasheets import Device, Memory, Power
from reports.prices import Price
from reports.projection import ownership, ranking
from reports.projection.answers import (
    Answer,
    Assumptions,
    Candidate,
    Estimate,
    Fit,
    Lever,
    Option,
    Outlook,
    Refusal,
    Trust,
    Use,
    Workload,
)
from reports.projection.models import Model

MODEL = Model(
    "Llama-3.1-70B", 70_553_706_496, 70_553_706_496, 1_050_673_152, 80, 8192, 128_256, 163_840, 8192, 131_072, "made up"
)
WORKLOAD = Workload(
    MODEL,
    "fp8",
    "fp16",
    (Use("chat", 0.7, 512, 256), Use("summarize", 0.3, 4096, 300)),
    demand_tokens_per_s=5000.0,
    ttft_s=0.5,
    tpot_s=0.05,
)
#: Name, devices of a replica, tokens/s of it, W of a device, price, rent per hour.
FLEET = (
    ("NVIDIA H100 SXM5 80GB", 2, 2400.0, 620.0, 29_000.0, 2.9),
    ("NVIDIA H200", 2, 3100.0, 640.0, 34_000.0, 3.6),
    ("NVIDIA B200", 1, 4100.0, 900.0, 42_000.0, 5.4),
    ("NVIDIA L40S", 4, 1050.0, 290.0, 8_900.0, 1.1),
    ("NVIDIA A100 80GB", 2, 1150.0, 340.0, 14_500.0, 1.6),
    ("AMD Instinct MI300X", 1, 2000.0, 700.0, 16_000.0, 2.5),
    ("AMD Instinct MI325X", 1, 2500.0, 820.0, 20_000.0, 3.1),
    ("Intel Gaudi 3", 2, 1900.0, 650.0, 15_500.0, 2.2),
    ("NVIDIA RTX PRO 6000 Blackwell", 2, 1300.0, 500.0, 8_600.0, 1.7),
    ("NVIDIA A10G", 8, 420.0, 140.0, 2_900.0, 0.6),
    ("A device whose maker gave it a name of sixty characters long", 1, 900.0, 500.0, 12_000.0, 1.3),
    ("Apple M3 Ultra", 1, 55.0, 180.0, 5_500.0, 0.8),
)
TRUST = (
    Trust("interpolated", ("between the measured A100 and B200",)),
    Trust("measured", ("own records on this device",)),
    Trust("extrapolated", ("no device of this architecture was measured", "the engine is another one")),
)
DRAWS = 400
DEFAULTS = Assumptions()


def around(value: float, unit: str, spread: float, seed: int) -> Estimate:
    """Draws with a lognormal spread; the same seed gives the same draws."""
    return Estimate(value * np.exp(np.random.default_rng(seed).normal(0, spread, DRAWS)), unit)


def option(
    place: int,
    assumptions: Assumptions = DEFAULTS,
    demand: float | None = 5000.0,
    *,
    priced: bool = True,
    scale: float = 1.0,
) -> Option:
    """The device of that place in `FLEET`, with all its answers, not ranked yet; `scale` multiplies its speed."""
    name, count, rate, watts, price, rent = FLEET[place]
    rate *= scale
    device = Device(
        name,
        "Acme" if name.startswith("A ") else name.split()[0],
        "data-center",
        memory=Memory(("made up",), 80 * 2**30, 2e12),
        power=Power(("nvidia",), 1),
    )
    speed = around(rate, "tokens/s", 0.06 + 0.05 * (place % 3), place)
    power = around(watts * count, "W", 0.05, place + 100)
    parts = {"weights": 71e9, "KV cache": 22e9, "activations": 3e9}
    outlook = Outlook(
        Candidate(device, count, "tensor" if count > 1 else "none"),
        Fit(True, sum(parts.values()), count * 128 * 2.0**30, parts, 96),
        32,
        around(0.2 + 20 / rate, "s", 0.08, place + 200),
        Estimate(32 / speed.draws, "s"),
        speed,
        Estimate(speed.draws * 9, "tokens/s"),
        power,
        Estimate(power.draws / speed.draws, "J/token"),
        TRUST[place % 3],
        ("memory bandwidth", "compute", "communication")[place % 3],
    )
    replicas = int(np.ceil(demand / speed.low)) if demand else 1
    known = prices(price, rent) if priced else ()
    return Option(outlook, ownership.cost(outlook, replicas, assumptions, known, demand))


def prices(bought: float, rented: float) -> tuple[Price, ...]:
    """One to buy and one to rent, in USD."""
    return (
        Price("street", bought, "USD", "device", "2026-05", ("a shop",)),
        Price("cloud", rented, "USD", "hour", "2026-05", ("a cloud",), "on demand"),
    )


def answer(
    places: Iterable[int] = range(len(FLEET)),
    *,
    demand: float | None = 5000.0,
    priced: bool = True,
    assumptions: Assumptions = DEFAULTS,
) -> Answer:
    """Ranked options of those places in `FLEET`, with refusals, levers and notes."""
    criterion = "owned cost" if priced else "speed"
    options = ranking.rank([option(place, assumptions, demand, priced=priced) for place in places], criterion)
    return Answer(
        replace(WORKLOAD, demand_tokens_per_s=demand),
        assumptions,
        options,
        (
            Refusal("NVIDIA T4", "The weights need 66 GiB and there are 16 GiB."),
            Refusal("NVIDIA V100 32GB", "It has no fp8, and the weights need 131 GiB in fp16."),
            Refusal("Two V100", "It has no fp8, and the weights need 131 GiB in fp16."),
        ),
        criterion,
        (
            Lever("utilization", "Below a utilization of 31 %, renting the B200 is cheaper than owning it.", -0.48),
            Lever("price", "If the AMD Instinct MI325X cost 12 % less, it would be the best.", -0.12),
        ),
        ("The engine of the calibration is vLLM; another one may be slower.",),
    )


def bounds_only(place: int = 0) -> Option:
    """An option of which only limits are known: a speed at most, times at least, no power."""
    outlook = option(place).outlook
    limits = replace(
        outlook,
        ttft_s=Estimate(np.array([0.11]), "s", "at_least"),
        tpot_s=Estimate(np.array([0.004]), "s", "at_least"),
        tokens_per_s=Estimate(np.array([8000.0]), "tokens/s", "at_most"),
        prefill_tokens_per_s=Estimate(np.array([90_000.0]), "tokens/s", "at_most"),
        power_W=None,
        joules_per_token=None,
        trust=Trust("bounds", ("the calibration is of processors alone",)),
    )
    listed = (Price("list", 29_000.0, "USD", "device", "2026-05", ("a shop",)),)
    return Option(limits, ownership.cost(limits, 1, DEFAULTS, listed), rank=1)
