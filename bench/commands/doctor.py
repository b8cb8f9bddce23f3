"""`pinchpoint doctor`: what can be measured on this machine, what is set that harms it, and why not the rest."""

import json as json_module
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_EPILOG = """
\b
Example:
  pinchpoint doctor
"""

#: Settings of the machine, in the words of the table.
_SETTINGS = {
    "cpu_governor": "frequency governor",
    "cpu_max_Hz": "fastest clock",
    "turbo": "turbo",
    "smt": "hyper-threads (SMT)",
    "virtual_machine": "virtual machine",
    "cores_allowed": "cores allowed",
    "cpu_quota_cores": "quota of cores",
    "numa_nodes": "NUMA nodes",
    "transparent_huge_pages": "transparent huge pages",
    "swap_used_B": "swap in use",
    "swappiness": "swappiness",
    "aslr": "address randomization",
    "allocator": "allocator",
    "thread_settings": "OpenMP and MKL settings",
}
#: What None says of these: they are not set. Of the others it says that they cannot be read.
_OPTIONAL = ("cpu_quota_cores", "thread_settings")


@click.command(epilog=_EPILOG)
@click.option("--json", "as_json", is_flag=True, help="print it as JSON")
def command(as_json: bool) -> int:
    """Show what this machine is, what can be run and read here, why the rest cannot, and what to change."""
    from dataclasses import asdict

    from rich.console import Console

    from bench import environment, host
    from bench.executors.local import inspect

    facts = {name: value for name, value in host.describe().items() if name not in host.PRIVATE}
    with Console(stderr=True).status("Trying what can be run here; with a GPU this takes a minute or two."):
        found = inspect()
    readable = environment.readable()
    advice = environment.warnings(facts | {"threads": facts["cores"]})
    if as_json:
        content = {"host": facts, "readable": readable, "advice": [asdict(each) for each in advice], **found}
        click.echo(json_module.dumps(content, indent=2))
        return 0
    _print(facts, found, readable, [f"{each.message} {each.remedy}" for each in advice])
    return 0


def _print(facts: dict[str, Any], found: dict[str, Any], readable: Mapping[str, str | None], advice: list[str]) -> None:
    from rich.console import Console
    from rich.markup import escape

    console = Console(highlight=False)
    _print_machine(console, facts, found)
    for name, device in found["devices"].items():
        console.print()
        console.print(_device_table(name, device))
    watched = _table("While something is measured", "can", "why not")
    for name, reason in readable.items():
        watched.add_row(f"watch {name}", *_answer(reason))
    console.print()
    console.print(watched)
    settings = _table("What is set", "value")
    for key, name in _SETTINGS.items():
        settings.add_row(name, escape(_setting(key, facts[key])))
    console.print()
    console.print(settings)
    console.print()
    if not advice:
        console.print("Nothing that can be read here needs to be changed.", markup=False)
    for sentence in advice:
        console.print(f"To change: {sentence}", markup=False)


def _print_machine(console: "Console", facts: dict[str, Any], found: dict[str, Any]) -> None:
    from bench import nvml, units

    console.print(
        f"{facts['cpu']}, {facts['cores']} of {facts['cores_of_machine']} cores, "
        f"{units.quantity(facts['memory_B'], 'B')} of memory; "
        f"{facts['accelerator'] or 'no GPU'}; {facts['os']}",
        markup=False,
    )
    console.print(
        f"Python {facts['python']}, torch {found['torch']}"
        f" ({'CUDA ' + found['cuda'] if found['cuda'] else 'built without CUDA'}); fingerprint {facts['fingerprint']}",
        markup=False,
    )
    if reason := nvml.why_no_gpu():
        console.print(f"No NVIDIA GPU can be read: {reason}", markup=False)


def _device_table(name: str, device: dict[str, Any]) -> "Table":
    table = _table(f"{name} ({device['name']})", "can", "why not")
    for format_, reasons in device["formats"].items():
        if reasons["train"] == reasons["prefill"]:
            table.add_row(f"run in {format_}", *_answer(reasons["train"]))
        else:
            table.add_row(f"train in {format_}", *_answer(reasons["train"]))
            table.add_row(f"infer in {format_}", *_answer(reasons["prefill"]))
    table.add_row("compile models", *_answer(device["compile"]))
    for probe, reason in device["probes"].items():
        table.add_row(f"read {probe.replace('_', ' ')}", *_answer(reason))
    return table


def _table(title: str, *columns: str) -> "Table":
    """A plain table whose first column names things and whose last one folds."""
    from rich.table import Table

    table = Table(title=title, title_justify="left", expand=False, box=None, pad_edge=False)
    table.add_column("", no_wrap=True)
    for column in columns[:-1]:
        table.add_column(column, no_wrap=True)
    table.add_column(columns[-1], overflow="fold")
    return table


def _setting(key: str, value: Any) -> str:
    from bench import units

    if value is None:
        return "none" if key in _OPTIONAL else "cannot be read here"
    unit = key.rpartition("_")[2]
    return (
        units.quantity(value, unit) if unit in ("B", "Hz") else f"{value:g}" if isinstance(value, float) else str(value)
    )


def _answer(reason: str | None) -> tuple[str, str]:
    from rich.markup import escape

    return ("yes", "") if reason is None else ("no", escape(reason))
