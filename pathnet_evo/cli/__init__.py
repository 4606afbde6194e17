"""The command line: ``pathnet-evo``, one file a command."""

from __future__ import annotations

import errno
import os
import signal
import sys
import warnings
from functools import cache
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from pathnet_evo.cli import (
    check,
    compare,
    export,
    learn,
    new,
    options,
    play,
    plugins,
    presets,
    report,
    resume,
    rm,
    run,
    runs,
    schema,
    sweep,
    watch,
)
from pathnet_evo.cli.mistakes import in_one_line, unknown
from pathnet_evo.cli.status import Status
from pathnet_evo.cli.terminal import say
from pathnet_evo.errors import UserError, UserNotice
from pathnet_evo.system import standard_streams
from pathnet_evo.values.encodings import in_words
from pathnet_evo.values.names import visible

PROGRAM = "pathnet-evo"

UNREADABLE = (errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.ELOOP, errno.EIO, errno.ESTALE)
"""What a path of the user's can be refused for wherever it is used; anything else is a bug."""

_with_place = warnings.formatwarning


def show_version(wanted: bool) -> None:
    """Print the version, and stop."""
    if wanted:
        from importlib.metadata import version

        say(f"{PROGRAM} {version(PROGRAM)}")
        raise typer.Exit


class Commands(TyperGroup):
    """Built-in commands and those of plugins, which load only on demand.

    A command line that is wrong is a ``UserError``, in one line that names what is nearest.
    """

    def make_context(self, *arguments: Any, **extra: Any) -> Any:
        """Parse the program's own options."""
        with in_one_line():
            return super().make_context(*arguments, **extra)

    def invoke(self, ctx: Any) -> Any:
        """Parse a command's arguments, and run it."""
        with in_one_line():
            return super().invoke(ctx)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that the first argument names."""
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            known = self.list_commands(ctx)
            raise UserError(unknown(f"such command {args[0]!r}", args[0], known))
        return super().resolve_command(ctx, args)

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
    name=PROGRAM,
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.callback()
def options_of_the_program(
    version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=show_version, help="Print the version."),
    ] = False,
) -> None:
    """Learn a sequence of tasks without forgetting, by evolving paths through one network."""


for command in (
    run.run,
    resume.resume,
    learn.learn,
    sweep.sweep,
    runs.runs,
    rm.rm,
    check.check,
    report.report,
    watch.watch,
    compare.compare,
    play.play,
    export.export,
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
    sys.exit(status or (Status.FAILED if lost else Status.SUCCESS))


def _status() -> int:
    """Run a command; its exit status."""
    try:
        app(prog_name=PROGRAM)
    except SystemExit as end:
        if isinstance(end.code, str):
            say(end.code, err=True)
        failed = Status.SUCCESS if end.code is None else Status.FAILED
        return end.code if isinstance(end.code, int) else failed
    except UserError as error:
        say(error, err=True)
        return Status.MISTAKE
    except UnicodeEncodeError as error:
        say(in_words(error), err=True)
        return Status.MISTAKE
    except BrokenPipeError:
        return Status.FAILED
    except OSError as error:
        if error.errno not in UNREADABLE or not isinstance(error.filename, str | bytes):
            raise
        say(f"{os.fsdecode(error.filename)}: cannot be read ({error.strerror})", err=True)
        return Status.MISTAKE
    except KeyboardInterrupt:
        return Status.SIGNAL + signal.SIGINT
    return Status.SUCCESS


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
