"""The command line: ``pathnet-evo``, one file a command."""

from __future__ import annotations

import sys

import typer

from pathnet_evo.cli import plugins, presets, report, run
from pathnet_evo.errors import UserError

app = typer.Typer(
    name="pathnet-evo",
    help="Learn a sequence of tasks without forgetting, by evolving paths through one network.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (run.run, report.report, plugins.plugins, presets.presets):
    app.command()(command)


def main() -> None:
    """Run a command; a user's mistake is one line a problem and status 2, no traceback."""
    try:
        app()
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
