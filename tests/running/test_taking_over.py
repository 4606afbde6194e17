"""Runs of a matrix with the same source learn it once."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pathnet_evo.plugins.registry import Registry
from pathnet_evo.running import holding, runner
from pathnet_evo.running.checking import inspect
from pathnet_evo.setup.preparing import prepare
from pathnet_evo.store.changes import same_beginning
from pathnet_evo.store.lineage import digest
from pathnet_evo.store.same_data import DataError

SMALL: dict[str, Any] = {
    "arms": ["pathnet", "independent", "random-columns"],
    "pool": {"modules": 6, "width": 2, "layers": [{"kind": "linear", "units": 6}]},
    "strategy": {"name": "racing"},
    "transfer": {"connect": "lateral", "initial_modules": "mixed"},
    "learner": {"name": "sgd", "n_batches": 2, "batch_size": 4, "momentum": 0.9},
}
SOURCE = {"name": "source", "generations": 6, "task": {"name": "digits", "classes": [0, 1, 2]}}


def pair(target: list[int], source: dict[str, Any] = SOURCE, **changes: Any) -> dict[str, Any]:
    """The configuration of a source and a target."""
    second = {"generations": 6, "task": {"name": "digits", "classes": target}}
    return {"name": "pair", **SMALL, "stages": [source, second], **changes}


def learn(folder: Path, config: dict[str, Any], *others: str) -> tuple[Path, dict[int, str | None]]:
    """Run it beside others; its folder, and where its trials began."""
    registry = Registry()
    plan = prepare(config, [], registry)
    home = runner.create(plan, registry, folder, "-".join(["run", *others]) if others else None)
    held = holding.hold(plan, home, registry, [folder / other for other in others])
    starts = {trial: start and start.place for trial, start in held.starts.items()}
    assert runner.proceed(held) == 0
    return home, starts


def test_a_source_is_learned_once(tmp_path):
    """A matrix would take almost twice as long, or its runs would differ from single ones."""
    learn(tmp_path, pair([3, 4, 5]))
    shared, starts = learn(tmp_path, pair([6, 7, 8]), "pair")
    assert starts == {
        0: "checkpoints/pathnet-0/stage-0",
        1: "checkpoints/independent-0/stage-0",
        2: "checkpoints/random-columns-0/stage-0",
    }
    alone, _ = learn(tmp_path / "alone", pair([6, 7, 8]))
    assert digest(shared / "lineage.sqlite") == digest(alone / "lineage.sqlite")
    assert not inspect(shared).problems
    about = json.loads((shared / "about.json").read_text())
    assert about["taken_over"] == dict.fromkeys(starts.values(), "pair")


def damage_a_checkpoint(run: Path) -> None:
    file = run / "checkpoints/pathnet-0/stage-0/weights.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"?")


def change_a_row(run: Path) -> None:
    with closing(sqlite3.connect(run / "lineage.sqlite")) as db, db:
        db.execute("UPDATE evaluations SET fitness = 1 WHERE trial = 0 AND evaluation = 1")


def lead_a_checkpoint_elsewhere(run: Path) -> None:
    with closing(sqlite3.connect(run / "lineage.sqlite")) as db, db:
        db.execute("UPDATE stages SET checkpoint = '../pair/x' WHERE trial = 0 AND stage = 0")


@pytest.mark.parametrize(
    "harm",
    [damage_a_checkpoint, change_a_row, lead_a_checkpoint_elsewhere],
    ids=lambda f: f.__name__,
)
def test_what_is_damaged_is_learned_again(tmp_path, harm):
    """A run would begin with damaged weights, or end because another one is damaged."""
    before, _ = learn(tmp_path, pair([3, 4, 5]))
    harm(before)
    shared, starts = learn(tmp_path, pair([6, 7, 8]), "pair")
    assert starts[0] is None
    assert starts[1] == "checkpoints/independent-0/stage-0"
    alone, _ = learn(tmp_path / "alone", pair([6, 7, 8]))
    assert digest(shared / "lineage.sqlite") == digest(alone / "lineage.sqlite")


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 1},
        {"pool": {**SMALL["pool"], "modules": 7}},
        {"learner": {**SMALL["learner"], "learning_rate": 0.01}},
        {"source": {**SOURCE, "generations": 5}},
    ],
    ids=["seed", "pool", "learner", "budget"],
)
def test_another_source_is_not_taken_over(tmp_path, changes):
    """A run would go on from a stage that it would have learned differently."""
    learn(tmp_path, pair([3, 4, 5]))
    _, starts = learn(tmp_path, pair([6, 7, 8], **changes), "pair")
    assert set(starts.values()) == {None}


def test_a_source_from_another_file_is_another_source():
    """A path of a task would be taken for the path of a plugin file, which may differ."""
    one, other = ({"stages": [{"task": {"name": "t", "path": f}}]} for f in ("a.npz", "b.npz"))
    assert not same_beginning(one, other)
    here, moved = ({"plugins": [{"path": f, "sha256": "1"}]} for f in ("a.py", "b.py"))
    assert same_beginning(here, moved)


def test_a_stage_of_another_version_is_not_taken_over(tmp_path):
    """A run would mix what two versions learned, and claim that one command repeats it."""
    before, _ = learn(tmp_path, pair([3, 4, 5]))
    about = json.loads((before / "about.json").read_text())
    (before / "about.json").write_text(json.dumps({**about, "torch": "1.0"}))
    _, starts = learn(tmp_path, pair([6, 7, 8]), "pair")
    assert set(starts.values()) == {None}


def test_runs_that_do_not_exist_yet(tmp_path):
    """The first run of a matrix would fail for want of the others."""
    (tmp_path / "empty").mkdir()
    _, starts = learn(tmp_path, pair([6, 7, 8]), "missing", "empty")
    assert set(starts.values()) == {None}


def test_a_source_whose_pictures_have_changed(tmp_path):
    """A target would follow a source that is no longer there, without a word."""
    for part in ("train", "test"):
        for name in ("ants", "bees"):
            (tmp_path / "tree" / part / name).mkdir(parents=True)
            for i in range(4):
                pixels = np.random.default_rng([i, len(part), *name.encode()])
                picture = Image.fromarray(pixels.integers(0, 256, (4, 4), dtype=np.uint8))
                picture.save(tmp_path / "tree" / part / name / f"{i}.png")
    source = {"generations": 4, "task": {"name": "folder", "root": str(tmp_path / "tree")}}
    target = {"task": {**source["task"], "classes": ["bees", "ants"]}}
    config = {**pair([3, 4]), "stages": [source, {**source, **target}]}
    learn(tmp_path, config)
    Image.new("L", (4, 4)).save(tmp_path / "tree/train/ants/0.png")
    with pytest.raises(DataError, match=r"stages\.0\.task.*Restore the old data"):
        learn(tmp_path, config, "pair")
