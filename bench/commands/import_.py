"""`pinchpoint import`: what other tools measured, as a run of a store."""

from pathlib import Path

import click

from bench import importers
from bench.commands import _options

_EPILOG = """
\b
Examples:
  pinchpoint import benchmark.json                then: pinchpoint report
  pinchpoint import .benchmarks/*/*.json --output-dir past
  pinchpoint import --format pytest-benchmark benchmark.json
  llama-bench -m model.gguf -o json > llama.json; pinchpoint import llama.json
  pinchpoint compare old.json new.json            files of these tools, without a store
"""


@click.command(name="import", epilog=_EPILOG)
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--format", "chosen", type=click.Choice(importers.names()), default=None, help="default: by its content")
@_options.output_dir
@_options.quiet
def command(files: tuple[Path, ...], chosen: str | None, output_dir: Path, quiet: bool) -> int:
    """Keep what FILEs of other tools hold as runs of a store, one a file: for reports, comparisons and trends.

    All files are read before anything is kept, so that one that is refused leaves the store as it was.
    """
    from bench.opening import open_store
    from bench.store import Run

    read = [(path, importers.read(path, chosen)) for path in files]
    with open_store(str(output_dir), create=True) as store:
        known = {run.run for run in store.runs()}
        for path, records in sorted(read, key=lambda each: each[1][0].started_at):
            first = records[0]
            if first.run in known:
                if not quiet:
                    click.echo(f"pinchpoint: {path} is there already, as run {first.run}.", err=True)
                continue
            known.add(first.run)
            store.add_run(Run(first.run, path.stem[:200], first.started_at, (), {}, "", first.host))
            for record in records:
                for block in record.blocks:
                    store.add_block(record.run, record.point, block)
                store.put_record(record)
            click.echo(f"{path}: {len(records)} benchmark{'s' * (len(records) > 1)}, run {first.run}")
    return 0
