"""What cannot be true in a catalogue though its types allow it: twice a device, GB in the place of B, sparse peaks."""

import math
from collections import Counter
from collections.abc import Iterator

from reports.catalogue import Catalogue, Device, figures
from reports.prices import problem

#: Below these, a figure was given with a prefix: no memory has less than 256 MiB, none is slower than 1 GB/s, and no
#: device that runs a language model has a peak below 1 GFLOP/s.
LEAST_SIZE_B, LEAST_B_PER_S, LEAST_PEAK_PER_S = 2**28, 1e9, 1e9
#: Above these, it is a slip too: some thousand times what the largest devices of 2026 have, or cost in rials.
MOST = {"size_B": 1e15, "_B_per_s": 1e16, "_per_s": 2e19, "limit_W": 1e6}
MOST_PRICE = 1e15

#: A format of half the width has twice the dense peak, rounded by the vendor; with 2:4 sparsity it has four times.
TWICE = 2.2
#: B300 has three times the fp8 peak in fp4, dense.
THRICE = 3.3
#: GeForce cards, and systems with such a chip, halve fp16 and fp8 that accumulate in fp32, but not integers nor fp4.
HALVED = 4.4


def contradictions(catalogue: Catalogue) -> Iterator[str]:
    """What is wrong, each with the device and the key, the gravest first."""
    for name, times in Counter(device.name for device in catalogue.device).items():
        if times > 1:
            yield f"{name} is there {times} times"
    for device in catalogue.device:
        yield from _empty(device)
        yield from _without_source(catalogue, device)
        yield from _wrong_units(device)
        yield from _sparse(device)
        for price in device.price:
            if told := problem(price):
                yield f"{device.name}, price: {told}"
            if price.amount > MOST_PRICE:
                yield f"{device.name}, price: {price.amount:g} is more than any costs; give at most {MOST_PRICE:g}"


def _empty(device: Device) -> Iterator[str]:
    groups = device.groups()
    if not groups:
        yield f"{device.name} has no figures"
    for title, group in groups.items():
        if not figures(group):
            yield f"{device.name} has no figures in {title}"


def _without_source(catalogue: Catalogue, device: Device) -> Iterator[str]:
    named = [(title, group.sources) for title, group in device.groups().items()]
    named += [("price", price.sources) for price in device.price]
    for title, keys in named:
        for key in keys:
            if key not in catalogue.sources:
                yield f"{title} of {device.name} names the source '{key}', which is not there"


def _wrong_units(device: Device) -> Iterator[str]:
    for title, group in device.groups().items():
        for name, value in figures(group).items():
            if name == "size_B" and value < LEAST_SIZE_B:
                yield f"{device.name}, {title}.{name}: {value:g} B is too small; give bytes, not GB"
            elif name.endswith("_B_per_s") and value < LEAST_B_PER_S:
                yield f"{device.name}, {title}.{name}: {value:g} B/s is too slow; give B/s, not GB/s"
            elif title == "peaks" and value < LEAST_PEAK_PER_S:
                yield f"{device.name}, {title}.{name}: {value:g} is too slow; give FLOP/s, not TFLOP/s"
            most = next((most for ending, most in MOST.items() if name.endswith(ending)), math.inf)
            if value > most:
                yield f"{device.name}, {title}.{name}: {value:g} is more than any device has; give at most {most:g}"


def _sparse(device: Device) -> Iterator[str]:
    """Peaks that stand too high above those of the next wider format to be dense."""
    known = figures(device.peaks) if device.peaks is not None else {}
    sixteen = ("fp16_FLOP_per_s", "bf16_FLOP_per_s")
    halved = device.kind in ("consumer", "system")
    limits = [
        ("fp8_FLOP_per_s", sixteen, TWICE),
        ("fp4_FLOP_per_s", ("fp8_FLOP_per_s",), HALVED if halved else THRICE),
        ("int8_OP_per_s", sixteen, HALVED if halved else TWICE),
        ("int4_OP_per_s", ("int8_OP_per_s",), TWICE),
        ("fp16_fp16_accumulate_FLOP_per_s", ("fp16_FLOP_per_s",), TWICE),
    ]
    if device.vendor == "NVIDIA":
        limits += [(half, ("tf32_FLOP_per_s",), TWICE) for half in sixteen]
    for name, wider, most in limits:
        under = max((known[each] for each in wider if each in known), default=None)
        if name in known and under is not None and known[name] > most * under:
            yield (
                f"{device.name}, peaks.{name}: {known[name] / under:.1f} times the next wider format cannot be dense; "
                "give the peak without sparsity"
            )
