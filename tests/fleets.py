"""Made-up devices and outlooks for tests of what a fleet costs. Nothing here was measured."""

import numpy as np

from reports.datasheets import Device
from reports.prices import Price
from reports.projection.answers import Assumptions, Candidate, Estimate, Fit, Option, Outlook, Trust, Workload
from reports.projection.models import Model
from reports.projection.ownership import cost

MODEL = Model("imaginary-8b", 8_000_000_000, 8_000_000_000, 500_000_000, 32, 4096, 128_256, 65_536, 4096)


def workload(**values):
    return Workload(MODEL, "bf16", "bf16", (), **values)


def draws(likely, spread=0.0, n=400, seed=0):
    """About `likely`, log-normal; the median is exactly it."""
    around = np.exp(np.random.default_rng(seed).normal(0, 1, n) * spread)
    return likely * around / np.median(around)


def estimate(likely, unit, spread=0.0, **kinds):
    seed = kinds.pop("seed", 0)
    n = 1 if kinds else 400
    return Estimate(draws(likely, spread, n, seed), unit, **kinds)


def outlook(
    name="Imaginary A", *, speed=1000.0, spread=0.0, watts=500.0, ttft=0.2, tpot=0.02, batch=8, most=64, devices=1,
    seed=0, bound=False, time_spread=0.0,
):  # fmt: skip
    kind = {"kind": "at_most"} if bound else {}
    least = {"kind": "at_least"} if bound else {}
    return Outlook(
        Candidate(Device(name, "Imaginary", "data-center"), devices),
        Fit(batch <= most, 1e10, 8e10, {}, most, "" if batch <= most else "40 GB are missing"),
        batch,
        estimate(ttft, "s", time_spread, **least),
        estimate(tpot, "s", time_spread, **least),
        estimate(speed, "tokens/s", spread, seed=seed, **kind),
        estimate(speed * 10, "tokens/s", spread, **kind),
        None if watts is None else estimate(watts, "W"),
        None if watts is None else estimate(watts / speed, "J"),
        Trust("bounds" if bound else "interpolated"),
        "memory bandwidth",
    )


def price(amount, kind="list", currency="USD", date="2026-01-01"):
    per = "device" if kind in {"list", "street"} else "hour"
    return Price(kind, amount, currency, per, date, ("imaginary",))


def option(name="Imaginary A", *, buy=20_000.0, rent=2.0, replicas=1, assumptions=None, demand=None, **values):
    prices = [price(buy)] if buy else []
    prices += [price(rent, "cloud")] if rent else []
    misses = values.pop("misses", ())
    seen = outlook(name, **values)
    money = cost(seen, replicas, assumptions or Assumptions(), prices, demand)
    return Option(seen, money, meets=not misses, misses=misses)
