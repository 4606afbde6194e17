"""Avalanche's strategies as arms: what they learn, with how much, and what is refused."""

from __future__ import annotations

import sys
from dataclasses import replace
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from pathnet_evo import Evaluated, StageStarted, compare_runs, launch, resume
from pathnet_evo.analysis.continual import acc, bwt, fwt
from pathnet_evo.plugins.registry import Registry
from pathnet_evo.running.checking import inspect
from pathnet_evo.running.loading import load_run
from pathnet_evo.setup.config import validate
from pathnet_evo.setup.preparing import ready
from pathnet_evo.setup.problems import ConfigError
from pathnet_evo.store.reading import RunError
from pathnet_evo_avalanche import policy

METHODS = ["ewc", "lwf", "replay", "packnet", "progressive", "joint"]
SMALL = {
    "pool": {
        "modules": 9,
        "width": 3,
        "layers": [{"kind": "linear", "units": 8, "repeat": 2}],
    },
    "strategy": {"name": "racing"},
    "learner": {"name": "sgd", "n_batches": 5, "learning_rate": 0.05, "schedule": "cosine"},
    "stream": {"name": "split", "task": "digits", "parts": 3, "generations": 10},
}
SIGNS = (resources.files("pathnet_evo") / "scaffold/templates/learner/example.py.in").read_text()
SIGNS = f"""{SIGNS.replace("@Class@", "Signs")}

from pathnet_evo import hookimpl


@hookimpl
def register_learners(register):
    register("signs", Signs)
"""
CARRYING = {**SMALL, "learner": {**SMALL["learner"], "momentum": 0.9, "learning_rate": 0.01}}


def arm(method):
    """An arm with a memory that is smaller than a task."""
    transfer = {"name": "avalanche", "method": method, "memory": 40}
    return {"name": method, "strategy": "fixed-path", "transfer": transfer}


@pytest.fixture
def learned(avalanche, tmp_path):
    """Runs some arms on a small stream."""

    def run(*arms, name="run", **sections):
        return launch({**SMALL, **sections, "arms": [*arms]}, runs_dir=tmp_path, name=name)

    return run


def refused(**sections):
    """Why a run of rivals does not start."""
    with pytest.raises(ConfigError) as error:
        ready(validate({**SMALL, **sections}), Registry())
    return str(error.value)


@pytest.mark.parametrize("method", METHODS)
def test_without_avalanche(method, monkeypatch):
    """A rival would fail in the midst of a run, with a traceback of an import."""
    monkeypatch.setattr(policy, "find_spec", lambda name: None)
    assert refused(arms=["pathnet", method]) == (
        "arms.1.transfer: Avalanche is not installed. Install it: "
        "pip install 'pathnet-evo[avalanche]'"
    )


def test_layers_and_tasks_that_rivals_cannot_have(monkeypatch):
    """A rival would learn with another network than the other arms, or crash."""
    monkeypatch.setattr(policy, "find_spec", lambda name: object())
    layers = [{"kind": "conv2d", "channels": 2, "kernel": 3}, {"kind": "linear", "units": 5}]
    pool = {**SMALL["pool"], "layers": layers}
    assert refused(arms=["progressive"], pool=pool) == (
        "arms.0.transfer: progressive has layers of kind Linear only, not Conv2d: leave the arm "
        "out, or change pool.layers"
    )
    layers = [{"kind": "linear", "units": 5}, {"kind": "linear", "units": 6}]
    pool = {**SMALL["pool"], "layers": layers}
    assert "equal units in all layers" in refused(arms=["progressive"], pool=pool)
    stream = {**SMALL["stream"], "frames": 100}
    assert refused(arms=["ewc"], stream=stream) == (
        "arms.0.transfer: stages.0: a rival learns from examples, with a budget in generations"
    )


def test_layers_that_start_otherwise_than_a_rival(monkeypatch):
    """A progressive network would start with other weights than the paths."""
    monkeypatch.setattr(policy, "find_spec", lambda name: object())
    layers = [{"kind": "linear", "units": 5, "initial": "he", "repeat": 2}]
    assert refused(arms=["progressive"], pool={**SMALL["pool"], "layers": layers}) == (
        "arms.0.transfer: progressive initialises as torch does, not he: leave the arm out, or set "
        'pool.layers.*.initial = "torch"'
    )


def test_minibatches_and_budgets_that_rivals_cannot_have(monkeypatch):
    """A rival would fail within the run, or replay nothing."""
    monkeypatch.setattr(policy, "find_spec", lambda name: object())
    learner = {**SMALL["learner"], "batch_size": 2}
    assert refused(arms=["joint"], learner=learner) == (
        "arms.0.transfer: joint has examples of several tasks in a minibatch, here 3 or more, but "
        "learner.batch_size is 2: raise it, or leave the arm out"
    )
    assert "replay has examples of several tasks" in refused(
        arms=["replay"], learner={**SMALL["learner"], "batch_size": 1}
    )
    strategy = {"name": "mu-plus-lambda", "population": 2, "offspring": 1}
    stream = {**SMALL["stream"], "generations": 1}
    assert "packnet trains before and after pruning" in refused(
        arms=["packnet"], stream=stream, strategy=strategy
    )


@pytest.mark.parametrize("other", [{"momentum": 0.5}, {"max_grad_norm": 1.0}])
def test_stages_that_rivals_cannot_learn_in_turn(monkeypatch, other):
    """A rival would keep the first stage's optimizer and minibatches without saying so."""
    monkeypatch.setattr(policy, "find_spec", lambda name: object())
    stages = [
        {"task": "digits", "generations": 2, "learner": {"name": "sgd", **options}}
        for options in ({}, other)
    ]
    config = {name: part for name, part in SMALL.items() if name != "stream"}
    with pytest.raises(ConfigError, match="one batch_size and one optimizer for all stages"):
        ready(validate({**config, "stages": stages, "arms": ["ewc"]}), Registry())
    stages[1]["learner"] = {"name": "sgd", "learning_rate": 0.3, "n_batches": 7}
    ready(validate({**config, "stages": stages, "arms": ["ewc"]}), Registry())


def test_a_learner_that_rivals_cannot_follow(monkeypatch, command):
    """A user's own learner would end a run with an AttributeError of Avalanche's plugin."""
    monkeypatch.setattr(policy, "find_spec", lambda name: object())
    Path("signs.py").write_text(SIGNS)
    settings = [
        'plugins=["signs.py"]',
        'transfer.connect="named"',
        'arms=["pathnet","ewc"]',
        'learner={name="signs"}',
    ]
    sets = [part for setting in settings for part in ("--set", setting)]
    result = command("run", "digits-halves", *sets)
    assert result.status == 2
    assert "arms.1.transfer: stages.0: learner Signs has no make_optimizer, rate" in result.err
    assert "Traceback" not in result.err


def test_listing_imports_nothing_of_avalanche():
    """``pathnet-evo --help`` would take seconds longer."""
    assert "avalanche" not in vars(policy)
    assert "pathnet_evo_avalanche.strategies" not in sys.modules or "avalanche" in sys.modules


def test_rivals_learn_the_stream_with_equal_examples(learned):
    """A rival would be compared at more examples or with a larger network."""
    run = learned("pathnet", "independent", *METHODS)
    arms = run.summary["arms"]
    own = arms["independent"]["stages"]
    for method in METHODS:
        matrix = run.accuracy_matrix(method, 0)
        assert not np.isnan(np.tril(matrix)[np.tril_indices(3)]).any(), method
        assert matrix.diagonal().mean() > 0.8, method
        stages = arms[method]["stages"]
        for stage, other in zip(stages, arms["pathnet"]["stages"], strict=True):
            assert stage["examples"]["mean"] == other["examples"]["mean"], method
        if method != "progressive":
            assert stages[0]["parameters"]["mean"] == own[0]["parameters"]["mean"], method
    for method in ("packnet", "progressive"):
        assert arms[method]["continual"]["bwt"]["mean"] == 0, method
    assert arms["replay"]["continual"]["acc"]["mean"] > 0.8
    for method in METHODS:
        assert 0 < abs(arms[method]["continual"]["fwt"]["mean"]) < 0.5, method
    assert compare_runs([run.folder])["continual"].keys() == {*arms}


@pytest.mark.parametrize("method", [name for name in METHODS if name != "progressive"])
def test_forward_transfer_is_that_of_the_last_features(method, avalanche, make_plan):
    """FWT would be measured on a network that learned the task, or change what it learns."""
    import copy

    import torch

    from pathnet_evo.interfaces.run_info import Trial
    from pathnet_evo.trial.rival import learn_with_rival
    from pathnet_evo_avalanche.rival import AvalancheRival

    seen = []

    class Seen(AvalancheRival):
        def learn(self, course):
            last = copy.deepcopy(self.strategy and self.strategy.model)

            def before(predict, untrained):
                course.before(predict, untrained)
                if last is not None:
                    model = self.strategy.model
                    last.heads = copy.deepcopy(model.heads)
                    now = copy.deepcopy(model.state_dict())
                    x = course.task.prepare(course.task.test_inputs)
                    seen.append((predict(x), untrained()(x), last(x, torch.ones(len(x)).long())))
                    same = [torch.equal(now[k], v) for k, v in model.state_dict().items()]
                    assert all(same)

            super().learn(replace(course, before=before))

    rival = Seen(policy.Avalanche(method=method))
    learn_with_rival(
        make_plan(), Trial(0, "pathnet", 0), "cpu", lambda r: None, lambda: False, rival
    )
    ((predicted, random, wanted),) = seen
    assert torch.equal(predicted, wanted[:, :3])
    assert random.shape == predicted.shape
    assert not torch.allclose(random, predicted)


@pytest.mark.parametrize("optimizer", ["SGD", "AdamW"])
@pytest.mark.parametrize("method", ["packnet", "progressive"])
def test_frozen_weights_stay_under_decay_and_momentum(method, optimizer, avalanche, learned):
    """PackNet would forget: zeroed gradients do not keep an optimizer from changing weights."""
    momentum = {"SGD": {"momentum": 0.9}, "AdamW": {"optimizer": "AdamW"}}[optimizer]
    learner = {**SMALL["learner"], "learning_rate": 0.01, "weight_decay": 0.1, **momentum}
    matrix = learned(method, learner=learner).accuracy_matrix(method, 0)
    assert (matrix == matrix.diagonal())[np.tril_indices(3)].all()
    assert matrix.diagonal().mean() > 0.7


@pytest.mark.parametrize("method", ["ewc", "packnet", "progressive"])
def test_rivals_clip_their_gradients(method, learned):
    """A rival would train on another schedule than the path beside it."""
    learner = {**SMALL["learner"], "max_grad_norm": 1e-6}
    clipped = learned(method, learner=learner).accuracy_matrix(method, 0)
    assert clipped.diagonal().mean() < 0.5


def test_convolutions(learned):
    """A rival's convolutions would have other strides or sizes than the path's."""
    layers = [{"kind": "conv2d", "channels": 2, "kernel": 3, "stride": 2, "padding": 1}]
    pool = {**SMALL["pool"], "layers": [*layers, {"kind": "linear", "units": 6}]}
    arms = learned("independent", "ewc", "packnet", pool=pool).summary["arms"]
    sizes = [
        [arms[name]["stages"][0][what]["mean"] for what in ("parameters", "multiply_adds")]
        for name in arms
    ]
    assert sizes[0] == sizes[1] == sizes[2]


def test_the_same_seed_learns_the_same(learned):
    """A rival's result could not be repeated."""
    first, second = (learned("replay", "packnet", name=name) for name in "ab")
    assert first.summary["digest"] == second.summary["digest"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """All rivals, never interrupted, by name; momentum is one more thing that they carry."""
    pytest.importorskip("avalanche", reason="the extra avalanche is not installed")
    runs = tmp_path_factory.mktemp("whole")
    return {
        method: launch({**CARRYING, "arms": [arm(method)]}, runs_dir=runs, name=method)
        for method in METHODS
    }


@pytest.mark.parametrize("method", METHODS)
def test_a_killed_rival_resumes_after_its_last_stage(method, whole, tmp_path):
    """Hours of a rival would be lost, or it would resume as another method than it was."""

    def kill(record):
        if isinstance(record, Evaluated) and (record.stage, record.number) == (2, 3):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        launch({**CARRYING, "arms": [arm(method)]}, runs_dir=tmp_path, name="run", on_record=kill)
    began = []
    resumed = resume(
        tmp_path / "run",
        on_record=lambda r: began.append(r.stage) if isinstance(r, StageStarted) else None,
    )
    assert began == [2]
    assert resumed.summary["digest"] == whole[method].summary["digest"]
    assert not inspect(resumed.folder).problems
    files = {file.suffix for file in (resumed.folder / "checkpoints").rglob("*") if file.is_file()}
    assert files == {".json", ".safetensors"}


def test_fewer_kept_examples_than_tasks(avalanche, tmp_path):
    """Replay would fail at the end of a stage of which it keeps nothing, or not resume from it."""
    transfer = {"name": "avalanche", "method": "replay", "memory": 2}
    config = {
        **SMALL,
        "stream": {**SMALL["stream"], "parts": 5, "generations": 2},
        "arms": [{"name": "few", "strategy": "fixed-path", "transfer": transfer}],
    }
    whole = launch(config, runs_dir=tmp_path, name="whole")

    def kill(record):
        if isinstance(record, Evaluated) and (record.stage, record.number) == (4, 1):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        launch(config, runs_dir=tmp_path, name="run", on_record=kill)
    resumed = resume(tmp_path / "run")
    assert resumed.summary["digest"] == whole.summary["digest"]


def test_networks_of_rivals_cannot_be_loaded(whole):
    """A user would be told that a finished stage is not finished, or get a traceback."""
    with pytest.raises(RunError, match="arm 'ewc' is a rival"):
        whole["ewc"].network(0, "ewc")


def test_metrics_are_those_of_avalanche(avalanche, learned):
    """Our figures could not be compared with those of Avalanche's users."""
    run = learned("fine-tuning")
    r = load_run(run.folder).accuracy_matrix("fine-tuning", 0)
    tasks = len(r)
    rng = np.random.default_rng(0)
    untrained = rng.random(tasks).tolist()
    backward, forward, mean = avalanche.BWT(), avalanche.ForwardTransfer(), avalanche.Mean()
    for j in range(tasks):
        forward.update(j, untrained[j], initial=True)
        backward.update(j, r[j, j], initial=True)
        mean.update(r[-1, j])
        if j:
            forward.update(j, r[j - 1, j])
        if j < tasks - 1:
            backward.update(j, r[-1, j])
    assert acc(r) == pytest.approx(mean.result(), abs=1e-12)
    assert bwt(r) == pytest.approx(np.mean([*backward.result().values()]), abs=1e-12)
    assert fwt(r, untrained) == pytest.approx(np.mean([*forward.result().values()]), abs=1e-12)


def test_accuracies_are_those_of_avalanche(avalanche, make_plan):
    """R itself would differ from what Avalanche measures of the same predictions."""
    import torch

    from pathnet_evo.core.streams import Streams
    from pathnet_evo.interfaces.run_info import Trial
    from pathnet_evo.trial.trial import Checkpointer, learn_sequence

    class Last(Checkpointer):
        def finished(self, pool, learned, record):
            self.pool, self.learned, self.record = pool, learned, record

    last = Last()
    plan = make_plan()
    learn_sequence(plan, Trial(0, "pathnet", 0), "cpu", lambda record: None, checkpointer=last)
    for j, stage in enumerate(last.learned):
        measured = avalanche.TaskAwareAccuracy()
        with torch.no_grad():
            logits = stage.network(last.pool)(stage.task.test_inputs)
        measured.update(logits, stage.task.test_labels, j)
        found = stage.score(last.pool, Streams(0, j))["test_accuracy"]
        assert found == pytest.approx(measured.result()[j], abs=1e-12)
        assert found == last.record.scores[j]["test_accuracy"]
