"""A player who knows the maps collects exactly what the levels promise."""

import numpy as np
import pytest

from pathnet_evo_labyrinth.game import PLACE
from pathnet_evo_labyrinth.level import CELL

pytestmark = pytest.mark.slow


def things(player, kind):
    return [thing for thing in player.layout.things if thing.kind == kind]


def collect(player, kind, avoid=(), most=99):
    """Take all things of a kind, the nearest first."""
    left = things(player, kind)
    for _ in range(min(most, len(left))):
        if player.over or player.cut:
            return
        x, y = player.place
        nearest = min(left, key=lambda t: abs(t.x - x) + abs(t.y - y))
        left.remove(nearest)
        player.walk(nearest, avoid)


def test_seekavoid_arena(lanes, player):
    """Broken: apples, lemons or the early end would not be those of the level."""
    env = lanes("seekavoid_arena")
    good = player.Player(env)
    assert (len(things(good, "apple")), len(things(good, "lemon"))) == (15, 8)
    collect(good, "apple", avoid=("lemon",))
    assert good.score == 15
    assert good.over, "over when as many things are eaten as there were apples"
    assert not good.cut
    bad = player.Player(env)
    collect(bad, "lemon", avoid=("apple",))
    assert bad.score == -8
    assert not bad.over
    collect(bad, "apple", most=7)
    assert bad.over
    assert bad.score == -8 + 7


def test_stairway_to_melon(lanes, player):
    """Broken: the short way or the long way would pay something else."""
    env = lanes("stairway_to_melon")
    short = player.Player(env)
    collect(short, "melon")
    assert [reward for reward in short.rewards if reward] == [-1, 20]
    assert short.over
    long = player.Player(env)
    assert len(things(long, "apple")) == 14
    collect(long, "apple", avoid=("lemon",))
    assert long.score == 14
    assert not long.over
    while not long.cut:
        long.do("fire")
    assert long.score == 14
    assert not long.over
    assert len(long.rewards) == 525, "60 s of 35 engine steps, four an action"


def test_nav_maze(lanes, player):
    """Broken: the goal would not pay, pay twice, or leave the player where it is."""
    pytest.importorskip("labmaze", reason="labmaze is not installed (none for Python 3.13)")
    explorer = player.Player(lanes("nav_maze", seconds=600))
    collect(explorer, "apple", avoid=("goal",))
    assert explorer.score == 10
    explorer.settle()
    (goal,) = things(explorer, "goal")
    starts = [(start.x, start.y) for start in explorer.layout.starts]
    for times in (1, 2):
        explorer.walk(goal, until=lambda p: p.rewards[-1])
        explorer.do("fire")
        assert explorer.score == 10 + 10 * times
        distances = [np.hypot(x - explorer.place[0], y - explorer.place[1]) for x, y in starts]
        assert min(distances) < CELL
        explorer.settle()


def test_lt_chasm_fall(lanes, player):
    """Broken: a fall would end the episode, cost something, or leave the player below."""
    falling = player.Player(lanes("lt_chasm", skill=1), seed=2)
    starts = {(start.x, start.y) for start in falling.layout.starts}
    assert len(starts) == 6
    falls, below = set(), False
    middle = CELL * len(falling.layout.cells) / 2
    for _ in range(400):
        low = falling.infos["position_z"][0] < -100
        if below and not low:
            falls.add(min(starts, key=lambda s: np.hypot(*np.subtract(s, falling.place))))
            assert min(np.hypot(*np.subtract(s, falling.place)) for s in starts) < CELL
            if len(falls) >= 3:
                break
        below = low
        falling.do("forward" if falling.place[1] < middle - 32 else "backward")
    assert len(falls) >= 3, "a place to start again is drawn"
    assert falling.score == 0
    assert not falling.over


def test_lt_chasm_tags(lanes):
    """Broken: tags would not be counted one by one, or tagged opponents would stay away."""
    env = lanes("lt_chasm", skill=1)
    tagged = 0
    for seed in range(6):
        _, infos = env.reset(seed=seed)
        if infos["position_y"][0] not in (96, 1120):
            continue  # a start on a ledge, from where nobody is in line
        rewards = []
        for _ in range(150):
            _, reward, over, _, infos = env.step(np.array([6]))
            rewards.append(float(reward[0]))
            assert not over[0]
        assert set(rewards) <= {0.0, 1.0, 2.0}
        assert sum(rewards) == infos["tag"][0]
        tagged = max(tagged, sum(rewards))
    assert tagged > 2, "two opponents stand in line with such a start: a third tag is a return"


def test_lt_chasm_hits_and_refreshments(lanes, player):
    """Broken: opponents would not shoot, a tagged agent not start again, or nothing heal."""
    env = lanes("lt_chasm", skill=5)
    target = player.Player(env, seed=1)
    health, moved = [], 0
    for _ in range(500):
        before, was = target.infos["health"][0], target.place
        target.do("jump")
        health.append(target.infos["health"][0])
        far = np.hypot(*np.subtract(target.place, was)) > CELL
        if far:
            moved += 1
            assert before <= 50, "tagged when health is used up"
            assert health[-1] in (100, 50), "who starts again is whole"
    assert moved, "a tagged agent starts again"
    assert 50 in health
    assert not target.over
    assert target.score == 0
    patient = player.Player(lanes("lt_chasm", skill=1))
    patient.walk(things(patient, "armour")[0], until=lambda p: p.infos["armor"][0] > 0)
    assert patient.infos["armor"][0] in (100, 75), "75 where it took half of a hit at once"


def test_health_and_armour_can_be_worth_something(lanes, player, tmp_path):
    """Broken: a rule about health or armour would be accepted, and never paid."""
    file = tmp_path / "clinic.toml"
    rules = "seconds = 60\nrewards = { health = 3, armour = 0.5 }\n"
    file.write_text(rules + "map = '''\n#########\n#>.h..r.#\n#########\n'''")
    whole = player.Player(lanes(str(file)))
    for kind in ("health", "armour"):
        whole.walk(things(whole, kind)[0])
        whole.settle()
    assert [reward for reward in whole.rewards if reward] == [0.5], "no health is wanted"
    file.write_text(rules + "map = '''\n##########\n#>.r.h..o#\n##########\n'''")
    env = lanes(str(file), skill=5)
    patient = player.Player(env)

    def health():
        return float(env._block.variables[0, len(env.game.counted) + PLACE.index("HEALTH")])

    (armour,), (medicine,) = things(patient, "armour"), things(patient, "health")
    patient.walk(armour, until=lambda p: p.infos["armor"][0] > 0)
    assert [reward for reward in patient.rewards if reward] == [0.5]
    for _ in range(600):
        before = health()
        patient.do("strafe left" if patient.place[0] > medicine.x else "strafe right")
        if patient.rewards[-1] not in (0, 0.5):
            break
    assert patient.rewards[-1] == 3
    assert health() > before < 100, "an opponent's hit made it wanted"


def test_drawn_placement(lanes, player):
    """Broken: the option would change how much there is, or nothing at all."""
    env = lanes("seekavoid_arena", placement="drawn", seconds=60)
    layouts = set()
    for seed in range(4):
        here = player.Player(env, seed)
        kinds = [thing.kind for thing in here.layout.things]
        assert (kinds.count("apple"), kinds.count("lemon")) == (15, 8)
        layouts.add(tuple((t.x, t.y) for t in here.layout.things))
    assert len(layouts) > 1
    collect(here, "apple")
    eaten = here.infos["apple"][0] + here.infos["lemon"][0]
    assert here.over or eaten >= 15
    assert here.score == here.infos["apple"][0] - here.infos["lemon"][0]


def test_levels_of_vizdoom(lanes):
    """Broken: ViZDoom's own levels would not play, or pay other than ViZDoom says."""
    living = lanes("health_gathering_supreme")
    living.reset(seed=0)
    rewards = [living.step(np.array([7]))[1][0] for _ in range(5)]
    assert rewards == [4.0] * 5, "one for every engine step"
    home = lanes("my_way_home")
    home.reset(seed=0)
    rewards = [home.step(np.array([0]))[1][0] for _ in range(5)]
    assert rewards == pytest.approx([-0.0004] * 5)
