"""What a change may cost: `--fail-on latency:5%`, by the short or the full name of a metric."""

import re
from collections.abc import Iterable

from bench.errors import UserError
from bench.gate import Limit
from bench.kinds import nearest

#: The short names; a metric's full name serves too.
METRICS = {
    "latency": "latency_s",
    "throughput": "throughput_tokens_per_s",
    "ttft": "ttft_s",
    "tpot": "tpot_s",
    "max_ram": "max_ram_B",
    "max_allocated": "max_allocated_B",
    "max_reserved": "max_reserved_B",
    "energy": "energy_J",
    "joules_per_token": "joules_per_token",
    "power": "avg_power_W",
}
#: Limits of less than a thousandth are below what a clock and a machine can tell; above 1000 % nothing is limited.
_LEAST, _MOST = 0.001, 10.0
_FORM = "such as 5%, for example latency:5%"


def parse(texts: Iterable[str]) -> dict[str, Limit]:
    """Metric -> limit from texts such as `latency:5%`; several may stand in one, with commas.

    Raises `UserError` for a metric that is not known, for what is no percentage, and for a metric named twice.
    """
    found: dict[str, Limit] = {}
    for text in (part.strip() for whole in texts for part in whole.split(",")):
        name, colon, share = text.partition(":")
        metric = METRICS.get(name.strip(), name.strip() if name.strip() in METRICS.values() else None)
        if not colon or metric is None:
            hint = nearest(name.strip(), [*METRICS, *METRICS.values()])
            raise UserError(
                f"'{text}' names no metric and limit.{hint}", f"Give METRIC:PERCENT; metrics are {', '.join(METRICS)}."
            )
        if metric in found:
            raise UserError(f"{metric} has two limits.", "Give each metric once.")
        found[metric] = limit(share, text)
    return found


def limit(share: str, told: str = "") -> Limit:
    """The limit of a text such as `5%`. Raises `UserError` for what is no percentage; `told` is what the user wrote."""
    number = re.fullmatch(r"\s*([0-9]*\.?[0-9]+)\s*%\s*", share)
    if number is None:
        raise UserError(f"'{told or share}' has no limit in percent.", f"Write it {_FORM}.")
    value = float(number[1]) / 100
    if not _LEAST <= value <= _MOST:
        raise UserError(f"A limit of {share.strip()} is out of range.", "Choose one from 0.1% to 1000%.")
    return Limit(value)
