"""`pinchpoint workflow`: a workflow for a CI system, with comments that say what to adapt."""

from importlib.resources import files

import click

_FOLDER = "bench.workflows"
_EPILOG = """
\b
Examples:
  pinchpoint workflow github > .github/workflows/performance.yml
  pinchpoint workflow gitlab >> .gitlab-ci.yml
"""


def shipped() -> tuple[str, ...]:
    """Names of the CI systems that a workflow ships for."""
    return tuple(sorted(entry.name[:-4] for entry in files(_FOLDER).iterdir() if entry.name.endswith(".yml")))


@click.command(epilog=_EPILOG)
@click.argument("system", type=click.Choice(shipped()))
def command(system: str) -> int:
    """Print a workflow for a CI SYSTEM: a gate for each change, a trend every night, and comments on what to adapt."""
    click.echo((files(_FOLDER) / f"{system}.yml").read_text(encoding="utf-8"), nl=False)
    return 0
