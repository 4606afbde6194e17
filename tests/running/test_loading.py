"""Reading networks back from a run that really learned, if little."""

from __future__ import annotations

import json
import shutil
import sqlite3
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch

from pathnet_evo import (
    Evaluation,
    Evaluator,
    Learner,
    LearningContext,
    SupervisedTask,
    TaskContext,
    TaskSettings,
    hookimpl,
)
from pathnet_evo.core.network import PathNetwork
from pathnet_evo.core.pool import ModulePool
from pathnet_evo.core.streams import Streams
from pathnet_evo.interfaces.evaluations import Candidate
from pathnet_evo.interfaces.records import StageFinished, TrialFinished, TrialStarted
from pathnet_evo.plugins.registry import Registry
from pathnet_evo.running.loading import Run, RunError, load_run
from pathnet_evo.setup.config import validate
from pathnet_evo.setup.resolving import resolve
from pathnet_evo.store import checkpoint
from pathnet_evo.store.folder import Folder
from pathnet_evo.store.lineage import Lineage
from pathnet_evo.trial.learned import Learned
from pathnet_evo.trial.trial import Checkpointer, learn_sequence

TOML = """
name = "tiny"
arms = ["pathnet", "independent", "fine-tuning"]
seed = 3
learner = "nudge"
strategy = {name = "binary-tournament", population = 4}
[pool]
modules = 6
width = 2
layers = [{kind = "linear", units = 5, repeat = 2}]
[[stages]]
name = "first"
task = {name = "blobs", n_classes = 3}
generations = 6
[[stages]]
name = "second"
task = {name = "blobs", n_classes = 2}
generations = 6
"""


class Blobs(TaskSettings):
    """Clouds of points, one a class."""

    n_classes: int = 2

    def make(self, context: TaskContext) -> SupervisedTask:
        """Three or two clouds around random centres."""
        draw = torch.Generator().manual_seed(context.stage)
        centres = torch.randn(self.n_classes, 4, generator=draw)
        labels = torch.arange(60) % self.n_classes
        inputs = centres[labels] + 0.3 * torch.randn(60, 4, generator=draw)
        shift, scale = inputs.mean(0), 1 / inputs.std(0)
        return SupervisedTask(
            "blobs", inputs, labels, inputs, labels, self.n_classes, shift=shift, scale=scale
        )


class Nudge(Learner):
    """One step of gradient descent on everything; fitness is the accuracy after it."""

    takes: ClassVar[type] = SupervisedTask
    fitness_name: ClassVar[str] = "accuracy"

    def outputs(self, task: SupervisedTask) -> int:
        """One logit a class."""
        return task.n_classes

    def evaluator(self, context: LearningContext) -> Evaluator:
        """One place."""
        return Nudging(context)

    def score(self, network: PathNetwork, task: Any, streams: Streams) -> dict[str, float]:
        """Accuracy."""
        right = network(task.test_inputs).argmax(1) == task.test_labels
        return {"test_accuracy": float(right.float().mean())}


class Nudging(Evaluator):
    def __init__(self, context: LearningContext) -> None:
        self.context = context
        self.waiting: list[Candidate] = []

    @property
    def free(self) -> int:
        """One place, free or not."""
        return 1 - len(self.waiting)

    def submit(self, candidate: Candidate) -> None:
        """Wait for ``advance``."""
        self.waiting.append(candidate)

    def advance(self) -> list[Evaluation]:
        """One step."""
        candidate, task, pool = self.waiting.pop(), self.context.task, self.context.pool
        lease = pool.lease(pool.active(candidate.genotype, False), self.context.head)
        logits = lease.forward(task.prepare(task.inputs))
        loss = torch.nn.functional.cross_entropy(logits, task.labels)
        loss.backward()  # type: ignore[no-untyped-call]
        with torch.no_grad():
            for values in lease.parameters():
                assert values.grad is not None
                values -= 0.1 * values.grad
        pool.commit(lease)
        fitness = float((logits.argmax(1) == task.labels).float().mean())
        return [Evaluation(candidate, fitness, examples=60)]

    def cancel(self) -> None:
        """Drop what waits."""
        self.waiting.clear()


class Plugin:
    """What the entry point of a plugin with these two would lead to."""

    @staticmethod
    @hookimpl
    def register_tasks(register: Any) -> None:
        """The task ``blobs``."""
        register("blobs", Blobs)

    @staticmethod
    @hookimpl
    def register_learners(register: Any) -> None:
        """The learner ``nudge``."""
        register("nudge", Nudge)


class Entry(EntryPoint):
    def load(self) -> Any:
        """No import."""
        return Plugin


def make_registry() -> Registry:
    """The framework's plugins and those of this file."""
    core = EntryPoint("core", "pathnet_evo.plugins.builtin", "pathnet_evo")
    return Registry([core, Entry("blobs", "nowhere", "pathnet_evo")])


class Stages(Checkpointer):
    """Keeps the end of each stage."""

    def __init__(self, folder: Path, trial: int) -> None:
        self.folder, self.trial = folder, trial

    def finished(
        self, pool: ModulePool, learned: list[Learned], record: StageFinished
    ) -> tuple[str, str]:
        """A checkpoint."""
        place = f"checkpoints/trial-{self.trial}/stage-{record.stage}"
        about = {"trial": self.trial}
        taken = checkpoint.snapshot(pool, learned)
        return place, checkpoint.write(Folder(self.folder), place, about, taken)


def learn(folder: Path, text: str = TOML) -> None:
    """What the runner does, in short."""
    (folder / "run.toml").write_text(text)
    import tomllib

    plan = resolve(validate(tomllib.loads(text)), make_registry())
    lineage = Lineage(folder / "lineage.sqlite")
    for trial in plan.trials:
        lineage.write(TrialStarted(trial.id, trial.arm, trial.seed))
        learn_sequence(plan, trial, "cpu", lineage.write, checkpointer=Stages(folder, trial.id))
        lineage.write(TrialFinished(trial.id, "finished"))
    lineage.close()


@pytest.fixture(scope="module")
def learned_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of three arms and two stages."""
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    folder.mkdir()
    learn(folder)
    return folder


@pytest.fixture
def spoilt(learned_run: Path, tmp_path: Path) -> Path:
    """A copy of the run that a test may damage."""
    return Path(shutil.copytree(learned_run, tmp_path / "copy"))


@pytest.fixture
def run(learned_run: Path) -> Run:
    """The run, opened."""
    return load_run(learned_run, make_registry())


INPUTS = torch.randn(32, 4, generator=torch.Generator().manual_seed(9))


def test_what_a_run_holds(run: Run) -> None:
    """A notebook could not find out what there is to read."""
    assert run.arms == ("pathnet", "independent", "fine-tuning")
    assert run.seeds == (3,)
    assert run.stages == ("first", "second")
    assert run.summary["state"] == "finished"
    assert run.config.pool.modules == 6


def test_pathnet_does_not_forget_a_single_bit(run: Run) -> None:
    """The promise of PathNet would be broken: frozen paths change while later tasks are learned."""
    before = run.network("first")
    after = run.network("first", after="second")
    assert torch.equal(before(INPUTS), after(INPUTS))
    assert not before.training
    assert run.summary["arms"]["pathnet"]["stages"][0]["forgetting"]["test_accuracy"]["mean"] == 0


def test_fine_tuning_does(run: Run) -> None:
    """The test above would pass for any network, because ``after`` was ignored."""
    before = run.network("first", arm="fine-tuning")
    after = run.network("first", arm="fine-tuning", after="second")
    assert not torch.equal(before(INPUTS), after(INPUTS))


@pytest.mark.parametrize("arm", ["pathnet", "independent", "fine-tuning"])
@pytest.mark.parametrize("stage", [0, 1])
def test_the_network_scores_what_the_run_says(run: Run, arm: str, stage: int) -> None:
    """A network that was read would not be the network that was scored."""
    settings = Blobs(n_classes=3 - stage)
    task = settings.make(TaskContext(Streams(3), stage, [settings], None))
    network = run.network(stage, arm=arm)
    right = (network(task.test_inputs).argmax(1) == task.test_labels).float().mean()
    said = run.summary["arms"][arm]["stages"][stage]["scores"]["test_accuracy"]["seeds"]["3"]
    assert float(right) == said


def test_only_the_path_is_read(run: Run) -> None:
    """Reading a small path out of a large pool would cost what the pool costs."""
    network = run.network("first")
    sizes = [layer["weight"].shape[0] for layer in network.layers]  # type: ignore[index]
    assert sizes == [*map(len, network.path), 1]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (
            {"stage": "frist"},
            r"no stage 'frist'\. Did you mean \"first\"\? \(have: first, second\)",
        ),
        ({"stage": 2}, r"no stage 2 \(have: 0 to 1"),
        ({"stage": "first", "arm": "pathnt"}, r"no arm 'pathnt'\. Did you mean \"pathnet\"\?"),
        ({"stage": "first", "seed": 0}, r"no seed 0 \(have: 3\)"),
        ({"stage": "second", "after": "first"}, "learned only after"),
        ({"stage": 0, "after": 1, "arm": "independent"}, "re-initialises all weights"),
    ],
)
def test_what_is_not_there_is_named(run: Run, asked: dict[str, Any], message: str) -> None:
    """A mistyped name would end in a traceback that does not say what there is."""
    with pytest.raises(RunError, match=message):
        run.network(**asked)


def test_stages_of_one_name_are_numbered_as_people_count(run: Run) -> None:
    """Following the advice would show another stage."""
    twins = replace(run, stages=("pair", "pair"))
    with pytest.raises(RunError, match=r"stages 1 and 2 are all called 'pair': use the number"):
        twins.stage_of("pair")
    assert [twins.stage_of("1"), twins.stage_of("2")] == [0, 1]
    with pytest.raises(RunError, match=r"stages \[0, 1\] are all called 'pair': use an index"):
        twins.index("pair")


def test_no_such_run(tmp_path: Path) -> None:
    """A mistyped folder would end in a traceback."""
    with pytest.raises(RunError, match="no such run"):
        load_run(tmp_path / "nowhere")
    with pytest.raises(RunError, match="not a run's folder"):
        load_run(tmp_path)


def test_a_flipped_bit_is_found(spoilt: Path) -> None:
    """A damaged network would be used as if it were sound."""
    weights = spoilt / "checkpoints/trial-0/stage-0/weights.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(RunError, match=r"weights\.safetensors: damaged"):
        load_run(spoilt, make_registry()).network("first")


def change(folder: Path, assignment: str, *values: str | None) -> None:
    """Tamper with the lineage."""
    db = sqlite3.connect(folder / "lineage.sqlite")
    db.execute(f"UPDATE stages SET {assignment} WHERE trial = 0 AND stage = 0", values)
    db.commit()
    db.close()


def test_a_checkpoint_outside_the_run_is_refused(spoilt: Path, tmp_path: Path) -> None:
    """Somebody else's lineage could have any file of this machine read."""
    place = shutil.copytree(spoilt / "checkpoints/trial-0/stage-0", tmp_path / "elsewhere")
    for outside in ("../elsewhere", str(place), "."):
        change(spoilt, "checkpoint = ?", outside)
        with pytest.raises(RunError, match="outside the run's folder"):
            load_run(spoilt, make_registry()).network("first")


def test_a_manifest_that_leaves_out_the_weights_is_refused(spoilt: Path) -> None:
    """Weights that nobody checked would be used."""
    import hashlib

    manifest = spoilt / "checkpoints/trial-0/stage-0/MANIFEST.json"
    manifest.write_text(json.dumps({"files": {}}))
    change(spoilt, "manifest = ?", hashlib.sha256(manifest.read_bytes()).hexdigest())
    with pytest.raises(RunError, match=r"does not name state\.json"):
        load_run(spoilt, make_registry()).network("first")


def test_a_stage_that_is_not_finished(spoilt: Path) -> None:
    """A run in the middle would end in a traceback."""
    change(spoilt, "checkpoint = ?", None)
    with pytest.raises(RunError, match="'first' of arm 'pathnet', seed 3, is not finished"):
        load_run(spoilt, make_registry()).network("first")
