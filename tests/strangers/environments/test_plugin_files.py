"""Plugin files that bring environments."""

from __future__ import annotations

import sys

import gymnasium
import pytest

import pathnet_evo
from pathnet_evo.plugins.files import PluginFile, import_file
from pathnet_evo.plugins.registry import Registry
from pathnet_evo_gym.task import GymSettings

pytestmark = pytest.mark.timeout(120)


MAZES = """
import gymnasium, numpy as np

class Maze(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(0, 1, (2,))
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros(2, np.float32), {}

    def step(self, action):
        return np.zeros(2, np.float32), 1.0, True, False, {}
"""


REGISTER = 'import gymnasium\ngymnasium.register("Files/%s-v0", entry_point="%s")\n'


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """Write a plugin file, and modules beside it; all is forgotten afterwards."""
    known, paths, modules = dict(gymnasium.registry), list(sys.path), set(sys.modules)

    def write(name, source, **beside):
        for module, text in beside.items():
            (tmp_path / f"{module}.py").write_text(text)
        (tmp_path / name).write_text(source)
        return tmp_path / name

    yield write
    sys.path[:] = paths
    for name in set(sys.modules) - modules:
        if "strange" in name:
            del sys.modules[name]
    gymnasium.registry.clear()
    gymnasium.registry.update(known)


@pytest.mark.slow
def test_a_plugin_that_only_registers_an_environment(plugin, tmp_path, run_of):
    """A file would be refused that does just what the message about modules asks for."""
    file = plugin(
        "strange_plugin.py",
        REGISTER % ("Beside", "strange_mazes:Maze"),
        strange_mazes=MAZES,
    )
    task = {"id": "Files/Beside-v0"}
    run = pathnet_evo.launch(run_of(task), runs_dir=tmp_path / "runs", plugins=[file])
    assert run.summary["state"] == "finished"
    assert run.summary["stages"][0]["chance"]["mean"] == 1.0
    registry = Registry(files=[PluginFile(path=str(file))])
    assert registry.plugins[-1].names == {"environments": ["Files/Beside-v0"]}


@pytest.mark.slow
def test_workers_know_an_environment_of_a_plugin_file(plugin, tmp_path, run_of):
    """A run with workers would fail where one without succeeds."""
    file = plugin(
        "strange_plugin.py",
        REGISTER % ("Worker", "strange_mazes:Maze"),
        strange_mazes=MAZES,
    )
    config = run_of({"id": "Files/Worker-v0"}, workers=2)
    run = pathnet_evo.launch(config, runs_dir=tmp_path / "runs", plugins=[file])
    assert run.summary["state"] == "finished"


def test_a_plugin_whose_class_lies_in_the_file_itself(plugin):
    """The file's own name would not be found, or be imported a second time unchecked."""
    file = plugin("strange_own.py", MAZES + REGISTER % ("Own", "strange_own:Maze"))
    module, _ = import_file(PluginFile(path=str(file)))
    assert type(GymSettings(id="Files/Own-v0").environment().unwrapped) is module.Maze
    assert "strange_own" not in sys.modules


def test_a_plugin_that_imports_what_registers(plugin):
    """Whether a file is a plugin would depend on what else was imported before."""
    source = MAZES + 'gymnasium.register("Files/Import-v0", entry_point=Maze)\n'
    file = plugin("strange_importing.py", "import strange_lib\n", strange_lib=source)
    for again in ("", "# edited\n"):
        file.write_text("import strange_lib\n" + again)
        registry = Registry(files=[PluginFile(path=str(file))])
        assert registry.plugins[-1].names == {"environments": ["Files/Import-v0"]}


def test_an_entry_point_that_leads_nowhere(plugin):
    """A run would find out when it makes the environment, by a traceback."""
    file = plugin("strange_lost.py", REGISTER % ("Lost", "strange_nowhere:Maze"))
    with pytest.raises(
        pathnet_evo.errors.UserError, match="module strange_nowhere is neither"
    ) as raised:
        Registry(files=[PluginFile(path=str(file))])
    assert "\n" not in str(raised.value)


def test_a_module_beside_that_has_the_name_of_another(plugin):
    """The other one would be played."""
    file = plugin("strange_name.py", REGISTER % ("Name", "colorsys:Maze"), colorsys=MAZES)
    with pytest.raises(pathnet_evo.errors.UserError, match="shadows .*rename yours"):
        Registry(files=[PluginFile(path=str(file))])


def test_a_file_that_imports_gymnasium_and_registers_nothing(plugin):
    """A file whose hook is not marked would be passed over in silence."""
    file = plugin("strange_empty.py", "import gymnasium\n")
    with pytest.raises(pathnet_evo.errors.UserError, match="implements no hook"):
        Registry(files=[PluginFile(path=str(file))])
