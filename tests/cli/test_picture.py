"""What a terminal shows of a pool, with and without colour, in 80 columns."""

from __future__ import annotations

import io

import pytest
from rich.console import Console, Group

from pathnet_evo.cli.picture import WIDEST, PoolPicture, Sparkline


def shown(picture: PoolPicture, plain: bool = False, **options: object) -> list[str]:
    file = io.StringIO()
    Console(file=file, width=80, **options).print(Group(*picture.lines(plain)))
    return file.getvalue().splitlines()


def test_frozen_hot_and_cold_are_told_apart() -> None:
    """Who works in a terminal could not see a path form, nor what is frozen."""
    picture = PoolPicture((6, 6), ((0,), ()))
    for _ in range(9):
        picture.add([[0, 1], [5, 5]])
    picture.add([[0, 2], [5, 4]])
    assert shown(picture) == ["layer 1  #█░...", "layer 2  ....░█"]
    assert shown(picture, plain=True) == ["layer 1  #@-...", "layer 2  ....-@"]
    assert "\x1b" not in "".join(
        shown(picture, force_terminal=True, no_color=True, color_system=None)
    )
    assert "\x1b[" in "".join(shown(picture, force_terminal=True, color_system="standard"))


def test_what_was_hot_long_ago_is_cold() -> None:
    """The picture would show the first random population for ever."""
    picture = PoolPicture((3,), ((),))
    for module in [0] * 100 + [2] * 64:
        picture.add([[module]])
    assert shown(picture) == ["layer 1  ..█"]


def test_wide_pools_fit_into_80_columns() -> None:
    """Lines would wrap and the table jump."""
    picture = PoolPicture((200,), ((),))
    (line,) = shown(picture)
    assert len(line) <= 80
    assert line.endswith("…")


@pytest.mark.parametrize("n", [0, 1, 59, 60, 61, 1000])
def test_sparklines_keep_their_shape(n: int) -> None:
    """A long run's line would wrap, or show its end alone."""
    line = Sparkline()
    for i in range(n):
        line.add(float(i))
    text = line.text()
    assert len(text) <= WIDEST
    assert list(text) == sorted(text)
    assert text == "" or n == 1 or (text[0] == "▁" and text[-1] == "█")
    assert line.text(plain=True).isascii()
