"""What devices cost, bought or rented."""

from dataclasses import dataclass
from typing import Literal

PriceKind = Literal["list", "street", "cloud", "reserved", "spot"]


@dataclass(frozen=True)
class Price:
    """`amount` of `currency` (ISO 4217) `per` device or per hour and device, as its `sources` had it on `date`."""

    kind: PriceKind
    amount: float
    currency: str
    per: Literal["device", "hour"]
    date: str
    sources: tuple[str, ...]
    note: str | None = None
