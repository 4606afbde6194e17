"""Packages that only some features need."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from pathnet_evo.errors import UserError


def required(module: str, what: str, extra: str) -> Any:
    """A module of an optional package.

    Args:
        module: what to import.
        what: the feature that needs it, for the message.
        extra: the extra that installs it.

    Raises:
        UserError: it is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module.partition(".")[0]:
            raise
        raise UserError(
            f"{what} {module}, which is not installed: pip install 'pathnet-evo[{extra}]'"
        ) from None
