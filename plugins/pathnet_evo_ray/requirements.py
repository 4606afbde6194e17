"""Whether Ray can be used here."""

from __future__ import annotations

import importlib.util

from pathnet_evo import ExecutorError


def require() -> None:
    """Refuse where Ray is missing.

    Raises:
        ExecutorError: it is not installed.
    """
    if importlib.util.find_spec("ray") is None:
        raise ExecutorError("ray needs Ray, which is not installed: pip install 'pathnet-evo[ray]'")
