"""`pinchpoint run`: measure one point."""

from typing import Any

import click

from bench import axes
from bench.commands import _ceilings, _inputs, _measure, _options
from bench.errors import UserError
from bench.spec import SETTINGS, parse

_EPILOG = """
\b
Examples:
  pinchpoint run                               train an LSTM of 1 M parameters
  pinchpoint run -s tiny -w decode -b 8 -n 32  generate 8 times 32 tokens
  pinchpoint run -w prefill --precision amp-bf16 -o json
  pinchpoint run -a classifier -w classify --labels reviews.tsv
  pinchpoint run -a hf --model my-llama/ -w decode
"""


@click.command(epilog=_EPILOG)
@_options.axis_options(several=False)
@_options.setting_options
@_options.corpus
@_inputs.options
@_options.output_dir
@_options.output
@_options.quiet
@_options.resume
@_ceilings.option
@click.option("--dry-run", is_flag=True, help="print the expected memory and a rough time; measure nothing")
def command(**flags: Any) -> int:
    """Measure one point and print it."""
    chosen = parse("", "run", _options.given(flags, axes.AXES), _options.given(flags, SETTINGS))
    if len(chosen.points) != 1:
        raise UserError(f"`run` measures one point; these flags name {len(chosen.points)}.", "Use `pinchpoint sweep`.")
    return _measure.measure(chosen, flags, with_report=False)
