"""`pinchpoint doctor`: what can be measured on this machine, and why not the rest."""

import json as json_module
from typing import Any

import click

_EPILOG = """
\b
Example:
  pinchpoint doctor
"""


@click.command(epilog=_EPILOG)
@click.option("--json", "as_json", is_flag=True, help="print it as JSON")
def command(as_json: bool) -> int:
    """Show what this machine is, what can be run and read here, and why the rest cannot."""
    from bench import host
    from bench.executors.local import inspect

    facts = {name: value for name, value in host.describe().items() if name not in host.PRIVATE}
    found = inspect()
    if as_json:
        click.echo(json_module.dumps({"host": facts, **found}, indent=2))
        return 0
    _print(facts, found)
    return 0


def _print(facts: dict[str, Any], found: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from bench import nvml, units

    console = Console(highlight=False)
    console.print(
        f"{facts['cpu']}, {facts['cores']} of {facts['cores_of_machine']} cores, "
        f"{units.quantity(facts['memory_B'], 'B')} of memory; "
        f"{facts['accelerator'] or 'no GPU'}; {facts['os']}",
        markup=False,
        soft_wrap=True,
    )
    console.print(
        f"Python {facts['python']}, torch {found['torch']}"
        f" ({'CUDA ' + found['cuda'] if found['cuda'] else 'built without CUDA'}); fingerprint {facts['fingerprint']}",
        markup=False,
        soft_wrap=True,
    )
    if reason := nvml.why_no_gpu():
        console.print(f"No NVIDIA GPU can be read: {reason}", markup=False, soft_wrap=True)
    for name, device in found["devices"].items():
        table = Table(title=f"{name} ({device['name']})", title_justify="left", expand=False, box=None, pad_edge=False)
        table.add_column("", no_wrap=True)
        table.add_column("can", no_wrap=True)
        table.add_column("why not", overflow="fold")
        for format_, reasons in device["formats"].items():
            if reasons["train"] == reasons["prefill"]:
                table.add_row(f"run in {format_}", *_answer(reasons["train"], escape))
            else:
                table.add_row(f"train in {format_}", *_answer(reasons["train"], escape))
                table.add_row(f"infer in {format_}", *_answer(reasons["prefill"], escape))
        table.add_row("compile models", *_answer(device["compile"], escape))
        for probe, reason in device["probes"].items():
            table.add_row(f"read {probe.replace('_', ' ')}", *_answer(reason, escape))
        console.print()
        console.print(table)


def _answer(reason: str | None, escape: Any) -> tuple[str, str]:
    return ("yes", "") if reason is None else ("no", escape(reason))
