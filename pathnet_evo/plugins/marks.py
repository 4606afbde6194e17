"""Marks that plugins put on functions."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from torch import nn

MARK = "pathnet_evo_backbone"
"""Attribute of marked functions."""

Factory = TypeVar("Factory", bound="Callable[[], nn.Module]")


def backbone(factory: Factory) -> Factory:
    """Let configurations name a function of a plugin as the backbone of image tasks.

    Args:
        factory: returns a torch module that computes features of ``(n, 3, size, size)`` float32
            pictures. The module's attributes ``size``, ``mean`` and ``deviation`` say how they are
            prepared; by default as for ImageNet.
    """
    setattr(factory, MARK, True)
    return factory


def is_backbone(found: Any) -> bool:
    """Whether an object is a marked function."""
    return callable(found) and getattr(found, MARK, False) is True


def backbones_of(module: ModuleType) -> list[str]:
    """The names of a module's marked functions, sorted."""
    return sorted(name for name, found in vars(module).items() if is_backbone(found))
