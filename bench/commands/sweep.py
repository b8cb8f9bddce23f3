"""`pinchpoint sweep`: measure many points and report on them."""

from typing import Any

import click

from bench import axes
from bench.commands import _ceilings, _inputs, _measure, _options
from bench.spec import SETTINGS, read, shipped

_EPILOG = """
\b
VALUES are one value, a list (1,4,16) or a range:
  1-32*2 doubles from 1 to 32, 128-1024+128 steps by 128.
\b
Examples:
  pinchpoint sweep                          the shipped sweep `quick`
  pinchpoint sweep full --resume            go on where a sweep stopped
  pinchpoint sweep ci -b 1,8 -o csv >a.csv  another grid, results as CSV
  pinchpoint sweep mine.toml --dry-run      points, memory, and a rough time
"""


@click.command(epilog=_EPILOG)
@click.argument("spec_name", metavar="[SPEC]", default="quick")
@_options.axis_options(several=True)
@_options.setting_options
@_options.corpus
@_inputs.options
@_options.output_dir
@_options.output
@_options.quiet
@_options.resume
@_ceilings.option
@click.option("--dry-run", is_flag=True, help="print the points, the expected memory and a rough time; measure nothing")
def command(spec_name: str, **flags: Any) -> int:
    """Measure the points of SPEC (a shipped sweep or a TOML file) and report on them."""
    chosen = read(spec_name, _options.given(flags, axes.AXES), _options.given(flags, SETTINGS))
    return _measure.measure(chosen, flags, with_report=True)


command.help = f"{command.help} Shipped: {', '.join(shipped())}."
