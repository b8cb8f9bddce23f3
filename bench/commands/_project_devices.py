"""The devices that `pinchpoint project` is asked about: from `--to` and `--catalogue`."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import UserError

if TYPE_CHECKING:
    from reports.catalogue import Catalogue, Device
    from reports.projection.ranking import Criterion

KINDS = ("data-center", "workstation", "consumer", "system", "soc", "processor")
ALL, HERE, USUAL = "all", "here", "data-center"
#: A number, an x and a space: "7900 xtx" is a name.
_COUNTED = re.compile(r"(\d{1,6})\s*[x×]\s+(\S.*)", re.IGNORECASE)
#: Devices of a replica: more of them stand in several servers, and nothing of that kind was measured.
MOST_TOGETHER = 8


@dataclass(frozen=True)
class Place:
    """A device to project to; `count` of it serve a replica together, or as many as it takes where that is None."""

    device: "Device"
    count: int | None = None


def catalogue(own: Sequence[Path]) -> "Catalogue":
    """The devices that come with pinchpoint, with each of the user's files laid over them."""
    from reports import datasheets

    found = datasheets.shipped()
    for path in own:
        found = datasheets.with_own(found, path)
    return found


def places(known: "Catalogue", text: str | None, here: "Device | None" = None) -> tuple[tuple[Place, ...], int]:
    """What `--to` names, and how many devices of a whole group were left out for want of figures.

    Its parts are by commas: a device, as `datasheet_lookup.named` reads it, `4x` before one, or a group: `all`, a kind,
    a vendor, a vendor and a kind, or `here`: the device that a store was measured on, which is looked at too where
    nothing is named. Raises `UserError` for an empty part, a device that there is not, a count that
    cannot be, and a group without a device.
    """
    if text is None:
        text = f"{HERE},{USUAL}" if here and has_figures(here) else USUAL
    parts = [part.strip() for part in text.split(",")]
    if not all(parts):
        raise UserError(f"--to '{text}' has an empty part.", 'Name devices by single commas: --to "h100 sxm,l40s".')
    found: dict[Place, None] = {}
    lacking = 0
    for part in parts:
        if part.casefold() == HERE:
            if here is None:
                raise UserError("--to here is the device of a STORE.", "Name a STORE whose device is known.")
            found[Place(here)] = None
            continue
        group = _group(known, part)
        if group is None:
            found[_one(known, part)] = None
            continue
        able = [device for device in group if has_figures(device)]
        if not able:
            raise UserError(
                f"No device of '{part}' has a peak, a memory size and a bandwidth in the catalogue.",
                "Name others, or add the figures in a file: --catalogue.",
            )
        found |= dict.fromkeys(map(Place, able))
        lacking += len(group) - len(able)
    return tuple(found), lacking


def has_figures(device: "Device") -> bool:
    """Whether the catalogue has what a projection needs of it."""
    memory = device.memory
    return bool(device.peaks and memory and memory.size_B and memory.bandwidth_B_per_s)


def _group(known: "Catalogue", part: str) -> "list[Device] | None":
    """The devices of a vendor, a kind, or both; None where the words say something else."""
    words = part.casefold().split()
    vendors = {device.vendor.casefold() for device in known.device}
    if not all(word in (ALL, *KINDS) or word in vendors for word in words):
        return None
    return [
        device for device in known.device if all(word in (ALL, device.kind, device.vendor.casefold()) for word in words)
    ]


def _one(known: "Catalogue", part: str) -> Place:
    from reports import datasheet_lookup

    counted = _COUNTED.fullmatch(part)
    if counted is None:
        return Place(datasheet_lookup.named(known, part))
    count = int(counted[1])
    if not 1 <= count <= MOST_TOGETHER:
        raise UserError(
            f"'{part}' asks for {count} devices that serve a replica together.",
            f"Give 1 to {MOST_TOGETHER}: what several servers do together was not measured; --demand counts replicas.",
        )
    return Place(datasheet_lookup.named(known, counted[2]), count)


def check_currency(devices: "Sequence[Device]", criterion: "Criterion", currency: str) -> None:
    """Raises `UserError` where a device has prices of the kind that is ranked by, and none in `currency`."""
    from reports.answer_words import some
    from reports.prices import OWNED, RENTED

    kinds = {"owned cost": OWNED, "rented cost": RENTED}.get(criterion, ())
    wrong: dict[str, set[str]] = {}
    for device in devices:
        currencies = {price.currency for price in device.price if price.kind in kinds}
        if currencies and currency not in currencies:
            wrong[device.name] = currencies
    if wrong:
        others = sorted(set().union(*wrong.values()))
        raise UserError(
            f"The prices of {some(list(wrong))} are in {' and '.join(others)}, the answer is in {currency}; nothing "
            "is converted.",
            f"Give them in {currency} in a --catalogue of your own, or all others in {others[0]} with --set "
            f"currency={others[0]}; --criterion speed needs none.",
        )
