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
    play,
    plugins,
    presets,
    report,
    resume,
    run,
    watch,
)
from pathnet_evo.cli.terminal import say
from pathnet_evo.errors import UserError, UserNotice
from pathnet_evo.system import standard_streams
from pathnet_evo.values.encodings import in_words
from pathnet_evo.values.names import visible

_with_place = warnings.formatwarning


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
    plugins.plugins,
    presets.presets,
):
    app.command()(command)


def main() -> None:
    """Run a command; a user's mistake is one line a problem and status 2, no traceback.

    A reader that goes away, as ``head`` does, changes nothing; output that cannot be written for
    another reason is reported, with status 1 where all else went well.
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
    """A warning as text: the sentence alone where it is meant for users."""
    alone = issubclass(category, UserNotice)
    text = f"{message}\n" if alone else _with_place(message, category, filename, lineno, line)
    return visible(text)
