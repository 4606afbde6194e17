"""A trial that is resumed from each of its checkpoints writes all later ones again, bit for bit."""

import json
import shutil
from dataclasses import replace

import pytest
import torch

from pathnet_evo.interfaces.records import Checkpointed, StageFinished
from pathnet_evo.interfaces.run_info import Trial
from pathnet_evo.interfaces.storage import ResumePoint
from pathnet_evo.plugins.registry import Registry
from pathnet_evo.setup.config import CheckpointsConfig
from pathnet_evo.setup.plan import Plan
from pathnet_evo.store.checkpointer import TrialCheckpointer
from pathnet_evo.store.folder import Folder
from pathnet_evo.trial.trial import learn_sequence

STRATEGIES = Registry().names("strategies")
OFTEN = CheckpointsConfig(generations=1)
STAGES = [{"task": {"name": "blobs"}, "generations": 3}] * 2


def learn(plan, trial, folder, start=None):
    """Learn with a checkpoint after every generation; what was kept, in order."""
    kept = []

    def emit(record):
        if isinstance(record, Checkpointed):
            kept.append(ResumePoint(record.folder, record.manifest))
        elif isinstance(record, StageFinished):
            kept.append(ResumePoint(*record.checkpoint))

    folder.mkdir(exist_ok=True)
    checkpointer, state = TrialCheckpointer.begun(Folder(folder), trial, OFTEN, emit, start)
    learn_sequence(plan, trial, "cpu", checkpointer.emit, checkpointer=checkpointer, start=state)
    return kept


def content(folder, start):
    """All of a checkpoint that must repeat."""
    place = folder / start.place
    manifest = json.loads((place / "MANIFEST.json").read_text())
    return (
        start.place,
        (place / "weights.safetensors").read_bytes(),
        (place / "state.json").read_bytes(),
        manifest["lineage"],
        manifest["position"],
    )


def all_later_ones_are_the_same(plan, tmp_path, arm="pathnet"):
    trial = Trial(0, arm, 0)
    whole = tmp_path / "whole"
    kept = learn(plan, trial, whole)
    assert len(kept) >= 6
    for i, start in enumerate(kept):
        again = tmp_path / str(i)
        for earlier in kept[: i + 1]:
            shutil.copytree(whole / earlier.place, again / earlier.place)
        later = learn(plan, trial, again, start)
        wanted = [content(whole, other) for other in kept[i + 1 :]]
        assert [content(again, other) for other in later] == wanted, start
        shutil.rmtree(again)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_with_every_strategy(make_plan, tmp_path, strategy):
    """Something would be left out of checkpoints that shows only later, if at all."""
    section = {"name": strategy, "population": 4}
    if strategy == "aging":
        section["sample"] = 2
    plan = make_plan(strategy=section, stages=STAGES)
    all_later_ones_are_the_same(plan, tmp_path)


@pytest.mark.parametrize("arm", ["independent", "fine-tuning", "random"])
def test_with_every_control(make_plan, tmp_path, arm):
    """A control that was resumed would not be matched any more."""
    all_later_ones_are_the_same(make_plan(stages=STAGES), tmp_path, arm)


@pytest.mark.parametrize(
    "learner", [{"slots": 2}, {"optimizer": "Adam", "slots": 2, "validation_fraction": 0.2}]
)
def test_with_every_way_of_training(make_plan, tmp_path, learner):
    """What waits to be trained would be trained from other weights, or not at all."""
    all_later_ones_are_the_same(make_plan(learner=learner, stages=STAGES), tmp_path)


def test_with_lanes(make_plan, tmp_path):
    """Games would go on in other episodes, or with other statistics of the optimizer."""
    learner = {
        "name": "a3c",
        "num_envs": 3,
        "rollout_length": 8,
        "episodes": 2,
        "score_episodes": 2,
    }
    task = {"name": "gym", "id": "CartPole-v1"}
    stages = [{"task": task, "learner": learner, "generations": 3}] * 2
    strategy = {"name": "asynchronous-tournament"}
    all_later_ones_are_the_same(make_plan(strategy=strategy, stages=stages), tmp_path)


def test_with_layers_that_grow(make_plan, tmp_path):
    """New modules would be lost, or taken for frozen ones."""
    plan = make_plan(pool={"modules": 3}, transfer={"grow": 2, "connect": "sum"}, stages=STAGES)
    all_later_ones_are_the_same(plan, tmp_path)


def test_what_is_frozen_is_written_once_a_stage(make_plan, tmp_path):
    """Checkpoints would take time and space for what cannot change."""
    plan = make_plan(stages=STAGES, pool={"modules": 2}, transfer={"connect": "named"})
    kept = learn(plan, Trial(0, "pathnet", 0), tmp_path)
    sizes = {s.place: (tmp_path / s.place / "weights.safetensors").stat().st_size for s in kept}
    second = [size for name, size in sizes.items() if "stage-1-round" in name]
    assert second
    assert max(second) < min(size for name, size in sizes.items() if "stage-0-round" in name)


def test_tasks_may_share_their_normalisation(make_plan, tmp_path, monkeypatch):
    """A run would end with an error of a library's when its first checkpoint is written."""
    shift = torch.zeros(1)
    make = Plan.make_task

    def shared(self, *arguments):
        return replace(make(self, *arguments), shift=shift, scale=shift + 1)

    monkeypatch.setattr(Plan, "make_task", shared)
    assert learn(make_plan(stages=STAGES), Trial(0, "pathnet", 0), tmp_path)
