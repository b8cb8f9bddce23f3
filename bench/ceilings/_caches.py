"""Sizes of the processor's caches, as Linux tells them."""

from pathlib import Path

_CPU0 = Path("/sys/devices/system/cpu/cpu0/cache")
_UNITS = {"K": 2**10, "M": 2**20, "G": 2**30}


def sizes_B(folder: Path = _CPU0) -> dict[int, int]:
    """Bytes of one instance of each level's data (or unified) cache, as the first core sees it; empty where unknown."""
    found = {}
    for index in sorted(folder.glob("index*")):
        try:
            kind, level, size = ((index / name).read_text().strip() for name in ("type", "level", "size"))
        except OSError:
            continue
        if kind != "Instruction" and size[-1:] in _UNITS:
            found[int(level)] = int(size[:-1]) * _UNITS[size[-1]]
    return found
