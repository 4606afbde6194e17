"""Configurations that nobody would write: each is answered, or run, and nothing else happens."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pathnet_evo import presets
from pathnet_evo.errors import UserError
from pathnet_evo.plugins.registry import Registry
from pathnet_evo.running import runner
from pathnet_evo.setup import preparing
from pathnet_evo.setup.config import parse
from pathnet_evo.setup.plan import Plan

pytestmark = pytest.mark.slow

CASES = int(os.environ.get("PATHNET_EVO_FUZZ", "1500"))
"""How many configurations are tried; 10,000 take a minute or so."""
DIGITS = parse(presets.read("digits"), "digits")
NAMES = st.sampled_from(
    [
        "../x",
        "/tmp/x",
        "..",
        ".",
        "",
        "a/b",
        "x\0y",
        "a\nb",
        "~",
        "-x",
        "ä",
        "x" * 300,
        "run",
        "CON",
    ]
)
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.sampled_from([0, 1, -1, 2, 3]),
    st.floats(),
    st.text(max_size=8),
    NAMES,
    st.lists(st.integers(-1, 3), max_size=2),
    st.dictionaries(st.sampled_from(["name", "kind", "x"]), st.text(max_size=5), max_size=2),
)


def places(value, place=""):
    """All dotted places of a configuration."""
    parts = value.items() if isinstance(value, dict) else enumerate(value)
    for key, part in parts:
        here = f"{place}.{key}" if place else str(key)
        yield here
        if isinstance(part, dict | list):
            yield from places(part, here)


PLACES = st.one_of(
    st.sampled_from(sorted(places(DIGITS))),
    st.sampled_from(
        [
            "jobs",
            "device",
            "engine",
            "plugins",
            "observers",
            "checkpoints",
            "checkpoints.seconds",
            "pool.input_shape",
            "transfer.grow",
            "stages.*.threshold",
            "stages.*.task.root",
            "stages.9",
            "strategy.mutate",
            "strategy.select.name",
            "learner.optimizer_kwargs",
            "learner.optimizer",
        ]
    ),
    st.text(max_size=12),
)


def as_toml(value) -> str:
    """A value as TOML has it, or a text that is none."""
    try:
        return tomli_w.dumps({"v": value}).removeprefix("v = ").strip()
    except (TypeError, ValueError):
        return str(value)


@pytest.fixture(scope="module")
def registry() -> Registry:
    """All installed plugins, loaded once."""
    return Registry()


@pytest.fixture
def tried(registry, tmp_path, monkeypatch):
    """Make a run of a configuration ready, as ``pathnet-evo run`` does; the status it ends with."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Plan, "rehearse", lambda plan: None)
    runs = tmp_path / "runs"

    def call(source, sets=(), name=None) -> int:
        try:
            plan = preparing.prepare(source, sets, registry)
            folder = runner.create(plan, registry, runs, name)
        except UserError:
            return 2
        assert folder.parent == runs
        assert not folder.is_symlink()
        shutil.rmtree(folder)
        return 0

    yield call
    assert [p.name for p in tmp_path.iterdir() if p.name not in ("runs", "link")] == []
    assert {p.name for p in runs.iterdir()} <= {"link"} if runs.exists() else True


FUZZ = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@settings(FUZZ, max_examples=7 * CASES // 10)
@given(
    sets=st.lists(st.tuples(PLACES, VALUES), min_size=1, max_size=3),
    name=st.none() | NAMES | st.text(max_size=6),
)
def test_overrides(tried, sets, name):
    """A typing error would end in a traceback, or write where it should not."""
    tried("digits", [f"{place}={as_toml(value)}" for place, value in sets], name)


@settings(FUZZ, max_examples=2 * CASES // 10)
@given(data=st.data())
def test_files(tried, data):
    """A file that was cut off, or edited by a cat, would end in a traceback."""
    text = presets.read("digits")
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text)))
        cut = data.draw(st.integers(0, 12))
        text = text[:at] + data.draw(st.text(max_size=6)) + text[at + cut :]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "x.toml"
        file.write_text(text, encoding="utf-8")
        tried(file)


@settings(FUZZ, max_examples=CASES // 10)
@given(data=st.recursive(VALUES, lambda v: st.dictionaries(st.text(max_size=6), v, max_size=3)))
def test_anything(tried, data):
    """What a program hands over would end in a traceback."""
    source = data if isinstance(data, dict) else {"stages": data, "pool": data}
    tried({**source, "stages": source.get("stages", [{"task": "digits"}])})


def test_links_and_folders_that_are_there_are_not_written_into(tried, tmp_path):
    """A link planted in the folder of runs would let a run write anywhere."""
    victim = tmp_path / "runs" / "link"
    victim.parent.mkdir()
    target = tmp_path.parent / f"{tmp_path.name}-target"
    target.mkdir()
    victim.symlink_to(target)
    assert tried("digits", name="link") == 2
    assert tried("digits", ["name=link"]) == 0  # numbered, beside it
    assert list(target.iterdir()) == []
