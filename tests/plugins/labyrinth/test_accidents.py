"""Engines that die, and programs that die with engines running."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("vizdoom", reason="vizdoom is not installed")
if not Path("/proc/self/maps").exists():
    pytest.skip("needs Linux to look at other processes", allow_module_level=True)

from pathnet_evo_labyrinth.guard import members, segments

pytestmark = pytest.mark.slow

PROGRAM = """
import sys, time, numpy as np
from pathnet_evo_labyrinth.catalogue import game
from pathnet_evo_labyrinth.vector import LabyrinthVectorEnv

env = LabyrinthVectorEnv(game("seekavoid_arena"), 2)
env.reset(seed=0)
print(*(w.link.guard.pid for w in env._engines.workers.members), flush=True)
if "crash" in sys.argv:
    raise SystemExit(3)
while True:
    env.step(np.zeros(2, int))
"""


def engines(env):
    """The processes of the engines of all lanes, in no order."""
    found = []
    for worker in env._engines.workers.members:
        group = children(worker.link.guard.pid)
        found += [pid for g in group for pid in members(g) if name(pid) == "vizdoom"]
    return found


def children(pid):
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def name(pid):
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def until(condition, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


def test_a_dead_engine_costs_its_lane_an_episode(lanes):
    """Broken: one accident would end a run of days, or spoil other lanes' evaluations."""
    env, calm = lanes("seekavoid_arena", 2, workers=1), lanes("seekavoid_arena", 1)
    env.reset(seed=[0, 1])
    calm.reset(seed=1)
    (first, *_) = sorted(engines(env))
    os.kill(first, signal.SIGKILL)
    _, rewards, over, cut, infos = env.step(np.array([2, 2]))
    seen, calm_rewards, *_ = calm.step(np.array([2]))
    lane = int(np.flatnonzero(infos["died"])[0])
    assert infos["died"].sum() == 1
    assert np.isnan(rewards[lane])
    assert rewards[1 - lane] == calm_rewards[0]
    assert infos["cause"][lane]
    assert cut.tolist() == [lane == 0, lane == 1]
    assert not over.any()
    seen, rewards, over, cut, infos = env.step(np.array([2, 2]))
    assert np.isfinite(rewards).all()
    assert "died" not in infos
    assert seen[lane].any(), "a new engine plays on"
    assert len(engines(env)) == 2


def test_a_dead_worker_costs_its_lanes_an_episode(lanes):
    """Broken: a crash within the engine's own library would take the run with it."""
    env = lanes("seekavoid_arena", 2, workers=2)
    env.reset(seed=0)
    (worker,) = children(env._engines.workers.members[0].link.guard.pid)
    os.kill(worker, signal.SIGKILL)
    _, rewards, _, cut, infos = env.step(np.array([2, 2]))
    assert infos["died"].tolist() == [True, False] == cut.tolist()
    assert np.isnan(rewards[0])
    assert np.isfinite(rewards[1])
    _, rewards, _, cut, infos = env.step(np.array([2, 2]))
    assert np.isfinite(rewards).all()
    assert not cut.any()


def test_one_lane_tells_of_its_engines_death():
    """Broken: who plays one lane would get nonsense instead of an error."""
    from pathnet_evo_labyrinth.engine import EngineError
    from pathnet_evo_labyrinth.env import LabyrinthEnv

    env = LabyrinthEnv("seekavoid_arena")
    try:
        env.reset(seed=0)
        os.kill(engines(env._lanes)[0], signal.SIGKILL)
        with pytest.raises(EngineError, match="the engine died"):
            env.step(np.int64(2))
        env.reset(seed=0)
        assert np.isfinite(env.step(np.int64(2))[1])
    finally:
        env.close()


def test_an_engine_that_never_starts_is_an_error(lanes, tmp_path):
    """Broken: a level that the engine cannot read would be started for ever."""
    from dataclasses import replace

    from pathnet_evo_labyrinth.engine import EngineError
    from pathnet_evo_labyrinth.vector import LabyrinthVectorEnv
    from pathnet_evo_labyrinth.wad import wad

    broken = tmp_path / "broken.wad"
    broken.write_bytes(wad([("DECORATE", b"actor Bad : NobodyKnowsIt\n{\n}\n")]))
    before = stale()
    env = LabyrinthVectorEnv(replace(lanes().game, wad=broken, name="broken"), 1)
    try:
        with pytest.raises(EngineError, match="broken: the engine of lane 0 died"):
            for _ in range(3):
                env.reset(seed=0)
    finally:
        env.close()
    assert until(lambda: stale() <= before), "no segment is left by engines that failed"


def stale():
    """Segments of engines that no process has mapped."""
    mapped = segments([int(p.name) for p in Path("/proc").glob("[0-9]*")])
    return {p.name for p in Path("/dev/shm").glob("ViZDoom*")} - mapped


@pytest.mark.parametrize("how", ["close", "crash", "SIGKILL", "SIGINT", "SIGTERM"])
def test_nothing_is_left_behind(how, lanes, tmp_path):
    """Broken: every run that ends badly would cost memory and a process for ever."""
    if how == "close":
        env = lanes("seekavoid_arena", 2)
        env.reset(seed=0)
        guards = [worker.link.guard.pid for worker in env._engines.workers.members]
        folders = [worker.link.folder for worker in env._engines.workers.members]
        left = traces(guards)
        env.close()
    else:
        temporary, home = tmp_path / "tmp", tmp_path / "home"
        temporary.mkdir()
        home.mkdir()
        program = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(PROGRAM), how],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=home,
            env={**os.environ, "TMPDIR": str(temporary), "HOME": str(home)},
            text=True,
        )
        guards = [int(pid) for pid in program.stdout.readline().split()]
        left = traces(guards) if how != "crash" else (set(), set())
        folders = list(temporary.iterdir()) if how != "crash" else []
        if how != "crash":
            program.send_signal(getattr(signal, how))
        program.wait(300)
        program.stdout.close()
        assert until(lambda: not list(temporary.iterdir()))
        assert not list(home.iterdir()), "nothing in the user's folders"
    processes, names = left
    if how != "crash":
        assert len(processes) >= 2 + 2 * len(guards)
        assert len(names) == 6, "three segments an engine"
    assert until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in guards))
    assert until(lambda: not any(name(pid) in ("vizdoom", "python") for pid in processes))
    assert not any((Path("/dev/shm") / segment).exists() for segment in names)
    assert not any(folder.exists() for folder in folders)


def traces(guards):
    """Processes and shared-memory segments of engines under some guards."""
    processes = {pid for g in guards for group in children(g) for pid in members(group)}
    return processes | set(guards), segments(list(processes))


def test_what_a_hanging_guard_has_left_is_swept(lanes, monkeypatch):
    """Broken: a program that is stopped as it ends its engines would leave them for ever."""
    from pathnet_evo_labyrinth import guard

    monkeypatch.setattr(guard, "PATIENCE", 1)
    env = lanes("seekavoid_arena", 1)
    env.reset(seed=0)
    (worker,) = env._engines.workers.members
    processes, names = traces([worker.link.guard.pid])
    os.kill(worker.link.guard.pid, signal.SIGSTOP)
    env.close()
    assert until(lambda: not any(name(pid) in ("vizdoom", "python") for pid in processes))
    assert len(names) == 3
    assert not any((Path("/dev/shm") / segment).exists() for segment in names)
    assert not worker.link.folder.exists()


STOPPED = """
import numpy as np
from pathnet_evo_labyrinth import engine
from pathnet_evo_labyrinth.catalogue import game
from pathnet_evo_labyrinth.vector import LabyrinthVectorEnv

engine.PATIENCE = 2
env = LabyrinthVectorEnv(game("seekavoid_arena"), 1)
env.reset(seed=0)
print(env._engines.workers.members[0].link.guard.pid, flush=True)
while "died" not in env.step(np.zeros(1, int))[4]:
    pass
print("died", flush=True)
"""


def test_a_program_that_was_stopped_goes_on():
    """Broken: whoever suspends a run for an hour would lose all evaluations under way."""
    program = subprocess.Popen([sys.executable, "-c", STOPPED], stdout=subprocess.PIPE, text=True)
    try:
        (worker,) = children(int(program.stdout.readline()))
        for pid in (worker, program.pid):
            os.kill(pid, signal.SIGSTOP)
        time.sleep(2.5)
        os.kill(program.pid, signal.SIGCONT)
        time.sleep(0.2)
        os.kill(worker, signal.SIGCONT)
        time.sleep(0.5)
        assert program.poll() is None
    finally:
        program.kill()
        told = program.stdout.read()
        program.stdout.close()
        program.wait()
    assert told == ""
