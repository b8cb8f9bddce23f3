"""`pinchpoint export`: complete records for other tools."""

import click

from bench.commands import _output, _read

_EPILOG = """
\b
Examples:
  pinchpoint export pinchpoint-results > records.jsonl
  pinchpoint export pinchpoint-results -o csv --run all
  pinchpoint export before/ -o pytest-benchmark > before.json
"""


@click.command(epilog=_EPILOG)
@click.argument("stores", metavar="STORE...", nargs=-1, required=True)
@_read.run_option
@click.option(
    "-o",
    "--output",
    type=click.Choice(("jsonl", "json", "csv", "sql", "pytest-benchmark")),
    default="jsonl",
    show_default=True,
    help="jsonl and json are complete, with raw samples; csv and sql are one flat row a record; pytest-benchmark is "
    "the JSON that its `compare` reads",
)
@click.option("--with-host-names", is_flag=True, help="keep the names of machines, which are left out otherwise")
def command(stores: tuple[str, ...], run: str, output: str, with_host_names: bool) -> int:
    """Print the records of STOREs on stdout."""
    records, title = _read.records(stores, run)
    if output in {"jsonl", "json"}:
        click.echo(_output.exported(records, output, with_names=with_host_names), nl=False)
    elif output == "pytest-benchmark":
        from reports import render_pytest_benchmark

        click.echo(render_pytest_benchmark.render(records, with_names=with_host_names), nl=False)
    else:
        _output.show(records, title, output)
    return 0
