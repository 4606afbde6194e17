"""Which axis of a picture holds its channels."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pathnet_evo import Shape

Channels: TypeAlias = Literal["auto", "last", "first"]

FEW = 4
"""Channels that any picture may have: grey, colour with transparency, four greys of Atari."""


def channels_last(shape: Shape) -> bool | None:
    """Whether pictures have their channels last, not first; None where both or neither may be.

    An axis can hold the channels where height and width are more than ``FEW`` each, and it has at
    most ``FEW`` entries, at most a quarter of either, or height equals width and not it.

    Args:
        shape: ``(height, width, channels)`` or ``(channels, height, width)``.
    """
    first, last = (_may_hold(shape[0], shape[1:]), _may_hold(shape[-1], shape[:-1]))
    return None if first == last else last


def _may_hold(channels: int, sides: Shape) -> bool:
    small, large = sorted(sides)
    if small <= FEW:
        return False
    return channels <= max(FEW, small // 4) or (small == large and channels != small)
