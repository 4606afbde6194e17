"""A run goes on with other data than it began with."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

import pathnet_evo
from pathnet_evo import load_run
from pathnet_evo.cli import app
from pathnet_evo.core.modules import ShapeError
from pathnet_evo.core.streams import Streams
from pathnet_evo.errors import UserError
from pathnet_evo.interfaces.records import Evaluated
from pathnet_evo.running.checking import inspect
from pathnet_evo.store.reading import RunError
from pathnet_evo.store.same_data import DataError
from pathnet_evo_images.source import decoded
from pathnet_evo_sgd.learner import SGD

FIXTURES = Path(__file__).parents[2] / "fixtures"
CLASSES = ("ants", "bees", "cats")


def pictures(folder: Path, first: int, n: int, size: int = 4) -> None:
    """Write grey pictures that nobody else has."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(first, first + n):
        rng = np.random.default_rng([i, *folder.name.encode()])
        pixels = rng.integers(0, 256, (size, size), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.png")


@pytest.fixture
def tree(home):
    """A tree of images of three classes, 6 training and 3 test images of each."""
    for name in CLASSES:
        pictures(home / "birds/train" / name, 0, 6)
        pictures(home / "birds/test" / name, 100, 3)
    return home / "birds"


@pytest.fixture
def of_tree(small):
    """A run of two stages on that tree."""
    task = {"name": "folder", "root": "birds"}
    stages = [{"name": name, "task": task, "generations": 4} for name in ("first", "second")]
    return lambda **sections: {"name": "birds", **small, "stages": stages, **sections}


def called(*arguments) -> tuple[int, str]:
    """Exit status and the line that a user's mistake is answered with."""
    result = CliRunner().invoke(app, list(map(str, arguments)))
    error = result.exception
    if error is not None and not isinstance(error, UserError | SystemExit):
        raise error
    return result.exit_code, str(error) if isinstance(error, UserError) else result.output


def add_images(tree: Path) -> None:
    pictures(tree / "train/ants", 50, 20)


def add_a_class(tree: Path) -> None:
    pictures(tree / "train/dogs", 0, 6)
    pictures(tree / "test/dogs", 100, 3)


def change_the_size(tree: Path) -> None:
    for file in tree.rglob("*.png"):
        with Image.open(file) as image:
            changed = image.resize((6, 6))
        changed.save(file)


def repaint_one(tree: Path) -> None:
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(tree / "train/bees/3.png")


def rename_a_class(tree: Path) -> None:
    for split in ("train", "test"):
        (tree / split / "cats").rename(tree / split / "cows")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "says"),
    [
        (add_images, "birds: 38 training examples, the run began with 18"),
        (add_a_class, "24 training examples, the run began with 18"),
        (change_the_size, r"input shape \[1, 6, 6\], the run began with \[1, 4, 4\]"),
        (repaint_one, "birds: other training inputs, shift, scale than the run began with"),
        (rename_a_class, "class names: cows is new, cats is gone"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
@pytest.mark.parametrize("stage", [0, 1], ids=["in its first stage", "in its second"])
def test_changed_a_tree_under_an_interrupted_run(tree, change, says, stage, of_tree, interrupted):
    """Half of a run would be learned on other images, or it would end in a traceback."""
    run = interrupted(of_tree(), stage)
    before = (run / "lineage.sqlite").read_bytes()
    shutil.copytree(tree, "kept")
    change(tree)
    decoded.cache_clear()
    with pytest.raises(DataError, match=says) as refusal:
        pathnet_evo.resume(run)
    assert "\n" not in str(refusal.value)
    assert (run / "lineage.sqlite").read_bytes() == before
    code, line = called("resume", run)
    assert code
    assert str(refusal.value) == line
    shutil.rmtree(tree)
    shutil.move("kept", tree)
    decoded.cache_clear()
    whole = pathnet_evo.launch(of_tree(), name="whole")
    assert pathnet_evo.resume(run).summary["digest"] == whole.summary["digest"]
    assert not inspect(run).problems


@pytest.mark.slow
def test_accepted_more_images(tree, of_tree, interrupted, rows):
    """It could not be resumed at all, or nobody could see later that the data had changed."""
    run = interrupted(of_tree(arms=["pathnet", "fine-tuning"]), 1)
    add_images(tree)
    code, line = called("resume", run, "--accept-changed-data")
    assert code == 0, line
    found = rows(run, "SELECT trial, stage, number, evaluation, fingerprint FROM data")
    counts = [(*row[:4], json.loads(row[4])["training examples"]) for row in found]
    assert counts == [
        (0, 0, 0, 0, 18),
        (0, 0, 1, 8, 38),
        (0, 1, 0, 0, 18),
        (0, 1, 1, 2, 38),
        (1, 0, 0, 0, 38),
        (1, 1, 0, 0, 38),
    ]
    (sitting,) = json.loads((run / "about.json").read_text())["resumed"]
    assert "stages.0.task: birds: 38 training examples" in sitting["accepted"][0]
    assert not inspect(run).problems
    assert pathnet_evo.resume(run).network("first").path


@pytest.mark.slow
def test_accepted_a_class_more(tree, of_tree, interrupted):
    """A readout of three classes would be trained on four: a traceback."""
    run = interrupted(of_tree(), 0)
    add_a_class(tree)
    with pytest.raises(DataError, match="do not fit these data: restore the old data"):
        pathnet_evo.resume(run, accept_changed_data=True)


@pytest.mark.slow
def test_changed_the_images_of_a_stage_that_one_seed_had_learned(tree, of_tree, interrupted, rows):
    """Seeds of one run would be learned on different data, and compared."""
    config = of_tree(seeds=2, stages=of_tree()["stages"][:1])
    run = interrupted(config, 0, trial=1)
    assert rows(run, "SELECT trial, state FROM trials")[0] == (0, "finished")
    shutil.rmtree(run / "checkpoints/pathnet-1")
    add_images(tree)
    with pytest.raises(DataError, match="38 training examples"):
        pathnet_evo.resume(run)


@pytest.mark.slow
@pytest.mark.parametrize(
    "sections", [{"arms": ["pathnet", "independent"]}, {"seeds": 2}, {"seeds": 2, "noise": 0.2}]
)
def test_changed_the_images_while_the_run_went_on(tree, sections, of_tree, rows):
    """The second arm, or seed, would be compared with the first on other data."""

    def heard(record) -> None:
        if isinstance(record, Evaluated) and record.number == 0:
            add_images(tree)

    sections = dict(sections)
    noise = sections.pop("noise", 0.0)
    task = {"name": "folder", "root": "birds", "noise": noise}
    config = of_tree(stages=[{"task": task, "generations": 4}], **sections)
    with pytest.raises(DataError, match="38 training examples, the run began with 18"):
        pathnet_evo.launch(config, name="run", on_record=heard)
    assert rows(Path("runs/run"), "SELECT state FROM trials")[0] == ("finished",)


@pytest.mark.slow
def test_resumed_a_run_of_an_earlier_version(rows):
    """Everything that was learned before there were fingerprints would be lost."""
    for kept in sorted(FIXTURES.glob("run-schema-*")):
        run = Path(shutil.copytree(kept, kept.name))
        assert load_run(run).task(0).name
        assert load_run(run).network(0).input_shape in (None, (1, 8, 8))
        assert pathnet_evo.resume(run, ["seeds=3"]).summary["state"] == "finished"
        begun = rows(run, "SELECT DISTINCT trial, stage FROM data")
        assert {(4, 0), (4, 1), (5, 0), (5, 1)} <= set(begun)


@pytest.mark.slow
def test_used_a_network_on_other_images(tree, of_tree):
    """Scores of a frozen path would be those of images that it never was meant for."""
    run = pathnet_evo.launch(of_tree(), name="run")
    task = run.task("first")
    network = run.network("first", task=task)
    score = SGD().score(network, task, Streams(0))["test_accuracy"]
    assert score == run.summary["arms"]["pathnet"]["stages"][0]["scores"]["test_accuracy"]["mean"]
    with pytest.raises(ShapeError, match=r"takes \(batch, 1, 4, 4\), got \(2, 1, 5, 5\)"):
        network(torch.zeros(2, 1, 5, 5))
    add_images(tree)
    with pytest.raises(RunError, match="'first': .* 38 training examples"):
        run.task("first")
    assert len(run.task("first", accept_changed_data=True).inputs) == 38
    other = replace(task, labels=task.labels.flip(0))
    with pytest.raises(RunError, match="other training labels"):
        run.network("first", task=other)


@pytest.mark.slow
def test_put_a_checkpoint_of_other_data_into_a_run(tree, of_tree):
    """``network()`` would give what was learned on data that the run does not name."""
    run = pathnet_evo.launch(of_tree(), name="run").folder
    with closing(sqlite3.connect(run / "lineage.sqlite")) as db, db:
        (text,) = db.execute("SELECT fingerprint FROM data WHERE stage = 0").fetchone()
        changed = text.replace('"training examples":18', '"training examples":17')
        db.execute("UPDATE data SET fingerprint = ? WHERE stage = 0", (changed,))
    with pytest.raises(RunError, match="are not those in the lineage"):
        load_run(run).network("first")
    assert any("are not those in the lineage" in line for line in inspect(run).problems)


@pytest.mark.slow
def test_played_an_environment_that_is_another_now(monkeypatch, small):
    """A score would be shown of an environment that nothing was learned on."""
    learner = {"name": "a3c", "num_envs": 2, "episodes": 1, "score_episodes": 1, "threads": 1}
    stages = [{"task": "gym", "frames": 40}]
    run = pathnet_evo.launch({**small, "name": "pole", "learner": learner, "stages": stages})
    assert called("play", run.folder)[0] == 0
    monkeypatch.setattr(
        "pathnet_evo_gym.task.fingerprint.package",
        lambda module: {"gymnasium": "99.0"},
        raising=True,
    )
    code, line = called("play", run.folder)
    assert code
    assert "gymnasium 99.0, the run began with" in line
    assert called("play", run.folder, "--accept-changed-data")[0] == 0
