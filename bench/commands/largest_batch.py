"""`pinchpoint largest-batch`: the largest batch that fits into the memory."""

import json
import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from bench import axes
from bench.commands import _inputs, _options
from bench.errors import UserError
from bench.spec import parse

if TYPE_CHECKING:
    from bench.largest_batch import Finder, Trial

_EPILOG = """
\b
Examples:
  pinchpoint largest-batch                           train the smallest LSTM
  pinchpoint largest-batch -a transformer -s small --limit 4GiB
  pinchpoint largest-batch -w decode -p 512 -n 128 --precision amp-bf16
  pinchpoint largest-batch --device cuda -s base -o json
"""

#: What is taken of the free memory, unless a limit is given: others may grow meanwhile.
FREE_SHARE = 0.9

#: What a size in bytes may end in.
_UNITS = {"B": 1, "": 1} | {
    f"{letter}{infix}B": base**power
    for power, letter in enumerate("KMGT", 1)
    for infix, base in (("i", 1024), ("", 1000))
}


class _Bytes(click.ParamType[int]):
    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)", str(value))
        if match is None or match[2] not in _UNITS:
            self.fail(f"'{value}' is no size of memory; write one as 2GiB or 500MB.", param, ctx)
        return int(float(match[1]) * _UNITS[match[2]])


@click.command(epilog=_EPILOG)
@_options.axis_options(several=False)
@_options.corpus
@_inputs.options
@click.option(
    "--limit",
    type=_Bytes(),
    default=None,
    metavar="SIZE",
    help=f"of memory; default: {FREE_SHARE:.0%} of what is free now",
)
@click.option(
    "-o", "--output", type=click.Choice(("table", "json")), default="table", show_default=True, help="what is printed"
)
@_options.quiet
def command(limit: int | None, output: str, quiet: bool, **flags: Any) -> int:
    """Find the largest batch that fits into the memory: predicted first, then tried.

    On the CPU the limit is of the whole process, on a GPU of what torch's allocator takes.
    """
    from bench import host, nvml, planning, units
    from bench.largest_batch import Finder

    chosen = parse("", "largest-batch", _options.given(flags, axes.AXES), {})
    if len(chosen.points) != 1 or flags.get("batch_size") is not None:
        raise UserError(
            "`largest-batch` looks for one batch size.", "Name one value of each axis, and no --batch-size."
        )
    chosen, inputs = _inputs.resolve(chosen, flags)
    (point,) = chosen.points
    on_gpu = planning.on_gpu(point, host.describe())
    if on_gpu:
        device = str(point.axes["device"])
        with nvml.gpu("cuda" if device == "auto" else device) as gpu:
            free = int(gpu.free_memory_bytes())
    else:
        free = host.available_memory_B()
    if limit is not None and limit > free:
        raise UserError(
            f"The limit of {units.quantity(limit, 'B')} is more than the {units.quantity(free, 'B')} that are free.",
            "Give a smaller --limit, or close what fills the memory.",
        )
    corpus = flags["corpus"]
    limit = int(free * FREE_SHARE) if limit is None else limit
    finder = Finder(point, limit, on_gpu, str(corpus.resolve()) if corpus else None, inputs)
    found, trials = finder.find(lambda size: None if quiet else click.echo(f"trying a batch of {size}", err=True))
    if output == "json":
        told = {"largest_batch": found or None, "limit_B": finder.limit_B, "trials": [asdict(each) for each in trials]}
        click.echo(json.dumps(told, indent=2))
    else:
        _print(finder, found, trials)
    return 0 if found else 3


def _print(finder: "Finder", found: int, trials: "list[Trial]") -> None:
    from rich.console import Console
    from rich.table import Table

    from bench import points, units

    console = Console(highlight=False)
    table = Table(box=None, pad_edge=False)
    for heading in ("batch", "predicted", "measured peak"):
        table.add_column(heading, justify="right")
    table.add_column("fits")
    for each in sorted(trials, key=lambda trial: trial.batch_size):
        peak = "—" if each.peak_B is None else units.quantity(each.peak_B, "B")
        answer = "yes" if each.fits else "no" if each.peak_B is not None else "no, out of memory"
        table.add_row(f"{each.batch_size:,}", units.quantity(each.predicted_B, "B"), peak, answer)
    console.print(table)
    limit, what = units.quantity(finder.limit_B, "B"), points.describe(finder.point, [finder.point])
    if not found:
        console.print(f"\nNot even a batch of 1 fits into {limit} ({what}).", markup=False)
        return
    beyond = min((each.batch_size for each in trials if each.batch_size > found), default=None)
    exact = f"{beyond:,} may not fit" if beyond else "the largest that can be asked for"
    console.print(f"\nLargest batch within {limit}: {found:,} ({exact}; {what}).", markup=False, soft_wrap=True)
