"""What a device costs to buy, or to rent for an hour: the prices of the catalogue, and which of them to use."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator

from reports.strict_types import KNOWN_KEYS_ONLY, Figure, Keys, Text

#: The vendor's or the launch price, and what shops ask; then by the hour: on demand, for a term, and while spare.
PriceKind = Literal["list", "street", "cloud", "reserved", "spot"]
Per = Literal["device", "hour"]
#: Kinds by what they pay for; of those to buy, what shops ask tells more than what the vendor wants.
OWNED: tuple[PriceKind, ...] = ("street", "list")
RENTED: tuple[PriceKind, ...] = ("cloud", "reserved", "spot")
UNDATED = "undated"

_CURRENCY = re.compile(r"[A-Z]{3}")
_DATE = re.compile(r"\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?")


def _currency(text: str) -> str:
    if not _CURRENCY.fullmatch(text):
        raise ValueError(f"'{text}' is no ISO 4217 code of three capitals, such as USD.")
    return text


def _date(text: str) -> str:
    if text != UNDATED and not _DATE.fullmatch(text):
        raise ValueError(f"'{text}' is no date such as 2026, 2026-03, 2026-03-10, or '{UNDATED}'.")
    return text


@dataclass(frozen=True)
class Price:
    """What one device costs: `amount` of `currency` per device, or per device and hour, as it was on `date`.

    A list or street price is per device, every other one per hour. Of something that is sold only as a whole (a box, a
    server), `note` says so. `sources` are keys of the catalogue's sources.
    """

    kind: PriceKind
    amount: Figure
    currency: Annotated[Text, AfterValidator(_currency)]
    per: Per
    date: Annotated[Text, AfterValidator(_date)]
    sources: Keys
    note: Text | None = None
    __pydantic_config__ = KNOWN_KEYS_ONLY


def problem(price: Price) -> str | None:
    """What is wrong with it that its types allow; None where nothing is."""
    per = "device" if price.kind in OWNED else "hour"
    return None if price.per == per else f"a {price.kind} price is per {per}, not per {price.per}"


def choose(prices: Sequence[Price], kinds: Sequence[PriceKind], currency: str) -> Price | None:
    """The newest price in `currency` of the first of `kinds` of which there is one; of equally new ones the lowest.

    None where there is no such price: prices are not converted from one currency to another.
    """
    for kind in kinds:
        found = [each for each in prices if each.kind == kind and each.currency == currency]
        if found:
            return newest(found)
    return None


def newest(prices: Sequence[Price]) -> Price:
    """The newest of some prices, one at least; of equally new ones the lowest."""
    latest = max(_age(each.date) for each in prices)
    return min((each for each in prices if _age(each.date) == latest), key=lambda each: each.amount)


def _age(date: str) -> str:
    """Text that sorts by date; an undated price before all others, a year before its months."""
    return "" if date == UNDATED else date
