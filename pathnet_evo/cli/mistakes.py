"""Mistyped command lines: one line that says what is wrong, and what is nearest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import typer

from pathnet_evo.errors import UserError
from pathnet_evo.values.suggestions import did_you_mean

USAGE_ERROR: type[Exception] = typer.BadParameter.__mro__[1]
"""What typer raises for a wrong command line; it has no public name for it."""


@contextmanager
def in_one_line() -> Iterator[None]:
    """Report a wrong command line as a ``UserError``.

    Raises:
        UserError: what is wrong, the nearest option, and where help is.
    """
    try:
        yield
    except USAGE_ERROR as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            raise
        raise UserError(_sentence(error)) from None


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """What to say of a name that is not known."""
    known = list(known)
    return f"no {what}.{did_you_mean(name, known)} (have: {', '.join(known)})"


def _sentence(error: Any) -> str:
    context = error.ctx
    command = context.command_path if context else "pathnet-evo"
    name = getattr(error, "option_name", None)
    if name is None or not context:
        text = str(error.format_message()).rstrip(".").replace("Value error, ", "")
        return f"{command}: {text[:1].lower()}{text[1:]}. See {command} --help"
    options = [option for given in context.command.params for option in given.opts]
    known = [option for option in options if option.startswith("-")]
    return f"{command}: {unknown(f'option {name}', name, [*known, '--help'])}"
