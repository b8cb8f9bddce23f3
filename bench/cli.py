"""The command line: finds the commands, and is the one place that prints an error and chooses an exit code.

Exit codes: 0 good; 2 usage, environment or unexpected error; 3 nothing measured; 130 Ctrl-C. 1 is left to a regression.
"""

import errno
import sys
import traceback
from typing import cast

import click

from bench.errors import Unsupported, UserError
from model import plugins

_EPILOG = """
\b
Examples:
  pinchpoint sweep                         the sweep `quick`, then a report
  pinchpoint sweep -s nano,tiny -b 1-16*4  a sweep of your own
  pinchpoint run -w decode -b 8            one point
  pinchpoint report pinchpoint-results     the report again
  pinchpoint doctor                        what can be measured here
"""


class _Commands(click.Group):
    """Commands by file name; each is imported when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_files())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _files():
            return None
        return cast(click.Command, plugins.load("bench.commands", _files()[cmd_name]).command)


def _files() -> dict[str, str]:
    """Command -> file. A word of Python's own cannot be a module's name: `import` is in `import_.py`."""
    return {name.rstrip("_").replace("_", "-"): name for name in plugins.names("bench.commands")}


@click.command(cls=_Commands, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="pinchpoint")
def cli() -> None:
    """Find the hardware bottleneck of a language model on this machine, and measure it honestly."""


def main() -> None:
    """Run the command line and leave with its exit code."""
    sys.exit(_run())


def _run() -> int:  # noqa: PLR0911 - one for each way to end
    try:
        code = cli.main(standalone_mode=False)
    except UserError as error:
        click.echo(f"pinchpoint: {error.message}\n  {error.remedy}", err=True)
        return 2
    except Unsupported as reason:
        click.echo(f"pinchpoint: {reason}\n  `pinchpoint doctor` shows what can be run here.", err=True)
        return 2
    except click.ClickException as error:
        error.show()
        return 2
    except (click.Abort, KeyboardInterrupt):
        click.echo("pinchpoint: stopped.", err=True)
        return 130
    except BrokenPipeError:
        sys.stderr.close()  # whoever read us has gone; nothing is left to say
        return 2
    except SystemExit:
        return 2  # rich leaves with 1 where whoever read us has gone, and 1 means a regression
    except Exception as error:  # noqa: BLE001 - the exit code must not be 1, which means a regression
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            click.echo("pinchpoint: the output cannot be written: no space is left.\n  Free some space.", err=True)
        else:
            click.echo(
                f"{traceback.format_exc()}\npinchpoint: unexpected error; please report it with the above.", err=True
            )
        return 2
    return code if isinstance(code, int) else 0


if __name__ == "__main__":
    main()
