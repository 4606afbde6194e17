"""Options that can be found: ``options``, ``plugins`` and ``schema``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pathnet_evo.plugins.registry import FAMILIES, PluginError, Registry

PLUGIN = '''
from pydantic import Field
from pathnet_evo import TaskSettings, hookimpl

class Parity(TaskSettings):
    """Parity of some bits."""

    bits: int = Field(6, ge=1)
    """Number of
    bits, in ``[1, 64]``."""
    plain: str

    def make(self, context):
        """Options are listed, no task is made."""

@hookimpl
def register_tasks(register):
    register("parity", Parity)
'''


def test_every_option_of_every_plugin_is_explained(command: Any) -> None:
    """A user would find a key without a word about it, or not at all."""
    found = json.loads(command("options", "--json").out, parse_constant=pytest.fail)
    registry = Registry()
    for family in FAMILIES:
        if family == "operators":
            continue
        listed = {s["name"]: s for s in found if s["kind"] in (family[:-1], "policy", "strategy")}
        for name in registry.names(family):
            plugin = registry.get(family, name)
            model = plugin.Settings if family == "strategies" else plugin
            assert {o["key"] for o in listed[name]["options"]} >= set(model.model_fields), name
    unexplained = [
        (section["kind"], section["name"], option["key"])
        for section in found
        if section["kind"] != "operator"
        for option in section["options"]
        if not option["meaning"]
    ]
    assert unexplained == []


def test_options_of_a_plugin(command: Any) -> None:
    """Whoever asks for the options of a task would not see type, default or meaning."""
    lines = command("options", "task", "digits").out.splitlines()
    at = lines.index("noise = 0.0  (number >= 0, <= 1)")
    assert lines[at + 1].startswith("    Share of pixels set to 0 or 255")
    assert "Override a key with --set 'stages.*.task.KEY=VALUE'." in lines
    assert "tournsize" in command("options", "operator", "selTournament").out
    assert "max_grad_norm = inf  (number > 0)" in command("options", "learner", "sgd").out


def test_options_of_a_plugin_file(command: Any) -> None:
    """The options of a one-file plugin could not be found."""
    Path("parity.py").write_text(PLUGIN)
    assert "parity" in command("options", "task", "--plugin", "parity.py").out
    (found,) = json.loads(
        command("options", "task", "parity", "--plugin", "parity.py", "--json").out
    )
    assert found["meaning"] == "Parity of some bits."
    assert found["options"] == [
        {
            "key": "bits",
            "type": "integer >= 1",
            "default": 6,
            "required": False,
            "meaning": "Number of bits, in `[1, 64]`.",
        },
        {"key": "plain", "type": "text", "default": None, "required": True, "meaning": ""},
    ]
    schema = json.loads(command("schema", "--plugin", "parity.py").out)
    assert schema["$defs"]["tasks.parity"]["properties"]["name"] == {"const": "parity"}


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("options", "tsk"), "kind 'tsk': unknown. Did you mean \"task\"? (have: task, "),
        (("options", "task", "digts"), "task 'digts': unknown. Did you mean \"digits\"? (have: "),
        (("options", "stream", "splt"), "stream 'splt': unknown. Did you mean \"split\"? (have: "),
        (("options", "pool", "x"), "pool 'x': pool is a section of its own, and has no names"),
        (("options", "task", "--plugin", "no.py"), "no.py: cannot be read (No such file"),
    ],
)
def test_what_is_not_there(arguments: tuple[str, ...], line: str, command: Any) -> None:
    """A misspelt kind or name would end in a traceback, or print nothing."""
    result = command(*arguments)
    assert (result.status, result.out) == (2, "")
    assert result.err.startswith(line)
    assert len(result.err.splitlines()) == 1


def test_streams_are_listed(command: Any) -> None:
    """What a benchmark's stages can be made of could not be found."""
    listed = dict(line.split(None, 1) for line in command("options", "stream").out.splitlines())
    assert {"split", "permuted", "rotated"} <= listed.keys()
    assert "parts" in command("options", "stream", "split").out


def test_a_broken_plugin_costs_only_its_own_options(
    command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One plugin that cannot be imported would hide what all others can be told."""
    whole = json.loads(command("options", "--json").out)
    get = Registry.get

    def broken(self: Registry, family: str, name: str) -> Any:
        if name == "svhn":
            raise PluginError("cannot be imported")
        return get(self, family, name)

    monkeypatch.setattr(Registry, "get", broken)
    left = json.loads(command("options", "--json").out)
    assert [s for s in whole if s["name"] != "svhn"] == left


def test_plugins_say_what_they_are(command: Any) -> None:
    """A user would see names, and not what they are for."""
    shown = command("plugins").out
    assert "images (pathnet_evo_images; pathnet-evo " in shown
    (line,) = [line for line in shown.splitlines() if line.startswith("  task svhn ")]
    assert line.split(None, 2)[2].startswith("SVHN's cropped digits")
    listed = {p["name"]: p for p in json.loads(command("plugins", "--json").out)}
    for plugin in listed.values():
        for family, names in plugin["about"].items():
            assert [name for name, text in names.items() if not text] == [], (family, plugin)
