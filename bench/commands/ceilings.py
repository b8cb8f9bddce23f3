"""`pinchpoint ceilings`: what this machine can do at most."""

import json
from typing import TYPE_CHECKING

import click

from bench.commands import _options

if TYPE_CHECKING:
    from bench.ceilings import Measured
    from bench.commands._datasheet import Datasheet

#: Load per core from which the figures are doubted: half a core's worth of others shows in two-threaded products.
BUSY = 0.5
#: Beside a datasheet's column labels fold after `one-row product,`, and on a narrow terminal the share stands below the
#: datasheet's figure: so 20 of 80 columns are left for the kernel, and the shape of its product stays whole.
LABEL_WIDTH, WIDE = 16, 100

_EPILOG = """
\b
Examples:
  pinchpoint ceilings               measured once, then kept for 30 days
  pinchpoint ceilings --refresh     measured again, in about a minute
  pinchpoint ceilings --threads 1   what one thread can do
  pinchpoint ceilings -o json       with every interval, for scripts
"""


@click.command(epilog=_EPILOG)
@_options.axis_options("device", "threads", several=False)
@click.option("--refresh", is_flag=True, help="measure again, however young the last ceilings are")
@click.option(
    "-o", "--output", type=click.Choice(("table", "json")), default="table", show_default=True, help="what is printed"
)
@_options.quiet
def command(device: str | None, threads: str | None, refresh: bool, output: str, quiet: bool) -> int:
    """Measure what this machine can do at most: products, memory, caches, calls, transfers, text, disk, ranks.

    These are the ceilings that a model's speed is judged against. Leave the machine alone meanwhile. Where the device
    is known, the datasheet's figure stands beside, and the share of it that was reached.
    """
    from bench import axes, host
    from bench.ceilings import _cache, _gather
    from bench.commands import _ceilings, _datasheet

    chosen = str(axes.find("device").parse(device or "auto"))
    asked = axes.find("threads").parse(threads or "auto")
    with _ceilings.progress(quiet=quiet) as notify:
        measured, unkept = _gather.obtain(
            chosen, host.usable_cores() if asked == "auto" else int(asked), refresh=refresh, notify=notify
        )
    if measured.load_1min is not None and measured.load_1min > BUSY * host.usable_cores():
        click.echo(
            f"pinchpoint: the machine was busy (load {measured.load_1min}), so these ceilings may be too low.\n"
            "  Measure again when it is quiet: pinchpoint ceilings --refresh.",
            err=True,
        )
    if unkept is not None:
        click.echo(f"pinchpoint: the ceilings could not be kept: {unkept}", err=True)
    datasheet = _datasheet.look_up(measured)
    if output == "json":
        kept = json.loads(_cache.to_json(measured))
        click.echo(json.dumps(kept | {"datasheet": datasheet.as_json()}, indent=2, ensure_ascii=False))
    else:
        _print(measured, datasheet)
    some = any(figure.value is not None for figures in measured.ceilings.values() for figure in figures.values())
    return 0 if some else 3


def _print(measured: "Measured", datasheet: "Datasheet") -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from bench import units

    console = Console(highlight=False)
    console.print(
        f"{measured.host}; {measured.threads} threads, device {measured.device}", markup=False, soft_wrap=True
    )
    console.print(f"Measured at {measured.measured_at}. {datasheet.in_words()}\n", markup=False)
    known = bool(datasheet.promises)
    between = ", " if console.width >= WIDE else ",\n"
    table = Table(box=None, pad_edge=False)
    table.add_column("ceiling", overflow="fold", max_width=LABEL_WIDTH if known else None)
    table.add_column("measured [95 % interval]", overflow="fold", no_wrap=known)
    if known:
        table.add_column(f"datasheet{between}reached", no_wrap=True)
    table.add_column("how", overflow="fold")
    for ceiling, figures in measured.ceilings.items():
        for name, each in figures.items():
            shown = units.interval(each.value, each.low, each.high, each.unit)
            promised = [between.join(datasheet.beside(ceiling, name))] if known else []
            table.add_row(each.label, shown, *promised, escape(each.how or each.reason or ""))
    console.print(table)
