"""A process that drives the engines of some lanes; the environment talks to it by a pipe.

A byte on standard input: obey the commands in the block. A line on standard output: done, with the
causes of death of lanes, by lane, as JSON, where there are any. The end of input is the end of the
process; its guard cleans up.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pathnet_evo_labyrinth.block import BEGIN, DIED, FINE, FINISHED, IDLE, Block
from pathnet_evo_labyrinth.guard import POLL

if TYPE_CHECKING:  # a worker needs no torch
    from pathnet_evo import WorkerLine

STARTING = Path("starting")
"""There while engines are started, so that the guard looks closely."""


class Engines:
    """The engines of a worker's lanes, each started when its first episode begins."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self.spec, self.block = spec, Block(spec, spec["file"])
        self.block.close()  # engines are not to have it
        self.part = slice(*spec["part"])
        self.starting = True  # as the guard says before it starts a worker
        self.games: dict[int, Any] = {}
        self.actions = [list(map(float, action)) for action in spec["actions"]]
        rows, columns = (
            ((np.arange(wanted) + 0.5) * given / wanted).astype(np.int64)
            for wanted, given in zip(spec["observation"], spec["screen"], strict=True)
        )
        self.pixels = (rows[:, None] * spec["screen"][1] + columns[None, :]).ravel()
        self.targets = self.block.observations.reshape(spec["lanes"], 3, -1)

    def obey(self) -> dict[int, str]:
        """Do what the block says, lane by lane.

        Returns:
            The causes of those lanes whose engine died.
        """
        causes = {}
        for lane, command in enumerate(self.block.commands[self.part].tolist(), self.part.start):
            if command == IDLE:
                continue
            try:
                if command == BEGIN:
                    self._begin(lane)
                else:
                    self._act(lane, command)
            except Exception as error:  # whatever the engine's end looks like
                causes[lane] = f"{type(error).__name__}: {error}"
                self.block.status[lane] = DIED
                self._drop(lane)
        if self.starting:
            STARTING.unlink(missing_ok=True)
            self.starting = False
        return causes

    def _begin(self, lane: int) -> None:
        chosen, seed = self.spec["maps"][self.block.maps[lane]], int(self.block.seeds[lane])
        game = self.games.get(lane)
        if game is None:
            game = self.games[lane] = bare(self.spec)
            game.set_doom_map(chosen)
            game.set_seed(seed)
            if not self.starting:
                STARTING.touch()
                time.sleep(2 * POLL)
                self.starting = True
            game.init()
            with Path("engines").open("a") as file:
                file.write(f"{game.get_instance_id()}\n")
        game.set_doom_map(chosen)
        game.set_seed(seed)
        game.new_episode()
        self.block.rewards[lane] = 0.0
        self._look(lane, game)

    def _act(self, lane: int, action: int) -> None:
        game = self.games.get(lane)
        if game is None:
            raise RuntimeError("its engine went with an earlier worker")
        self.block.rewards[lane] = game.make_action(self.actions[action], self.spec["tics"])
        self._look(lane, game)

    def _look(self, lane: int, game: Any) -> None:
        """Put what is seen into the block; of a finished episode there is no picture any more."""
        state = game.get_state()
        self.block.status[lane] = FINE if state is not None else FINISHED
        if state is None:
            return
        seen = state.screen_buffer
        if len(self.block.pictures):
            self.block.pictures[lane] = seen
        seen.reshape(3, -1).take(self.pixels, 1, self.targets[lane], "clip")
        self.block.variables[lane] = state.game_variables

    def _drop(self, lane: int) -> None:
        game = self.games.pop(lane, None)
        try:
            if game is not None:
                game.close()
        except Exception as error:  # its end has been told already
            print(f"lane {lane}: {error}", file=sys.stderr)  # noqa: T201


def bare(spec: dict[str, Any]) -> Any:
    """An engine as the environment wants it, not yet started."""
    import vizdoom

    game = vizdoom.DoomGame()
    package = Path(vizdoom.__file__).parent
    game.set_doom_game_path(str(package / "freedoom2.wad"))
    game.set_doom_scenario_path(spec["wad"])
    game.set_doom_config_path("_vizdoom.ini")
    height, width = spec["screen"]
    game.set_screen_resolution(getattr(vizdoom.ScreenResolution, f"RES_{width}X{height}"))
    game.set_screen_format(vizdoom.ScreenFormat.CRCGCB)
    for switch in ("hud", "crosshair", "weapon", "messages", "screen_flashes"):
        getattr(game, f"set_render_{switch}")(switch in spec["render"])
    game.set_window_visible(False)
    game.set_sound_enabled(False)
    game.set_mode(vizdoom.Mode.PLAYER)
    game.set_doom_skill(spec["skill"])
    game.set_episode_timeout(0)
    game.set_episode_start_time(spec["start"])
    game.set_living_reward(spec["living"])
    game.set_death_penalty(spec["death"])
    game.set_available_buttons([getattr(vizdoom.Button, name) for name in spec["buttons"]])
    variables = [getattr(vizdoom.GameVariable, name) for name in spec["variables"]]
    game.set_available_game_variables(variables)
    return game


def settle(core: int) -> None:
    """Stay on one core, with all engines that are started from now on (Linux).

    A worker and its engines never work at the same time, but call one another eight times a step:
    from one core to another that takes about as long as the engine's work.

    Args:
        core: which of those that the process may use; counted round and round.
    """
    with suppress(AttributeError, OSError):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[core % len(cores)]})
    with suppress(AttributeError, OSError):  # woken, it lets the environment ask the others first
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def work(line: WorkerLine, number: int = 0) -> None:
    """Drive engines until the input ends."""
    engines = Engines(json.loads(Path("spec.json").read_text()))
    settle(engines.spec["core"])
    while True:
        line.receive()
        line.send(engines.obey())


class StandardLine:
    """Standard input and output as the line to the environment; their descriptors become a log."""

    def __init__(self) -> None:
        self._answers = os.fdopen(os.dup(1), "wb", buffering=0)
        log = os.open("log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        self._questions = os.fdopen(os.dup(0), "rb", buffering=0)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)

    def send(self, causes: dict[int, str]) -> None:
        """Write a line."""
        self._answers.write((json.dumps(causes).encode() if causes else b"") + b"\n")

    def receive(self) -> bytes:
        """Read a byte."""
        question = self._questions.read(1)
        if not question:
            raise EOFError
        return question

    def poll(self) -> bool:
        """Whether there is one."""
        return bool(select.select([self._questions], [], [], 0)[0])


def main() -> None:
    """Serve until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    line = StandardLine()
    os.environ["HOME"] = os.getcwd()
    with suppress(EOFError, BrokenPipeError):
        work(line)
    os._exit(0)


if __name__ == "__main__":
    main()
