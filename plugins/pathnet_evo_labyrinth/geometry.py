"""From cells to the engine's geometry: vertices, lines, sides and sectors, as UDMF text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from pathnet_evo_labyrinth.actors import NUMBERS, START_AGAIN
from pathnet_evo_labyrinth.level import CELL, Cell, Layout, Thing

TELEPORT, HEAL = 71, 248
"""The engine's line specials Teleport_NoFog and HealThing."""

Point = tuple[int, int]


def udmf(layout: Layout, ceiling: int) -> str:
    """A layout as the lump TEXTMAP (namespace ``zdoom``).

    Cells of one kind are one sector, wherever they lie. Where two cells differ there is a line,
    and lines that go on straight are one.
    """
    built = _Built(ceiling)
    for (a, b), (front, back) in _lines(layout):
        built.line(a, b, front, back)
    for thing in layout.things:
        built.thing(thing.kind, thing.x, thing.y, thing.angle)
    built.thing("player", *_where(layout.starts[layout.start]))
    for start in layout.starts:
        built.thing("spot", *_where(start), f"id = {START_AGAIN};")
    built.chasms(layout)
    return "\n".join(['namespace = "zdoom";', *built.text, ""])


def _where(thing: Thing) -> tuple[float, float, int]:
    return thing.x, thing.y, thing.angle


def _lines(layout: Layout) -> Iterator[tuple[tuple[Point, Point], tuple[Cell, Cell]]]:
    """Lines with the cell on their right, which is a floor, and that on their left."""
    rows, columns = len(layout.cells), len(layout.cells[0])

    def cell(x: int, y: int) -> Cell | None:
        inside = 0 <= x < columns and 0 <= y < rows
        found = layout.cells[rows - 1 - y][x] if inside else None
        return found and found.model_copy(update={"thing": None, "start": None})

    for y in range(rows + 1):
        edges = [(cell(x, y - 1), cell(x, y)) for x in range(columns)]
        for first, last, right, left in _runs(edges):
            yield (
                (((first, y), (last, y)), (right, left))
                if not right.wall
                else (
                    ((last, y), (first, y)),
                    (left, right),
                )
            )
    for x in range(columns + 1):
        edges = [(cell(x, y), cell(x - 1, y)) for y in range(rows)]
        for first, last, right, left in _runs(edges):
            yield (
                (((x, first), (x, last)), (right, left))
                if not right.wall
                else (
                    ((x, last), (x, first)),
                    (left, right),
                )
            )


def _runs(
    edges: list[tuple[Cell | None, Cell | None]],
) -> Iterator[tuple[int, int, Cell, Cell]]:
    """Runs of equal edges that need a line: from, to, and the cells on both sides."""
    first = 0
    for i, edge in enumerate(edges):
        if i + 1 < len(edges) and edges[i + 1] == edge:
            continue
        right, left = edge
        if right and left and right != left and not (right.wall and left.wall):
            yield first, i + 1, right, left
        first = i + 1


@dataclass
class _Built:
    ceiling: int
    text: list[str] = field(default_factory=list)
    vertices: dict[Point, int] = field(default_factory=dict)
    sectors: dict[tuple[int, str | None, bool], int] = field(default_factory=dict)
    sides: int = 0

    def line(self, a: Point, b: Point, front: Cell, back: Cell) -> None:
        """A wall, or a step between two floors."""
        ends = f"v1 = {self.vertex(a)}; v2 = {self.vertex(b)};"
        if back.wall:
            side = self.side(front, f'texturemiddle = "{back.sides}";')
            self.text.append(f"linedef {{ {ends} sidefront = {side}; blocking = true; }}")
            return
        upper = front if front.floor > back.floor else back
        risers = f'texturebottom = "{upper.sides}";'
        sides = f"sidefront = {self.side(front, risers)}; sideback = {self.side(back, risers)};"
        self.text.append(f"linedef {{ {ends} {sides} twosided = true; }}")

    def vertex(self, point: Point) -> int:
        if point not in self.vertices:
            self.vertices[point] = len(self.vertices)
            x, y = (float(CELL * part) for part in point)
            self.text.append(f"vertex {{ x = {x}; y = {y}; }}")
        return self.vertices[point]

    def side(self, cell: Cell, textures: str) -> int:
        self.text.append(f"sidedef {{ sector = {self.sector(cell)}; {textures} }}")
        self.sides += 1
        return self.sides - 1

    def sector(self, cell: Cell) -> int:
        kind = (cell.floor, cell.ground, cell.chasm)
        if kind not in self.sectors:
            self.sectors[kind] = len(self.sectors)
            self.text.append(
                f"sector {{ heightfloor = {cell.floor}; heightceiling = {self.ceiling}; "
                f'texturefloor = "{cell.ground}"; textureceiling = "ROOF"; lightlevel = 255; }}'
            )
        return self.sectors[kind]

    def thing(self, kind: str, x: float, y: float, angle: int = 0, more: str = "") -> None:
        modes = " ".join(f"{m} = true;" for m in ("single", "coop", "dm", "class1"))
        skills = " ".join(f"skill{i} = true;" for i in range(1, 6))
        self.text.append(
            f"thing {{ x = {x}; y = {y}; angle = {angle}; type = {NUMBERS[kind]}; "
            f"{modes} {skills} {more} }}"
        )

    def chasms(self, layout: Layout) -> None:
        """In each sector of a chasm, what sends back and heals who reaches the floor."""
        done = set()
        for r, row in enumerate(layout.cells):
            for c, cell in enumerate(row):
                if cell is None or not cell.chasm or self.sector(cell) in done:
                    continue
                done.add(self.sector(cell))
                x, y = CELL * (c + 0.5), CELL * (len(layout.cells) - r - 0.5)
                self.thing("bottom", x, y, 0, f"special = {HEAL}; arg0 = 1000; arg1 = 100;")
                self.thing("bottom", x, y, 0, f"special = {TELEPORT}; arg0 = {START_AGAIN};")
