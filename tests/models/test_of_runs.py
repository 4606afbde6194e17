"""Networks of runs: what a run's network is called, answers, and ships."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import pathnet_evo
from pathnet_evo import ModelError, Run, Signature, SupervisedTask, load_network, load_run

pytestmark = pytest.mark.slow
FIXTURES = Path(__file__).parents[1] / "fixtures"

IMAGES = {
    "name": "digits",
    "arms": ["pathnet", "random-columns"],
    "seeds": 2,
    "pool": {"modules": 6, "width": 2, "layers": [{"kind": "linear", "units": 8, "repeat": 2}]},
    "strategy": {"name": "binary-tournament", "population": 4},
    "learner": {"name": "sgd", "n_batches": 4},
    "transfer": {"connect": "lateral", "fitted_readout": True},
    "stages": [
        {"name": name, "task": {"name": "digits", "classes": classes}, "generations": 3}
        for name, classes in (("low", [0, 1, 2]), ("high", [7, 8]), ("2", [3, 4]))
    ],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A finished run of three stages that listen to one another."""
    runs = tmp_path_factory.mktemp("runs")
    return Path(pathnet_evo.launch(IMAGES, runs_dir=runs).folder)


@pytest.fixture
def run(folder) -> Run:
    return load_run(folder)


@pytest.mark.parametrize("arm", ["pathnet", "random-columns"])
@pytest.mark.parametrize("stage", [0, 1, 2])
def test_a_shipped_network_scores_what_the_run_says(run, arm, stage, tmp_path):
    """What is shipped would not be what was scored: columns of another arm, other weights."""
    run.network(stage, arm, seed=1).save(tmp_path / "m")
    network = load_network(tmp_path / "m")
    task = run.task(stage, arm, seed=1)
    said = run.summary["arms"][arm]["stages"][stage]["scores"]["test_accuracy"]["seeds"]["1"]
    names = [task.class_names[label] for label in task.test_labels.tolist()]
    right = [a == b for a, b in zip(network.predict(task.test_inputs).labels, names, strict=True)]
    assert np.mean(right) == pytest.approx(said)
    assert network.info.scores["test_accuracy"] == pytest.approx(said)
    assert len(network.info.networks) == 1 + stage
    assert network.info.fitted == (stage > 0)


def test_class_names_are_those_of_the_task(run):
    """A digit would be called by its position among the classes."""
    assert run.network("low").classes == ("0", "1", "2")
    assert run.network("high").classes == ("7", "8")


def test_class_names_are_kept_however_many_there_are(folder):
    """A fingerprint keeps a hundred names; a model of a thousand classes would have none."""
    names = tuple(f"species {i}" for i in range(300))
    x, labels = torch.zeros(300, 2), torch.arange(300)
    task = SupervisedTask("zoo", x, labels, x, labels, 300, class_names=names)
    kept = json.loads(Signature.of(task).model_dump_json())
    assert Signature.model_validate(kept).labels == names
    state = json.loads((folder / "checkpoints/pathnet-0/stage-0/state.json").read_text())
    assert state["stages"][0]["signature"]["names"] == ["0", "1", "2"]


def test_export_writes_all_that_is_asked_for(command, folder, run):
    """A user of the command line could not ship anything."""
    out = command(
        "export", str(folder), "--model", "m.safetensors", "--onnx", "m.onnx", "--card",
        "README.md", "--stage", "2", "--seed", "1", "--license", "CC-BY-4.0",
    )  # fmt: skip
    assert (out.status, out.out.split()) == (0, ["m.safetensors", "m.onnx", "README.md"])
    network = load_network("m.safetensors")
    assert (network.info.name, network.info.license) == ("2", "CC-BY-4.0"), "a name, not a number"
    card = Path("README.md").read_text()
    assert card.startswith("---\n")
    assert 'license: "CC-BY-4.0"' in card
    assert "mean of 2 seeds (95 % interval)" in card
    assert "stage 3 of 3" in card
    assert "paths of stages 1 and 2" in card


def test_export_takes_the_last_finished_stage(command, folder):
    """The default would be a stage that has no network, or an early one."""
    out = command("export", str(folder), "--model", "m", "--arm", "random-columns", "--seed", "1")
    assert out.status == 0
    info = load_network("m").info
    assert (info.stage, info.arm, info.seed) == (2, "random-columns", 1)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "say what: --csv DIR"),
        (["--model", "m", "--stage", "4"], "no stage 4 (have: 1 low, 2 high, 3 2)"),
        (["--model", "m", "--stage", "0"], "no stage 0"),
        (["--model", "m", "--stage", "hgih"], 'Did you mean "high"?'),
        (["--model", "m", "--arm", "pathnt"], 'Did you mean "pathnet"?'),
        (["--model", "m", "--seed", "7"], "no seed 7"),
        (["--model", "nowhere/m"], "nowhere/m: cannot be written"),
        (["--model", "m", "--card", "nowhere/c"], "nowhere/c: cannot be written"),
    ],
    ids=range(8),
)
def test_export_refuses_in_one_line(options, words, command, folder):
    """A slip would end in a traceback, or leave half of what was asked for."""
    out = command("export", str(folder), *options)
    assert out.status == 2
    assert words in out.err
    assert len(out.err.splitlines()) == 1
    assert not [path for path in Path().iterdir() if path.name in ("m", "c")]


def test_a_stage_that_did_not_finish_is_told(command, folder, tmp_path):
    """A user would get a network that nobody scored."""
    import sqlite3

    copy = shutil.copytree(folder, tmp_path / "copy")
    with sqlite3.connect(copy / "lineage.sqlite") as db:
        db.execute("UPDATE stages SET checkpoint = NULL, manifest = NULL WHERE stage > 0")
    db.close()
    out = command("export", str(copy), "--model", "m", "--stage", "high")
    assert (out.status, len(out.err.splitlines())) == (2, 1)
    assert "'high' of arm 'pathnet', seed 0, is not finished" in out.err
    assert command("export", str(copy), "--model", "m").status == 0
    assert load_network("m").info.name == "low"
    with sqlite3.connect(copy / "lineage.sqlite") as db:
        db.execute("UPDATE stages SET checkpoint = NULL, manifest = NULL")
    db.close()
    out = command("export", str(copy), "--model", "n")
    assert (out.status, out.err) == (2, f"{copy}: arm 'pathnet' has not finished a stage\n")
    assert not Path("n").exists()


def test_a_run_of_an_early_version_computes_and_says_what_is_missing(tmp_path):
    """An old run's network would be lost, or shipped with a shape that was guessed."""
    run = load_run(FIXTURES / "run-schema-1")
    network = run.network(0)
    assert torch.isfinite(network(torch.zeros(1, 1, 8, 8))).all()
    for use in (lambda: network.predict(np.zeros((1, 8, 8), np.uint8)), network.to_bytes):
        with pytest.raises(ModelError, match=r"run\.network\(stage, task=run\.task\(stage\)\)"):
            use()
    network = run.network(0, task=run.task(0))
    network.save(tmp_path / "m")
    assert load_network(tmp_path / "m").predict(run.task(0).test_inputs[:2]).labels


def test_a_player_acts_without_its_run(tmp_path):
    """A trained policy could only be watched, not used."""
    learner = {"name": "a3c", "num_envs": 4, "episodes": 1, "score_episodes": 2, "greedy": True}
    config = {
        "name": "pole",
        "pool": {"modules": 4, "width": 2, "layers": [{"kind": "linear", "units": 8}]},
        "strategy": {"name": "asynchronous-tournament", "population": 4},
        "learner": learner,
        "arms": ["pathnet"],
        "stages": [{"name": "earth", "task": {"name": "gym", "id": "CartPole-v1"}, "frames": 800}],
    }
    run = pathnet_evo.launch(config, runs_dir=tmp_path)
    network = run.network("earth")
    network.save(tmp_path / "m")
    player = load_network(tmp_path / "m")
    seen = torch.randn(50, 4, generator=torch.Generator().manual_seed(0))
    greedy = pathnet_evo.Registry().get("learners", "a3c")(greedy=True)
    wanted = greedy.actions(network, seen, torch.Generator())
    assert player.act(seen).tolist() == wanted.tolist()
    assert set(player.act(seen).tolist()) <= {0, 1}
    assert player.act(seen[0]) == int(wanted[0])
    with pytest.raises(ModelError, match=r"use act\(observation\)"):
        player.predict(seen)
