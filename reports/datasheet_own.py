"""A user's own catalogue laid over the one that comes with pinchpoint: devices and prices, overridden or added."""

import difflib
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from bench.errors import UserError
from reports.catalogue import Catalogue

_GROUPS = ("peaks", "memory", "power", "host_link", "peer_link")


def laid_over(catalogue: Catalogue, own: dict[str, Any], name: str) -> dict[str, Any]:
    """The tables of both, still to be checked. `name` is that of the own file, as errors tell it.

    Raises `UserError` for what only the own file can have wrong.
    """
    if unknown := set(own) - {"sources", "device", "price"}:
        raise _wrong(name, f"'{min(unknown)}' is no table of it; there are sources, device and price")
    devices, loose = (_list_of_tables(own, key, name) for key in ("device", "price"))
    sources = own.get("sources", {})
    if not isinstance(sources, dict):
        raise _wrong(name, "sources is a table, one entry for each source")
    for index, entry in enumerate(devices, 1):
        if not isinstance(entry.get("name"), str):
            raise _wrong(name, f"device {index} has no name")
    for device, times in Counter(each["name"] for each in devices).items():
        if times > 1:
            raise _wrong(name, f"{device} is there {times} times")

    key_of = {key: f"{name}: {key}" for key in sources}
    known = _raw(asdict(catalogue))
    merged = {each["name"]: each for each in known["device"]}
    for entry in devices:
        merged[entry["name"]] = _overridden(merged.get(entry["name"], {}), _renamed(entry, key_of, name))
    by_device: dict[str, list[dict[str, Any]]] = {}
    for entry in loose:
        priced = str(entry.get("device"))
        if priced not in merged:
            raise _wrong(name, f"price: the device '{priced}' is not in the catalogue{_nearest(priced, merged)}")
        by_device.setdefault(priced, []).append({key: each for key, each in entry.items() if key != "device"})
    for device, prices in by_device.items():
        renamed = _renamed({"name": device, "price": prices}, key_of, name)
        merged[device] = _overridden(merged[device], renamed)
    return {
        "sources": known["sources"] | {key_of[key]: each for key, each in sources.items()},
        "device": list(merged.values()),
    }


def _wrong(name: str, told: str) -> UserError:
    return UserError(f"The catalogue {name} is wrong: {told}.", "Mend that entry.")


def _nearest(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(known), n=3, cutoff=0.5)
    return f"; the nearest names are {', '.join(close)}" if close else ""


def _list_of_tables(own: dict[str, Any], key: str, name: str) -> list[dict[str, Any]]:
    found = own.get(key, [])
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise _wrong(name, f"{key} is a list of tables: write [[{key}]]")
    return found


def _raw(value: Any) -> Any:
    """Tables as TOML has them: without the keys that nobody gave."""
    if isinstance(value, dict):
        return {key: _raw(each) for key, each in value.items() if each is not None and each != ()}
    return [_raw(each) for each in value] if isinstance(value, tuple) else value


def _renamed(entry: dict[str, Any], key_of: dict[str, str], name: str) -> dict[str, Any]:
    """The device with the keys of the own file's sources made its own, so that no two files share one."""

    def renamed(title: str, group: Any) -> Any:
        if not isinstance(group, dict) or not isinstance(group.get("sources"), list):
            return group
        for key in group["sources"]:
            if key not in key_of:
                raise _wrong(name, f"{title} of {entry['name']} names the source '{key}', which is not in this file")
        return group | {"sources": [key_of[key] for key in group["sources"]]}

    changed = {title: renamed(title, entry[title]) for title in _GROUPS if title in entry}
    if isinstance(entry.get("price"), list):
        changed["price"] = [renamed("price", price) for price in entry["price"]]
    return entry | changed


def _overridden(before: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """`before` with the figures of `own`; a group's sources are both where some of its figures stay."""
    merged = before | own
    for title in _GROUPS:
        old, new = before.get(title), own.get(title)
        if not isinstance(old, dict) or not isinstance(new, dict):
            continue
        stays = set(old) - set(new) - {"sources"}
        sources = new.get("sources")
        merged[title] = old | new
        if stays and isinstance(sources, list):
            merged[title]["sources"] = [*sources, *(key for key in old["sources"] if key not in sources)]
        elif sources is None:
            del merged[title]["sources"]
    old_prices, new_prices = before.get("price"), own.get("price")
    if isinstance(old_prices, list) and isinstance(new_prices, list):
        replaced = {each.get("kind") for each in new_prices if isinstance(each, dict)}
        merged["price"] = [*(each for each in old_prices if each["kind"] not in replaced), *new_prices]
    return merged
