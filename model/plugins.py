"""Finds the parts of a kind (architectures, workloads, probes, ...) by file name, and other people's by entry point.

A file `bench/probes/power_amd.py` is the probe `power_amd`; a package that declares the entry point
`power_amd = "their.module"` in the group `pinchpoint.probes` adds one without touching this repository.
Standard library only.
"""

import importlib
import pkgutil
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from types import ModuleType

from model.errors import UserError


def _own(package: str) -> list[str]:
    found = find_spec(package)  # the folder alone: importing bench.workloads would import torch
    path = found.submodule_search_locations if found else None
    return sorted(module.name for module in pkgutil.iter_modules(path) if not module.name.startswith("_"))


def _foreign(package: str) -> dict[str, EntryPoint]:
    group = f"pinchpoint.{package.rpartition('.')[2]}"
    return {point.name: point for point in entry_points(group=group)}


def names(package: str) -> tuple[str, ...]:
    """Names of every part in `package`, our own first, without importing any of them."""
    own = _own(package)
    return (*own, *sorted(set(_foreign(package)) - set(own)))


def load(package: str, name: str) -> ModuleType:
    """Import the part `name` of `package`. Raises `UserError` where there is none of that name."""
    if name in _own(package):
        return importlib.import_module(f"{package}.{name}")
    foreign = _foreign(package)
    if name not in foreign:
        kind = package.rpartition(".")[2]
        raise UserError(f"There is no '{name}' among the {kind}.", f"Choose one of: {', '.join(names(package))}.")
    module = foreign[name].load()
    if not isinstance(module, ModuleType):
        raise UserError(f"The entry point '{name}' is not a module.", f"Let it name a module: {foreign[name].value}.")
    return module
