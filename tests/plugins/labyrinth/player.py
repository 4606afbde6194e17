"""A player that knows the map: walks from cell to cell with the actions that agents have."""

from collections import deque

import numpy as np

from pathnet_evo_labyrinth.actions import NAMES
from pathnet_evo_labyrinth.level import CELL

REACH = 30
"""Player and thing touch at 36, along both axes."""
SLIDE = 2.0
"""How far a player slides on, in steps of its present speed."""


class Player:
    """Plays the only lane of a vector environment, looking north or wherever its start does."""

    def __init__(self, env, seed=0):
        self.env = env
        _, infos = env.reset(seed=seed)
        self.layout = env.game.layouts[env._block.maps[0]]
        self.rewards, self.over, self.cut, self.infos = [], False, False, infos
        self.place = self.last = self._where()
        for _ in range(10):
            if abs((self.infos["angle"][0] - 90 + 180) % 360 - 180) < 1:
                break
            self.do("look left" if (self.infos["angle"][0] - 90) % 360 > 180 else "look right")

    @property
    def score(self):
        return sum(self.rewards)

    def do(self, name):
        _, reward, over, cut, self.infos = self.env.step(np.array([NAMES.index(name)]))
        self.rewards.append(float(reward[0]))
        self.over, self.cut = bool(over[0]), bool(cut[0])
        self.last, self.place = self.place, self._where()

    def walk(self, thing, avoid=(), until=None, limit=600):
        """Go to a thing by a shortest way around what is to be avoided."""
        shunned = {self._cell(t.x, t.y) for t in self.layout.things if t.kind in avoid}
        way = self._way(self._cell(*self.place), self._cell(thing.x, thing.y), shunned)
        stops = [self._middle(cell) for cell in way[1:-1]] + [(thing.x, thing.y)]
        for _ in range(limit):
            if self.over or self.cut or (until and until(self)):
                return
            x, y = stops[0]
            if len(stops) > 1 and np.hypot(x - self.place[0], y - self.place[1]) < 24:
                stops.pop(0)
                continue
            near = max(abs(x - self.place[0]), abs(y - self.place[1])) < REACH
            if until is None and len(stops) == 1 and near:
                return
            self.do(self._towards(x, y))
        raise AssertionError(f"did not reach {thing} from {self.place}")

    def settle(self):
        """Stand until nothing moves any more."""
        for _ in range(8):
            self.do("fire")

    def _towards(self, x, y):
        """The action that brings where it slides to nearest to a point."""
        ahead = [p + SLIDE * (p - q) for p, q in zip(self.place, self.last, strict=True)]
        east, north = x - ahead[0], y - ahead[1]
        if max(abs(east), abs(north)) < 4:
            return "fire"
        stuck = np.hypot(*np.subtract(self.place, self.last)) < 0.5 and self.rewards
        if (abs(north) > abs(east)) != (bool(stuck) and min(abs(east), abs(north)) > 4):
            return "forward" if north > 0 else "backward"
        return "strafe right" if east > 0 else "strafe left"

    def _where(self):
        return float(self.infos["position_x"][0]), float(self.infos["position_y"][0])

    def _cell(self, x, y):
        return len(self.layout.cells) - 1 - int(y // CELL), int(x // CELL)

    def _middle(self, cell):
        return CELL * (cell[1] + 0.5), CELL * (len(self.layout.cells) - cell[0] - 0.5)

    def _way(self, start, end, shunned):
        cells = self.layout.cells
        before, queue = {start: None}, deque([start])
        while queue:
            here = queue.popleft()
            if here == end:
                break
            r, c = here
            for there in ((r - 1, c), (r + 1, c), (r, c - 1), (r, c + 1)):
                cell = cells[there[0]][there[1]]
                if cell is None or cell.wall or cell.chasm or there in before:
                    continue
                climbs = abs(cell.floor - cells[r][c].floor) <= 24
                if climbs and (there not in shunned or there == end):
                    before[there] = here
                    queue.append(there)
        way = [end]
        while before[way[-1]] is not None:
            way.append(before[way[-1]])
        return way[::-1]
