"""Levels: a map of cells, things, rewards and an end, read from a short text file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from pathnet_evo import TaskError

CELL = 64
"""Width of a cell in the engine's units; a player is 32 wide and 56 high."""
LARGEST = 64
"""Cells on a side of the largest map."""

Kind = Literal["apple", "lemon", "melon", "goal", "health", "armour", "opponent"]
Texture = Literal["BRICK", "STONE", "PANEL", "GRASS", "TILES", "STEPS", "BRIDGE", "ABYSS", "ROOF"]
EDIBLE = ("apple", "lemon", "melon")
"""Things that are gone once somebody took them."""


class LevelError(TaskError):
    """A level that cannot be built."""


class Cell(BaseModel):
    """The meaning of one character of a map."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    wall: bool = False
    """A wall, from the ground to the ceiling."""
    floor: int = Field(default=0, ge=-512, le=512)
    """Height of the floor; a player can climb steps of 24, and 32 more with a jump."""
    ground: Texture | None = None
    """Texture of the floor. Default: the level's."""
    sides: Texture | None = None
    """Texture of walls and sides of steps. Default: the level's."""
    thing: Kind | None = None
    """Thing in the middle of the cell."""
    start: int | None = Field(default=None, ge=0, lt=360)
    """Makes this a start, looking in this direction: 0 is right (east), 90 up (north)."""
    chasm: bool = False
    """A player who reaches this floor returns to a start."""


LEGEND: dict[str, Cell] = {
    "#": Cell(wall=True),
    ".": Cell(),
    ">": Cell(start=0),
    "^": Cell(start=90),
    "<": Cell(start=180),
    "v": Cell(start=270),
    "a": Cell(thing="apple"),
    "l": Cell(thing="lemon"),
    "m": Cell(thing="melon"),
    "g": Cell(thing="goal"),
    "h": Cell(thing="health"),
    "r": Cell(thing="armour"),
    "o": Cell(thing="opponent"),
    "~": Cell(floor=-256, ground="ABYSS", sides="STONE", chasm=True),
}
"""The characters that every map can use; a space is outside."""


@dataclass(frozen=True)
class Thing:
    """Something at a position, in the engine's units; ``angle`` in degrees, 0 is east."""

    kind: str
    x: float
    y: float
    angle: int = 0


@dataclass(frozen=True)
class Layout:
    """One arrangement of a level.

    Args:
        cells: rows of cells, north first; None is outside.
        things: all but the places to start.
        starts: the places to start.
        start: which of them an episode begins at.
    """

    cells: tuple[tuple[Cell | None, ...], ...]
    things: tuple[Thing, ...]
    starts: tuple[Thing, ...]
    start: int = 0

    def floor(self) -> list[tuple[float, float]]:
        """The middle of every cell that can be stood on."""
        return [
            position(len(self.cells), r, c)
            for r, row in enumerate(self.cells)
            for c, cell in enumerate(row)
            if cell is not None and not (cell.wall or cell.chasm)
        ]

    def at(self, x: float, y: float) -> Cell | None:
        """The cell at a position, None outside."""
        column, row = int(x // CELL), len(self.cells) - 1 - int(y // CELL)
        if not (0 <= row < len(self.cells) and 0 <= column < len(self.cells[row])):
            return None
        return self.cells[row][column]


@dataclass(frozen=True)
class Over:
    """An episode is over when as many of these things were taken."""

    things: tuple[str, ...]
    count: int


@dataclass(frozen=True)
class Level:
    """Everything that the engine and the rules need to know.

    Args:
        name: what it is called.
        about: a sentence.
        seconds: how long an episode may be.
        rewards: what each thing gives; ``tag`` is that of an opponent.
        over: what ends an episode before its time.
        layouts: an episode takes one of them.
        ceiling: height of the ceiling.
        skill: of opponents, 1 to 5.
    """

    name: str
    about: str
    seconds: float
    rewards: Mapping[str, float]
    over: Over | None
    layouts: tuple[Layout, ...]
    ceiling: int = 128
    skill: int = 3

    @property
    def armed(self) -> bool:
        """Whether the player has a weapon: where there are opponents."""
        return any(t.kind == "opponent" for layout in self.layouts for t in layout.things)

    @property
    def counted(self) -> tuple[str, ...]:
        """What is counted while an episode lasts, in a fixed order."""
        wanted = {*self.rewards, *(self.over.things if self.over else ())}
        return tuple(kind for kind in (*get_args(Kind), "tag") if kind in wanted)


class _Placed(BaseModel):
    model_config = ConfigDict(extra="forbid")

    kind: Kind
    at: tuple[float, float]
    """Row and column, whole numbers are the middle of a cell."""


class _Over(BaseModel):
    model_config = ConfigDict(extra="forbid")

    things: list[str] = Field(min_length=1)
    count: int = Field(1, ge=1)


class Description(BaseModel):
    """A level as a user writes it, in a TOML file."""

    model_config = ConfigDict(extra="forbid")

    about: str = ""
    """One sentence about the level."""
    seconds: float = Field(60, gt=0, le=3600)
    """Maximum length of an episode."""
    map: str
    """Rows of cells, north first."""
    cells: dict[str, Cell] = {}
    """More characters, or new meanings for the predefined ones."""
    things: list[_Placed] = []
    """Things that are not in the middle of a cell."""
    rewards: dict[str, FiniteFloat] = {}
    """Reward of each thing; ``tag`` is for tagging an opponent."""
    over: _Over | None = None
    """Things that end the episode early when taken."""
    ceiling: int = Field(128, ge=64, le=1024)
    """Height of the ceiling."""
    ground: Texture = "GRASS"
    """Texture of floors."""
    sides: Texture = "BRICK"
    """Texture of walls and sides of steps."""


def read(text: str, name: str) -> Level:
    """A level from its description.

    Raises:
        LevelError: not TOML, an unknown key, a hole in the geometry, a thing outside it.
    """
    try:
        description = Description.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise LevelError(f"level {name}: not TOML: {error}") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise LevelError(f"level {name}: {place}: {first['msg']}") from None
    rows = description.map.strip("\n").split("\n")
    look = {"ground": description.ground, "sides": description.sides}
    legend = covered({**LEGEND, **description.cells}, look)
    layout = arrange(rows, legend, name)
    placed = tuple(_place(layout, i, p, name) for i, p in enumerate(description.things))
    layout = replace(layout, things=layout.things + placed)
    ends = description.over
    over = Over(tuple(ends.things), ends.count) if ends else None
    level = Level(
        name,
        description.about,
        description.seconds,
        description.rewards,
        over,
        every_start(layout),
        description.ceiling,
    )
    check(level)
    return level


def load(path: Path) -> Level:
    """A level from a user's file.

    Raises:
        LevelError: it cannot be read, or is wrong.
    """
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise LevelError(f"level {path}: cannot be read ({error})") from None
    return read(text, path.stem)


def covered(legend: Mapping[str, Cell], look: Mapping[str, str]) -> dict[str, Cell]:
    """The legend with textures for all that name none."""
    return {
        character: cell.model_copy(
            update={part: name for part, name in look.items() if getattr(cell, part) is None}
        )
        for character, cell in legend.items()
    }


def arrange(rows: Sequence[str], legend: Mapping[str, Cell], name: str) -> Layout:
    """A layout from the rows of a map.

    Raises:
        LevelError: a character that stands for nothing, or a floor that ends in nothing.
    """
    width = max(map(len, rows), default=0)
    if not (0 < len(rows) <= LARGEST and 0 < width <= LARGEST):
        raise LevelError(
            f"level {name}: the map is {len(rows)} x {width} cells (from 1 to {LARGEST} a side)"
        )
    cells: list[tuple[Cell | None, ...]] = []
    things, starts = [], []
    for r, row in enumerate(rows):
        line: list[Cell | None] = []
        for c, character in enumerate(row.ljust(width)):
            if character != " " and character not in legend:
                known = " ".join(sorted(legend))
                raise LevelError(
                    f"level {name}: row {r}, column {c}: {character!r} is undefined; "
                    f"define it under [cells] (have: {known})"
                )
            cell = legend.get(character)
            line.append(cell)
            x, y = position(len(rows), r, c)
            if cell and cell.thing:
                things.append(Thing(cell.thing, x, y))
            if cell and cell.start is not None:
                starts.append(Thing("start", x, y, cell.start))
        cells.append(tuple(line))
    _closed(cells, name)
    return Layout(tuple(cells), tuple(things), tuple(starts))


def position(rows: int, row: float, column: float) -> tuple[float, float]:
    """Where the middle of a cell is, in the engine's units."""
    return CELL * (column + 0.5), CELL * (rows - row - 0.5)


def every_start(layout: Layout) -> tuple[Layout, ...]:
    """A layout for each of its places to start."""
    return tuple(replace(layout, start=i) for i in range(len(layout.starts)))


def drawn(level: Level, layouts: int, rng: np.random.Generator) -> Level:
    """The level with its edible things on cells drawn at random, in so many layouts."""
    found = []
    for i in range(layouts):
        layout = level.layouts[i % len(level.layouts)]
        eaten = [t for t in layout.things if t.kind in EDIBLE]
        kept = tuple(t for t in layout.things if t.kind not in EDIBLE)
        taken = {(t.x, t.y) for t in (*kept, *layout.starts)}
        free = [place for place in layout.floor() if place not in taken]
        if len(eaten) > len(free):
            raise LevelError(
                f"level {level.name}: {len(eaten)} things to eat, but only {len(free)} free cells "
                'to place them on: make the map larger, or use placement = "fixed"'
            )
        chosen = rng.choice(len(free), len(eaten), replace=False)
        moved = tuple(
            Thing(t.kind, *free[int(place)]) for t, place in zip(eaten, chosen, strict=True)
        )
        found.append(replace(layout, things=kept + moved))
    return replace(level, layouts=tuple(found))


def check(level: Level) -> None:
    """Whether the rules and the things fit together.

    Raises:
        LevelError: nowhere to start, or a rule about what is not in the level.
    """
    if not level.layouts:
        raise LevelError(f"level {level.name}: no start: put one of ^ > v < on the map")
    present = {t.kind for t in level.layouts[0].things}
    for place, names in (
        ("rewards", tuple(level.rewards)),
        ("over.things", level.over.things if level.over else ()),
    ):
        for thing in names:
            needs = "opponent" if thing == "tag" else thing
            if needs not in present or thing == "opponent":
                have = sorted((present - {"opponent"}) | ({"tag"} if level.armed else set()))
                raise LevelError(
                    f"level {level.name}: {place}: there is no {thing} in the level "
                    f"(have: {', '.join(have)})"
                )


def _closed(cells: Sequence[Sequence[Cell | None]], name: str) -> None:
    for r, row in enumerate(cells):
        for c, cell in enumerate(row):
            if cell is None or cell.wall:
                continue
            for y, x in ((r - 1, c), (r + 1, c), (r, c - 1), (r, c + 1)):
                inside = 0 <= y < len(cells) and 0 <= x < len(row)
                if not inside or cells[y][x] is None:
                    raise LevelError(
                        f"level {name}: hole at row {r}, column {c}: the floor has no edge; "
                        "put a wall (#) beside it"
                    )


def _place(layout: Layout, i: int, placed: _Placed, name: str) -> Thing:
    x, y = position(len(layout.cells), *placed.at)
    cell = layout.at(x, y)
    if cell is None or cell.wall:
        raise LevelError(
            f"level {name}: things.{i}: {placed.kind} at row {placed.at[0]:g}, column "
            f"{placed.at[1]:g} is outside the floor"
        )
    return Thing(placed.kind, x, y)
