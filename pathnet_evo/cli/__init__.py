"""The command line: ``pathnet-evo``, one file a command."""

from __future__ import annotations

import sys
import warnings
from functools import cache
from typing import Any

import typer
from typer.core import TyperGroup

from pathnet_evo.cli import (
    check,
    compare,
    new,
    options,
    play,
    plugins,
    presets,
    report,
    resume,
    run,
    schema,
    watch,
)
from pathnet_evo.cli.terminal import say
from pathnet_evo.errors import UserError, UserNotice
from pathnet_evo.system import standard_streams
from pathnet_evo.values.encodings import in_words
from pathnet_evo.values.names import visible

_with_place = warnings.formatwarning


class Commands(TyperGroup):
    """Built-in commands and those of plugins, which load only on demand."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """A command by its name, or None."""
        return super().get_command(ctx, cmd_name) or self._others().get(cmd_name)

    def list_commands(self, ctx: Any) -> list[str]:
        """The names of all commands, built-in ones first."""
        return [*super().list_commands(ctx), *sorted(self._others())]

    @cache  # noqa: B019 - there is one of these a process
    def _others(self) -> dict[str, Any]:
        from pathnet_evo.plugins.registry import Registry

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
    presets.presets,
    options.options,
    plugins.plugins,
    schema.schema,
):
    app.command()(command)


def main() -> None:
    """Run a command; report a user's mistakes one per line with status 2 and no traceback.

    A closed pipe, as with ``head``, changes nothing. Output that cannot be written for another
    reason is reported, with status 1 if everything else succeeded.
    """
    standard_streams.endure()
    warnings.formatwarning = _shown
    status = _status()
    if lost := standard_streams.lost():
        say(f"standard output: cannot be written ({lost})", err=True)
    sys.exit(status or int(lost is not None))


def _status() -> int:
    """Run a command; its exit status."""
    try:
        app()
    except SystemExit as end:
        if isinstance(end.code, str):
            say(end.code, err=True)
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except UserError as error:
        say(error, err=True)
        return 2
    except UnicodeEncodeError as error:
        say(in_words(error), err=True)
        return 2
    except BrokenPipeError:
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _shown(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    line: str | None = None,
) -> str:
    """A warning as text; warnings meant for users are just the sentence."""
    alone = issubclass(category, UserNotice)
    text = f"{message}\n" if alone else _with_place(message, category, filename, lineno, line)
    return visible(text)
