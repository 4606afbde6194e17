"""The command line: ``pathnet-evo``, one file a command."""

from __future__ import annotations

import sys
from functools import cache
from typing import Any

import typer
from typer.core import TyperGroup

from pathnet_evo.cli import (
    check,
    compare,
    new,
    play,
    plugins,
    presets,
    report,
    resume,
    run,
    watch,
)
from pathnet_evo.cli.terminal import outlasting, say
from pathnet_evo.errors import UserError


class Commands(TyperGroup):
    """Our commands and those of plugins, which are loaded only when they are asked for."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """A command by its name; None where there is none."""
        return super().get_command(ctx, cmd_name) or self._others().get(cmd_name)

    def list_commands(self, ctx: Any) -> list[str]:
        """The names of all commands, ours first."""
        return [*super().list_commands(ctx), *sorted(self._others())]

    @cache  # noqa: B019 - there is one of these a process
    def _others(self) -> dict[str, Any]:
        from pathnet_evo.plugins import Registry

        return Registry().commands(taken=self.commands)


app = typer.Typer(
    name="pathnet-evo",
    cls=Commands,
    help="Learn a sequence of tasks without forgetting, by evolving paths through one network.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (
    run.run,
    resume.resume,
    check.check,
    report.report,
    watch.watch,
    compare.compare,
    play.play,
    new.new,
    plugins.plugins,
    presets.presets,
):
    app.command()(command)


def main() -> None:
    """Run a command; a user's mistake is one line a problem and status 2, no traceback."""
    with outlasting():
        try:
            app()
        except UserError as error:
            say(error, err=True)
            sys.exit(2)
        except KeyboardInterrupt:
            sys.exit(130)
