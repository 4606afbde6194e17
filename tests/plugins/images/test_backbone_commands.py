"""Backbones on the command line: a plugin file's, and mistakes that cost one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import pathnet_evo
from pathnet_evo.plugins.registry import PluginError

pytestmark = pytest.mark.slow
PLUGIN = """
import torch
from pathnet_evo import backbone

@backbone
def tiny():
    with torch.random.fork_rng():
        torch.manual_seed(5)
        network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.AdaptiveAvgPool2d(2))
    network.size = 8
    return network

def unmarked():
    return torch.nn.Identity()

@backbone
def text():
    return "no module"
"""


def with_backbone(small: Any, name: str) -> str:
    """A short configuration on a backbone's features."""
    task = (
        f'{{ name = "digits", classes = [0, 1], examples = 20, backbone = {{ name = "{name}" }} }}'
    )
    file: str = small(task=task)
    return file


def test_a_plugin_files_backbone(
    program: Any, small: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file with nothing but a backbone would be refused, or its network not be found again."""
    (tmp_path / "my_lab.py").write_text(PLUGIN)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    program("run", with_backbone(small, "my_lab:tiny"), "--plugin", "my_lab.py", "--name", "r")
    program("export", "runs/r", "--load-plugins", "--model", "m.safetensors", "--card", "card.md")
    assert "my\\_lab:tiny" in (tmp_path / "card.md").read_text()
    registry = pathnet_evo.Registry(files=[pathnet_evo_file(tmp_path / "my_lab.py")])
    network = pathnet_evo.load_network(tmp_path / "m.safetensors", registry)
    assert network.encoder is not None
    assert network.info.input_shape == (1, 8, 8)
    listed = {plugin.name: plugin.names for plugin in registry.plugins}
    assert listed["my_lab.py"]["backbones"] == ["my_lab:text", "my_lab:tiny"]
    with pytest.raises(PluginError, match='has no function "unmarked" marked with @backbone'):
        pathnet_evo.plugin_backbone("my_lab:unmarked")


def pathnet_evo_file(path: Path) -> Any:
    """A plugin file as a configuration names it."""
    from pathnet_evo.plugins.files import PluginFile

    return PluginFile(path=str(path))


def test_a_saved_network_without_its_plugin(
    program: Any, small: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who gets a file would not know what it lacks."""
    (tmp_path / "other_lab.py").write_text(PLUGIN)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    program(
        "run", with_backbone(small, "other_lab:tiny"), "--plugin", "other_lab.py", "--name", "r"
    )
    done = program("export", "runs/r", "--model", "m.safetensors", status=2)
    assert done.stderr.endswith("other_lab.py: --load-plugins executes it\n")
    assert not (tmp_path / "m.safetensors").exists()
    program("export", "runs/r", "--load-plugins", "--model", "m.safetensors")
    with pytest.raises(
        pathnet_evo.ModelError, match='backbone other_lab:tiny: module "other_lab" belongs to no'
    ):
        pathnet_evo.load_network(tmp_path / "m.safetensors")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("resnet81", 'no backbone "resnet81". Did you mean "resnet'),
        ("resnet18", "its weights are needed, and nothing is downloaded"),
        ("os:abort", 'module "os" belongs to no plugin'),
        ("my_lab:text", "gives a str, not a torch module"),
    ],
)
def test_mistakes_cost_one_line(
    program: Any, small: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, said: str
) -> None:
    """A user would read a traceback, or find half a run."""
    (tmp_path / "my_lab.py").write_text(PLUGIN)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    done = program("run", with_backbone(small, name), "--plugin", "my_lab.py", status=2)
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "runs").exists() or not list((tmp_path / "runs").iterdir())
