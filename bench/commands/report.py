"""`pinchpoint report`: make the report again, from one store or several."""

from pathlib import Path

import click

from bench.commands import _options, _output, _read

_EPILOG = """
\b
Examples:
  pinchpoint report pinchpoint-results        report.html, .md and .csv there
  pinchpoint report laptop/ server.sqlite --output-dir both
  pinchpoint report pinchpoint-results -o md  Markdown on stdout, no files
"""


@click.command(epilog=_EPILOG)
@click.argument("stores", metavar="STORE...", nargs=-1, required=True)
@_read.run_option
@click.option("-o", "--output", type=click.Choice(_options.FORMATS), default=None, help="print this instead of files")
@click.option(
    "--output-dir",
    type=click.Path(path_type=Path),
    default=None,
    metavar="FOLDER",
    help="where the files go (default: beside the first store)",
)
def command(stores: tuple[str, ...], run: str, output: str | None, output_dir: Path | None) -> int:
    """Make one report from STOREs: folders of sweeps, .sqlite files or SQLAlchemy URLs."""
    paged = output in (None, "md", "html")
    comparisons = _read.comparisons(stores) if paged else []
    records, title = _read.records(stores, run, needed=not comparisons)
    past = _read.past(stores) if paged else []
    if output is not None:
        _output.show(records, title, output, comparisons, past)
        return 0
    folder = output_dir or _read.folder_of(stores[0])
    click.echo(f"Report: {_output.write_report(records, title, folder, comparisons, past)}")
    return 0
