import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def site(tmp_path) -> Path:
    """A folder that takes installed packages."""
    folder = tmp_path / "site"
    folder.mkdir()
    return folder


@pytest.fixture
def install(site):
    """Install a module as pip would, with an entry point; returns the module's file."""

    def put(name: str, source: str, group: str = "pathnet_evo") -> Path:
        module = name.replace("-", "_")
        (site / f"{module}.py").write_text(source)
        info = site / f"{module}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text(f"[{group}]\n{name} = {module}\n")
        return site / f"{module}.py"

    return put


@pytest.fixture
def program(site, tmp_path):
    """Run ``pathnet-evo`` as a user would, in a folder of its own."""

    def run(*arguments: str, chosen: str | None = None, status: int = 0):
        env = {**os.environ, "PYTHONPATH": str(site), "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
        env.pop("PATHNET_EVO_PLUGINS", None)
        if chosen is not None:
            env["PATHNET_EVO_PLUGINS"] = chosen
        code = "from pathnet_evo.cli import main; main()"
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code, *arguments],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == status, done.stderr
        assert "Traceback" not in done.stderr, done.stderr
        return done

    return run


@pytest.fixture
def listed(program):
    """What ``pathnet-evo plugins --json`` says, by name."""

    def ask(chosen: str | None = None) -> dict:
        plugins = json.loads(program("plugins", "--json", chosen=chosen).stdout)
        return {plugin["name"]: plugin for plugin in plugins}

    return ask


@pytest.fixture
def small(tmp_path):
    """A configuration that takes a second; what is given goes to its top."""

    def write(top: str = "", name: str = "small.toml", **changes: str) -> str:
        parts = {
            "strategy": 'name = "binary-tournament"',
            "learner": 'name = "sgd"',
            "layers": '[{ kind = "linear", units = 4 }]',
            "task": '{ name = "digits", classes = [0, 1], examples = 20 }',
            **changes,
        }
        text = f"""
{top}
arms = ["pathnet"]
[pool]
modules = 4
width = 2
layers = {parts["layers"]}
[strategy]
{parts["strategy"]}
population = 4
[learner]
{parts["learner"]}
n_batches = 2
[[stages]]
generations = 2
task = {parts["task"]}
"""
        (tmp_path / name).write_text(text)
        return name

    return write
