"""What strangers did with data: changed them under a run, gave what are no numbers, copied them."""

from __future__ import annotations

import json
import random
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
from pathnet_evo import SupervisedTask, TaskError, load_run
from pathnet_evo.cli import app
from pathnet_evo.core.genotype import PathError, PathShape
from pathnet_evo.core.kinds import Affine
from pathnet_evo.core.modules import ShapeError
from pathnet_evo.core.network import PathNetwork
from pathnet_evo.core.streams import Streams, borrow, lend
from pathnet_evo.errors import UserError
from pathnet_evo.interfaces.evaluations import Candidate, Episode, Evaluation
from pathnet_evo.interfaces.records import Checkpointed, Evaluated
from pathnet_evo.interfaces.tasks import EnvironmentTask
from pathnet_evo.running.checking import inspect
from pathnet_evo.store.reading import RunError
from pathnet_evo.store.same_data import DataError
from pathnet_evo_a3c.learner import A3C
from pathnet_evo_images.source import decoded
from pathnet_evo_sgd.learner import SGD, correct

FIXTURES = Path(__file__).parents[1] / "fixtures"
CLASSES = ("ants", "bees", "cats")
SMALL = {
    "arms": ["pathnet"],
    "pool": {"modules": 3, "width": 2, "layers": [{"kind": "linear", "units": 6}]},
    "strategy": {"name": "binary-tournament", "population": 2},
    "learner": {"name": "sgd", "n_batches": 2, "batch_size": 4},
    "checkpoints": {"evaluations": 2},
}


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A working folder of one's own, with nothing decoded yet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    decoded.cache_clear()
    return tmp_path


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


def of_tree(**sections) -> dict:
    """A run of two stages on that tree."""
    task = {"name": "folder", "root": "birds"}
    stages = [{"name": name, "task": task, "generations": 4} for name in ("first", "second")]
    return {"name": "birds", **SMALL, "stages": stages, **sections}


def interrupted(config: dict, stage: int, trial: int = 0) -> Path:
    """A run that was interrupted at its first checkpoint within a stage, of two evaluations."""

    def heard(record) -> None:
        if isinstance(record, Checkpointed) and (record.trial, record.stage) == (trial, stage):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pathnet_evo.launch(config, name="run", on_record=heard)
    return Path("runs/run")


def rows(run: Path, query: str) -> list[tuple]:
    with closing(sqlite3.connect(run / "lineage.sqlite")) as db:
        return db.execute(query).fetchall()


def called(*arguments) -> tuple[int, str]:
    """Exit status and the line that a user's mistake is answered with."""
    result = CliRunner().invoke(app, list(map(str, arguments)))
    error = result.exception
    if error is not None and not isinstance(error, UserError | SystemExit):
        raise error
    return result.exit_code, str(error) if isinstance(error, UserError) else result.output


# A run goes on with other data ------------------------------------------------------------


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
def test_changed_a_tree_under_an_interrupted_run(tree, change, says, stage):
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
def test_accepted_more_images(tree):
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
def test_accepted_a_class_more(tree):
    """A readout of three classes would be trained on four: a traceback."""
    run = interrupted(of_tree(), 0)
    add_a_class(tree)
    with pytest.raises(DataError, match="do not fit these data: restore the old data"):
        pathnet_evo.resume(run, accept_changed_data=True)


@pytest.mark.slow
def test_changed_the_images_of_a_stage_that_one_seed_had_learned(tree):
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
def test_changed_the_images_while_the_run_went_on(tree, sections):
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
def test_resumed_a_run_of_an_earlier_version():
    """Everything that was learned before there were fingerprints would be lost."""
    for kept in sorted(FIXTURES.glob("run-schema-*")):
        run = Path(shutil.copytree(kept, kept.name))
        assert load_run(run).task(0).name
        assert load_run(run).network(0).input_shape in (None, (1, 8, 8))
        assert pathnet_evo.resume(run, ["seeds=3"]).summary["state"] == "finished"
        begun = rows(run, "SELECT DISTINCT trial, stage FROM data")
        assert {(4, 0), (4, 1), (5, 0), (5, 1)} <= set(begun)


@pytest.mark.slow
def test_used_a_network_on_other_images(tree):
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
def test_put_a_checkpoint_of_other_data_into_a_run(tree):
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
def test_played_an_environment_that_is_another_now(monkeypatch):
    """A score would be shown of an environment that nothing was learned on."""
    learner = {"name": "a3c", "num_envs": 2, "episodes": 1, "score_episodes": 1, "threads": 1}
    stages = [{"task": "gym", "frames": 40}]
    run = pathnet_evo.launch({**SMALL, "name": "pole", "learner": learner, "stages": stages})
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


# Data that are no numbers -----------------------------------------------------------------


def toy(**parts) -> SupervisedTask:
    """A thousand examples of two classes."""
    x = torch.linspace(0, 1, 3000).view(1000, 3)
    y = torch.arange(1000) % 2
    given = {"inputs": x, "labels": y, "test_inputs": x[:10], "test_labels": y[:10]}
    return SupervisedTask(**{"name": "toy", "n_classes": 2, **given, **parts})


def holed(value: float, *at: int) -> torch.Tensor:
    x = torch.zeros(1000, 3)
    x[list(at), 1] = value
    return x


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"inputs": holed(torch.nan, 3, 17)}, r"training inputs are not finite .* rows 3, 17 of 1"),
        ({"inputs": holed(-torch.inf, *range(500, 510))}, "502, 503, 504 and 5 more of 1,000"),
        ({"test_inputs": holed(torch.inf, 9)[:10]}, "test inputs are not finite .* row 9 of 10"),
        ({"labels": torch.tensor([0, 1] * 499 + [7, -1])}, "outside 0 to 1 in rows 998, 999"),
        ({"test_inputs": torch.zeros(10, 3, dtype=torch.uint8)}, "float32, test inputs uint8"),
        ({"shift": torch.zeros(5, 3)}, r"shift of shape \(5, 3\) does not broadcast"),
        ({"scale": torch.zeros(2)}, r"scale of shape \(2,\) does not broadcast"),
        ({"scale": torch.tensor(torch.nan)}, "scale is not finite"),
        ({"shift": torch.zeros(3, dtype=torch.float64)}, "shift must be float32, not float64"),
        ({"class_names": ("a", "b", "c")}, "3 class names, 2 classes"),
        ({"sources": torch.arange(7)}, "one int64 a training example"),
    ],
)
def test_gave_a_task_what_are_no_numbers(parts, says):
    """It would train and score as if nothing were, or the learning rate would be blamed."""
    with pytest.raises(TaskError, match=f"toy: .*{says}"):
        toy(**parts)


class Nowhere(EnvironmentTask):
    """An environment that is never made."""

    def make(self, num_envs, seeds, *, render=False):
        raise NotImplementedError


def test_gave_an_environment_a_scale_of_another_shape():
    """Every observation would become one of another shape."""
    with pytest.raises(TaskError, match="scale of shape"):
        Nowhere("x", (3,), 2, scale=torch.ones(2, 3))
    with pytest.raises(TaskError, match="n_actions is 0"):
        Nowhere("x", (3,), 0)
    assert type(Nowhere("x", (np.int64(3),), np.int64(2)).n_actions) is int


def test_had_logits_that_are_no_numbers():
    """NaN is the largest of all numbers to ``argmax``: it would score for one class."""
    inf, nan = torch.inf, torch.nan
    logits = torch.tensor([[nan, 0.0], [0.0, nan], [inf, 0.0], [-inf, 3.0], [1.0, 2.0]])
    assert correct(logits, torch.tensor([0, 1, 0, 1, 1])) == 1
    assert correct(logits.view(1, 5, 2), torch.tensor([[0, 1, 0, 1, 1]])) == 1


def test_trained_an_actor_whose_outputs_are_no_numbers():
    """The first or the last action would be taken for ever, and scored."""
    weights = {"weight": torch.full((1, 3, 4), torch.nan), "bias": torch.zeros(1, 3)}
    network = PathNetwork([Affine(outputs=3)], [weights], path=())
    for learner in (A3C(), A3C(greedy=True)):
        with pytest.raises(TaskError, match="outputs are not finite"):
            learner.actions(network, torch.zeros(2, 4), torch.Generator())


# Examples that are copies -----------------------------------------------------------------


@pytest.mark.slow
def test_held_out_copies_of_digits():
    """Every source image would be in both halves, and overfitting would look like skill."""
    config = {
        **SMALL,
        "name": "digits",
        "stages": [{"task": {"name": "digits", "copies": 20, "noise": 0.3}, "generations": 1}],
    }
    task = pathnet_evo.launch(config, name="copies").task(0)
    kept, held = task.split(0.25, Streams(0).torch("held-out"))
    assert sorted([*kept.tolist(), *held.tolist()]) == list(range(len(task.inputs)))
    assert len(task.inputs) == 1442 * 20
    sources = len(task.inputs) // 20
    assert len(held) == round(0.25 * sources) * 20
    assert not {i % sources for i in kept.tolist()} & {i % sources for i in held.tolist()}
    assert (task.labels.view(20, -1) == task.labels[:sources]).all(), "copies follow one another"


def test_held_out_examples_of_a_task_of_ones_own():
    """A plugin that augments its data could not say so."""
    sources = torch.arange(1000) // 10
    kept, held = toy(sources=sources).split(0.2, torch.Generator().manual_seed(1))
    assert (len(kept), len(held)) == (800, 200)
    assert not set(sources[kept].tolist()) & set(sources[held].tolist())
    with pytest.raises(TaskError, match="0.001 of 100 sources of examples leaves none"):
        toy(sources=sources).split(0.001, torch.Generator())


# Generators and numbers of other libraries ------------------------------------------------

DRAWING = """
import random

import numpy as np
import torch

import pathnet_evo
from pathnet_evo import SupervisedTask, TaskSettings, hookimpl
from pathnet_evo_sgd.learner import SGD, SGDEvaluator


class Drawn(TaskSettings):
    def make(self, context):
        x = torch.rand(60, 3) + float(np.random.rand()) + random.random()
        y = torch.arange(60) % 2
        return SupervisedTask("drawn", x, y, x[:9], y[:9], np.int64(2))


class Drawing(SGD):
    def evaluator(self, context):
        return Evaluator(self, context)

    def score(self, network, task, streams):
        return {np.str_("drawn"): np.float32(float(torch.rand(1)) + np.random.rand())}


class Evaluator(SGDEvaluator):
    def advance(self):
        done = super().advance()
        return [
            pathnet_evo.Evaluation(
                e.candidate,
                np.float32(np.random.rand() + random.random()),
                examples=np.int32(e.examples),
                seconds=np.float64(e.seconds),
                metrics={np.str_("loss"): torch.rand(1)[0], "a": np.float32(np.random.normal())},
            )
            for e in done
        ]


def numpy_mutation(genotype):
    for row in genotype:
        for i in range(len(row)):
            row[i] = np.random.randint(3)
    row[0] = torch.randint(3, (1,))[0]
    return (genotype,)


@hookimpl
def register_tasks(register):
    register("drawn", Drawn)


@hookimpl
def register_learners(register):
    register("drawing", Drawing)


@hookimpl
def register_operators(register):
    register("numpy", numpy_mutation)
"""


@pytest.fixture
def drawing(home):
    """A run of a plugin that draws from every global generator, and tells numbers of NumPy's."""
    (home / "drawing.py").write_text(DRAWING)
    return {
        **SMALL,
        "name": "drawing",
        "plugins": ["drawing.py"],
        "strategy": {"name": "binary-tournament", "population": 4, "mutate": "numpy"},
        "learner": {"name": "drawing", "n_batches": 2, "batch_size": 4},
        "stages": [{"task": "drawn", "generations": 5}] * 2,
    }


@pytest.mark.slow
def test_drew_from_global_generators(drawing):
    """``deterministic: true`` would be said of runs that never come out twice the same."""
    first = pathnet_evo.launch(drawing, name="first")
    digest = first.summary["digest"]
    torch.rand(3), np.random.rand(3), random.random()
    before = random.getstate(), np.random.get_state(), torch.get_rng_state()
    assert pathnet_evo.launch(drawing, name="second").summary["digest"] == digest
    assert random.getstate() == before[0]
    assert str(np.random.get_state()) == str(before[1])
    assert torch.equal(torch.get_rng_state(), before[2])
    other = pathnet_evo.launch({**drawing, "seed": 1}, name="other")
    assert other.summary["digest"] != digest
    run = interrupted(drawing, 1)
    assert pathnet_evo.resume(run).summary["digest"] == digest
    told = rows(run, "SELECT fitness, metrics FROM evaluations")
    assert len(set(told)) == len(told) == 20, "rounds would repeat one another's draws"


@pytest.mark.slow
def test_drew_from_global_generators_in_one_worker(drawing):
    """An engine with one worker says that it is deterministic, and would not be."""
    one = {**drawing, "engine": {"name": "processes", "workers": 1}, "arms": ["pathnet"]}
    digests = {pathnet_evo.launch(one, name=name).summary["digest"] for name in ("a", "b")}
    assert len(digests) == 1


@pytest.mark.slow
def test_told_numbers_of_numpys_types(drawing):
    """They would be BLOBs in the lineage, or end the run."""
    run = pathnet_evo.launch(drawing, name="run")
    for table, columns in {
        "evaluations": {"fitness": "real", "examples": "integer", "metrics": "text"},
        "times": {"seconds": "real"},
        "stages": {"fitness": "real", "scores": "text", "genotype": "text"},
    }.items():
        for column, kind in columns.items():
            found = rows(run.folder, f"SELECT DISTINCT typeof({column}) FROM {table}")
            assert found == [(kind,)], (table, column)
    (genotype,) = rows(run.folder, "SELECT genotype FROM evaluations LIMIT 1")[0]
    assert all(type(gene) is int for row in json.loads(genotype) for gene in row)


def test_made_numbers_pythons_own():
    """An observer or a report would meet a type that JSON does not know."""
    candidate = Candidate(0, 0, ((0,),), None, 0)
    told = Evaluation(
        candidate, np.float32(0.5), None, np.int8(3), np.float16(1), {"a": np.int_(2)}
    )
    assert json.dumps([told.fitness, told.examples, told.seconds, told.metrics]) == (
        '[0.5, 3, 1.0, {"a": 2.0}]'
    )
    episode = Episode(np.int64(1), np.int64(2), torch.tensor(3.0), np.uint8(4), np.int64(5))
    assert json.dumps(vars(episode)) == (
        '{"candidate": 1, "slot": 2, "score": 3.0, "frames": 4, "at": 5}'
    )
    with pytest.raises(TypeError, match="whole number"):
        Evaluation(candidate, 0.5, examples=2.5)


@pytest.mark.parametrize("gene", [np.int64(2), np.uint8(2), torch.tensor(2), 2], ids=repr)
def test_made_genes_of_any_integer_type(gene):
    """An operator that draws with NumPy would be refused for a path that is one."""
    (row,) = PathShape(1, 3, 2).check([[0, gene]])
    assert row == (0, 2)
    assert type(row[1]) is int


@pytest.mark.parametrize("gene", [2.0, "2", True, None, np.float64(2), np.True_, 3, -1], ids=repr)
def test_made_genes_that_are_none(gene):
    """A module that does not exist would be asked for."""
    with pytest.raises(PathError, match="layer 0 has modules 0 to 2, got"):
        PathShape(1, 3, 2).check([[0, gene]])


def test_had_half_of_a_pair_of_normal_numbers():
    """A user's own draws would change with a run: NumPy keeps the second of two."""
    np.random.seed(3)
    wanted = np.random.normal(size=5).tolist()
    np.random.seed(3)
    seen = [np.random.normal()]
    with lend(random.Random(1)):
        np.random.rand(7), torch.rand(2)
    seen += [np.random.normal() for _ in range(4)]
    assert seen == wanted


def test_lent_all_three_generators():
    """An operator would give the same numbers each time, or others for an equal seed."""

    def draws(seed: int, times: int = 3) -> list[tuple[float, float]]:
        rng, seen = random.Random(seed), []
        for _ in range(times):
            with lend(rng):
                seen.append((np.random.rand(), float(torch.rand(1))))
        return seen

    with borrow():
        assert len(set(draws(1))) == 3
        assert draws(1) == draws(1) != draws(2)
    assert draws(1) == draws(1)
