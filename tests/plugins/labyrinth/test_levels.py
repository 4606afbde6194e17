"""Descriptions of levels: what can be wrong with them, and what becomes of them."""

import struct
import sys
from dataclasses import replace
from importlib.metadata import EntryPoint

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from pathnet_evo import Streams, TaskContext, TaskError
from pathnet_evo.cli import main
from pathnet_evo.plugins.registry import Registry
from pathnet_evo_labyrinth import build
from pathnet_evo_labyrinth.actors import check_states, decorate
from pathnet_evo_labyrinth.catalogue import ARRANGEMENTS, DESCRIBED, game, level
from pathnet_evo_labyrinth.chart import chart
from pathnet_evo_labyrinth.level import CELL, LevelError, load, read
from pathnet_evo_labyrinth.level import drawn as with_drawn
from pathnet_evo_labyrinth.task import LabyrinthSettings
from pathnet_evo_labyrinth.wad import png

ROOM = """
seconds = 5
rewards = {{ apple = 1 }}
{more}
map = '''
{rows}
'''
"""


def room(rows="#####\n#>.a#\n#####", more=""):
    return ROOM.format(rows=rows, more=more)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (room("#####\n#>.a.\n#####"), "hole at row 1, column 4.*put a wall"),
        (room("#####\n#>.a#\n## ##"), "hole at row 1, column 2"),
        (room("#####\n#>?a#\n#####"), "row 1, column 2: '\\?' is undefined"),
        (room("#####\n#..a#\n#####"), "no start: "),
        (room("#####\n#>..#\n#####"), "rewards: there is no apple"),
        (room(more="over = { things = ['melon'] }"), "over.things: there is no melon"),
        (
            room(more="things = [{ kind = 'lemon', at = [1, 9] }]"),
            "things.0: lemon at row 1, column 9 is outside the floor",
        ),
        (
            room(more="things = [{ kind = 'lemon', at = [0, 2] }]"),
            "things.0: lemon at row 0, column 2 is outside",
        ),
        (room(more="things = [{ kind = 'pear', at = [1, 2] }]"), "things.0.kind: Input should be"),
        (room().replace("apple = 1", "apple = nan"), "rewards.apple: Input should be a finite"),
        (room(more="colour = 'red'"), "colour: Extra inputs are not permitted"),
        (room(more="seconds = 7"), "not TOML: Cannot overwrite"),
        (room("#" * 65), "the map is 1 x 65 cells"),
        ("seconds = 5", "map: Field required"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(text, complaint):
    """Broken: an author would look at a crash of the engine instead."""
    with pytest.raises(LevelError, match=f"^level mine: {complaint}") as caught:
        read(text, "mine")
    assert "\n" not in str(caught.value)


def test_errors_of_settings(tmp_path):
    """Broken: a mistake would end in a traceback."""
    context = TaskContext(Streams(0))
    with pytest.raises(
        ValidationError, match="unknown level 'lt_chasn'. Did you mean \"lt_chasm\""
    ):
        LabyrinthSettings(level="lt_chasn")
    with pytest.raises(ValidationError, match="'vizdoom' or 'dmlab'"):
        LabyrinthSettings(engine="quake")
    with pytest.raises(TaskError, match="cannot be read"):
        LabyrinthSettings(level=str(tmp_path / "none.toml")).make(context)
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        LabyrinthSettings(size=0)  # would be the default
    for size in (7, 1300):
        with pytest.raises(TaskError, match=f"{size} x {size} pixels cannot be given: from 8 x 8"):
            LabyrinthSettings(size=size).make(context)
    with pytest.raises(TaskError, match=r"the pool takes \(4, 84, 84\)"):
        LabyrinthSettings().make(TaskContext(Streams(0), 0, [], (4, 84, 84)))


def test_errors_of_what_is_not_there(monkeypatch, tmp_path):
    """Broken: who lacks an extra, or a folder to write to, would not learn the way out."""
    context = TaskContext(Streams(0))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file" / "below"))
    (tmp_path / "file").write_text("")
    with pytest.raises(TaskError, match="cannot be kept in .*XDG_CACHE_HOME"):
        LabyrinthSettings().make(context)
    find = sys.modules["importlib.util"].find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec",
        lambda name, *rest: None if name in ("vizdoom", "labmaze") else find(name, *rest),
    )
    with pytest.raises(
        TaskError, match=r"needs vizdoom, .* pip install 'pathnet-evo\[labyrinth\]'"
    ):
        LabyrinthSettings().make(context)
    with pytest.raises(LevelError, match="nav_maze needs labmaze, which is not installed"):
        level("nav_maze")
    monkeypatch.setattr(sys, "version_info", (3, 13))
    with pytest.raises(LevelError, match="none for Python 3.13 or newer"):
        level("nav_maze")


def test_a_mistake_at_the_command_line(capsys, monkeypatch, tmp_path):
    """Broken: the user would see a traceback, or status 1."""
    monkeypatch.chdir(tmp_path)
    for setting, said in (
        ("level=stairway", "unknown level 'stairway'"),
        ("skill=5", "it has no opponents"),
    ):
        command = ["pathnet-evo", "run", "labyrinth", "--set", f"stages.0.task.{setting}"]
        monkeypatch.setattr(sys, "argv", command)
        with pytest.raises(SystemExit) as caught:
            main()
        assert caught.value.code == 2
        told = capsys.readouterr().err
        assert "stages.0.task" in told
        assert said in told
        assert "Traceback" not in told


def test_a_level_of_ones_own(lanes, player, tmp_path):
    """Broken: the twenty lines of the documentation would not be a level."""
    file = tmp_path / "mine.toml"
    file.write_text(
        """
about = "An apple across a pit, a melon on a shelf."
seconds = 30
rewards = { apple = 2.5, melon = -3 }
over = { things = ["melon"] }
things = [{ kind = "apple", at = [1.0, 2.3] }]
map = '''
########
#>..~.a#
#.####.#
#......#
#s######
#t#
###
'''

[cells]
s = { floor = 20, ground = "STEPS" }
t = { floor = 40, thing = "melon", sides = "PANEL" }
"""
    )
    walker = player.Player(lanes(str(file)))
    for thing in sorted(walker.layout.things, key=lambda t: (t.kind, t.x)):
        walker.walk(thing)
    assert [r for r in walker.rewards if r] == [2.5, 2.5, -3]
    assert walker.over


def test_counts_are_those_of_lab():
    """Broken: scores could not be compared with those in DeepMind Lab."""
    counts = {}
    for name in DESCRIBED:
        kinds = [thing.kind for thing in level(name).layouts[0].things]
        counts[name] = {kind: kinds.count(kind) for kind in sorted(set(kinds))}
    assert counts["seekavoid_arena"] == {"apple": 15, "lemon": 8}
    assert counts["stairway_to_melon"] == {"apple": 14, "lemon": 1, "melon": 1}
    assert counts["lt_chasm"]["opponent"] == 4
    assert [level(name).seconds for name in DESCRIBED] == [600, 20, 60]
    assert len(level("lt_chasm").layouts) == 6
    assert dict(level("stairway_to_melon").rewards) == {"apple": 1, "lemon": -1, "melon": 20}


def test_drawn_levels_repeat_by_seed():
    """Broken: the arms of a seed would play different levels."""
    drawn = [level("seekavoid_arena", placement="drawn", seed=seed) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert len(set(drawn[0].layouts)) == len(drawn[0].layouts) == ARRANGEMENTS
    for layout in drawn[0].layouts:
        places = {(thing.x, thing.y) for thing in layout.things}
        assert len(places) == 23, "no two things on one cell"
        assert all(layout.at(*place) and not layout.at(*place).wall for place in places)


def test_a_level_without_room_for_what_is_drawn():
    """Broken: an author would see an error of NumPy's that names no level."""
    full = read(room("#####\n#>aa#\n#####"), "mine")
    layout = full.layouts[0]
    crowded = replace(layout, things=layout.things * 2)
    with pytest.raises(LevelError, match="level mine: 4 things to eat, but only 2 free cells"):
        with_drawn(replace(full, layouts=(crowded,)), 1, np.random.default_rng(0))


def test_skill_is_in_the_actors():
    """Broken: all opponents would be alike."""
    texts = {decorate(level("lt_chasm", skill=skill)) for skill in range(1, 6)}
    assert len(texts) == 5


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"level": "my_way_home", "skill": 5}, "skill = 5 would do nothing: it has no opponents"),
        ({"level": "nav_maze", "skill": 1}, "skill = 1 would do nothing: it has no opponents"),
        ({"level": "seekavoid_arena", "skill": 5}, "skill = 5 would do nothing"),
        ({"level": "deadly_corridor", "placement": "drawn"}, 'placement = "drawn" would do'),
        ({"level": "nav_maze", "placement": "drawn"}, 'placement = "drawn" would do nothing'),
        ({"level": "lt_chasm", "placement": "drawn"}, 'placement = "drawn" would do nothing'),
        ({"level": "deadly_corridor", "arrangement": 7}, "nothing in it is sampled. Leave it out$"),
        ({"level": "lt_chasm", "arrangement": 7}, "nothing in it is sampled. Leave it out$"),
        ({"arrangement": 7}, 'sampled. Leave it out, or set placement = "drawn"$'),
    ],
)
def test_options_that_a_level_does_not_have(options, said):
    """Broken: an option would be dropped, and results be taken for those of another level."""
    pytest.importorskip("vizdoom", reason="vizdoom is not installed")
    if options.get("level") == "nav_maze":
        pytest.importorskip("labmaze", reason="labmaze is not installed (none for Python 3.13)")
    settings = LabyrinthSettings(**options)
    with pytest.raises(LevelError, match=f"^level {settings.level}: .*{said}") as refused:
        settings.make(TaskContext(Streams(0)))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("option", [{"skill": 5}, {"placement": "drawn"}, {"arrangement": 7}])
def test_lab_has_no_such_options(option):
    """Broken: DeepMind Lab's levels would ignore them."""
    with pytest.raises(ValidationError, match=f'"dmlab" has no {next(iter(option))}'):
        LabyrinthSettings(engine="dmlab", **option)


def test_options_that_a_level_has():
    """Broken: the engine would play at another skill than was asked for, or than it did before."""
    pytest.importorskip("vizdoom", reason="vizdoom is not installed")
    assert game("deadly_corridor").skill == 5
    assert game("deadly_corridor", skill=2).skill == 2
    usual = game("deadly_corridor").identity
    assert game("deadly_corridor", skill=2).identity != usual
    assert game("deadly_corridor", skill=5).identity == usual
    assert game("lt_chasm").identity == game("lt_chasm", skill=3).identity
    assert game("my_way_home").identity == game("my_way_home", skill=3).identity


def test_states_stand_one_a_line():
    """Broken: the engine would die of a segmentation fault on what we generate."""
    good = decorate(level("lt_chasm"))
    check_states(good)
    for bad in ("TNT1 A 1 A_Look loop", "Wait:", "BOTS A 1; BOTS B 1", "BOTS A", "goto"):
        with pytest.raises(ValueError, match="not one state"):
            check_states(good.replace("    BOTS A 5 A_Look\n", f"    {bad}\n"))


def test_the_cache_mends_itself(tmp_path, monkeypatch):
    """Broken: a file cut short by a full disk would crash every engine from then on."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    found = level("seekavoid_arena")
    file = build.built(found)
    whole = file.read_bytes()
    kind, lumps, directory = struct.unpack("<4sii", whole[:12])
    assert (kind, len(whole)) == (b"PWAD", directory + 16 * lumps)
    file.write_bytes(whole[:100])
    assert build.built(found) == file
    assert file.read_bytes() == whole
    assert [entry.name for entry in file.parent.iterdir()] == [file.name]
    other = build.built(level("seekavoid_arena", placement="drawn"))
    assert other != file


def test_pictures_are_png(tmp_path):
    """Broken: textures and sprites would be missing in the engine."""
    pixels = np.random.default_rng(0).integers(256, size=(5, 7, 4), dtype=np.uint8)
    file = tmp_path / "x.png"
    file.write_bytes(png(pixels, (3, 5)))
    assert np.array_equal(np.asarray(Image.open(file)), pixels)
    assert b"grAb" + struct.pack(">ii", 3, 5) in file.read_bytes()


def test_chart():
    """Broken: the map would not show the level, or the way that was taken."""
    layout = level("seekavoid_arena").layouts[0]
    plain = chart(layout, pixels=10)
    assert plain.shape == (10 * len(layout.cells), 10 * len(layout.cells[0]), 3)
    assert plain[5, 5, 0] > plain[5, 5, 1], "brick"
    assert plain[25, 45, 1] > plain[25, 45, 0], "grass"
    way = [((2.5 + i) * CELL, 9.5 * CELL) for i in range(4)]
    changed = (chart(layout, way, pixels=10) != plain).any(2)
    rows, columns = np.nonzero(changed)
    assert 13 <= rows.min() <= rows.max() <= 17
    assert (columns.min(), columns.max()) == pytest.approx((25, 56), abs=3)


def test_the_plugin_registers_the_task():
    """Broken: configurations could not name the labyrinth."""
    registry = Registry([EntryPoint("labyrinth", "pathnet_evo_labyrinth", "pathnet_evo")])
    assert registry.get("tasks", "labyrinth") is LabyrinthSettings
    assert load  # what users' files go through


def test_length_is_an_option():
    """Broken: minutes of laser tag could not be made shorter."""
    pytest.importorskip("vizdoom", reason="vizdoom is not installed")
    assert game("lt_chasm").steps == 600 * 35 / 4
    assert game("lt_chasm", seconds=60).steps == 525
    assert game("my_way_home").steps == 525


def test_presets():
    """Broken: the published pair, or the matrix of all pairs, could not be run."""
    from importlib.resources import files

    from pathnet_evo.analysis.matrix import pairs
    from pathnet_evo.setup.config import parse, validate

    presets = files("pathnet_evo").joinpath("presets")
    levels = ["lt-chasm", "seekavoid-arena", "stairway-to-melon"]
    text = presets.joinpath("labyrinth-matrix.toml").read_text("utf-8")
    matrix = validate(parse(text, "labyrinth-matrix"))
    assert list(pairs(matrix)) == [(a, b) for a in levels for b in levels]
    assert matrix.transfer.duplication > 0
    pair = validate(parse(presets.joinpath("labyrinth.toml").read_text("utf-8"), "labyrinth"))
    for stage in (*matrix.stages, *pair.stages):
        options = {key: value for key, value in stage.task.items() if key != "name"}
        assert LabyrinthSettings(**options).level in DESCRIBED
