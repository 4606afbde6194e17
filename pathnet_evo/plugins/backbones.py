"""Backbones of plugins: functions that a configuration can name, ``module:factory``."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from pathnet_evo.plugins.files import module_of
from pathnet_evo.plugins.marks import is_backbone
from pathnet_evo.plugins.registry import PluginError, installed_packages
from pathnet_evo.system.plugin_calls import PluginFailed, calling

if TYPE_CHECKING:
    from torch import nn


def plugin_backbone(name: str) -> Callable[[], nn.Module]:
    """The function that a plugin marked with ``@backbone``; nothing else is imported or called.

    Args:
        name: ``module:factory``. The module is in the package of an installed plugin, or is a file
            that this process has imported, by its name without ``.py``.

    Raises:
        PluginError: the module belongs to no plugin, cannot be imported, or has no such backbone.
    """
    path, _, what = name.partition(":")
    module = module_of(path)
    if module is None and path.partition(".")[0] not in (have := installed_packages()):
        raise PluginError(
            f'module "{path}" belongs to no plugin (installed: {", ".join(have) or "none"}; a '
            "plugin file is named without .py)."
        )
    try:
        with calling(""):
            found: Any = getattr(import_module(path) if module is None else module, what, None)
    except PluginFailed as error:
        raise PluginError(f'"{name}" cannot be imported: {error}') from None
    if not is_backbone(found):
        raise PluginError(f'module "{path}" has no function "{what}" marked with @backbone')
    factory: Callable[[], nn.Module] = found
    return factory
