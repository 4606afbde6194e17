"""PathNet in memory: the bits of a run, one task at a time, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from pathnet_evo import Evaluated, PathNet, StageFailed, StageFinished, UserError, launch
from pathnet_evo.setup.problems import ConfigError

CONFIG = {
    "pool": {"modules": 9, "width": 3, "layers": [{"kind": "linear", "units": 8, "repeat": 2}]},
    "strategy": {"name": "racing"},
    "transfer": {"connect": "lateral", "initial_modules": "mixed", "grow": 3},
    "learner": {"name": "sgd", "n_batches": 5, "learning_rate": 0.05},
}
STREAM = {"name": "split", "task": "digits", "parts": 4, "generations": 4}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of four tasks, so many that the pool grows."""
    runs = tmp_path_factory.mktemp("runs")
    return launch({**CONFIG, "arms": ["pathnet"], "stream": STREAM}, runs_dir=runs)


@pytest.fixture
def tasks(run):
    """The run's tasks."""
    return [run.task(i) for i in range(4)]


@pytest.fixture
def net():
    """Nothing learned yet, with the run's configuration."""
    return PathNet(CONFIG, generations=4)


def weights(network):
    return {name: values.clone() for name, values in network.state_dict().items()}


def same(a, b):
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_learns_the_bits_of_a_run(run, tasks, net):
    """Avalanche's users would get another algorithm than the command line's."""
    scores = [net.learn(task).scores for task in tasks]
    matrix = run.accuracy_matrix("pathnet", 0)
    for i, row in enumerate(scores):
        assert {j: score["test_accuracy"] for j, score in row.items()} == {
            j: matrix[i, j] for j in range(i + 1)
        }
        same(weights(net.network(i)), weights(run.network(i)))


def test_nothing_is_forgotten(tasks, net):
    """A later task would change the network of an earlier one."""
    kept = []
    for i, task in enumerate(tasks):
        net.learn(task)
        kept.append(weights(net.network(i)))
    for i, before in enumerate(kept):
        same(before, weights(net.network(i)))


def test_untrained_scores_are_those_of_a_run(run, tasks, net):
    """FWT would be measured on another network than in a run's summary."""
    before = [None]
    for task, following in pairwise(tasks):
        net.learn(task)
        score = net.learner.score(net.before_training(following), following, None)
        before.append(score["test_accuracy"])
    matrix = run.accuracy_matrix("pathnet", 0)
    assert before[1:] == [matrix[i - 1, i] for i in range(1, 4)]


def test_untrained_before_the_first_task_changes_nothing(run, tasks, net):
    """Measuring FWT's baseline would change what is learned."""
    state = torch.get_rng_state()
    assert net.before_training(tasks[0])(tasks[0].inputs[:2].float()).shape == (
        2,
        tasks[0].n_classes,
    )
    assert torch.equal(torch.get_rng_state(), state)
    net.learn(tasks[0])
    same(weights(net.network(0)), weights(run.network(0)))


def test_a_stage_ends_early(tasks):
    """``ends`` would be ignored, or the stage lost."""
    seen = []
    net = PathNet(
        CONFIG, 50, on_record=lambda r: seen.append(r) if isinstance(r, Evaluated) else None
    )
    assert net.learn(tasks[0], ends=lambda: len(seen) >= 6).evaluations == 6
    assert net.n_learned == 1


def test_a_failed_task_was_not_learned(tasks):
    """A task without a network would count as learned, and its labels shift by one."""
    diverging = {**CONFIG["learner"], "learning_rate": 1e30}
    net = PathNet({**CONFIG, "learner": diverging}, 50)
    with pytest.raises(StageFailed):
        net.learn(tasks[0])
    assert net.n_learned == 0


def test_a_task_that_was_interrupted_can_be_learned_again(run, tasks, net):
    """The pool would keep what the broken stage froze, grew and trained."""
    net.learn(tasks[0])

    def interrupt(record):
        if isinstance(record, StageFinished):
            raise KeyboardInterrupt

    net.on_record = interrupt
    for task in tasks[1:3]:
        with pytest.raises(KeyboardInterrupt):
            net.learn(task)
    assert net.n_learned == 1
    net.on_record = lambda record: None
    for i, task in enumerate(tasks[1:], 1):
        net.learn(task)
        same(weights(net.network(i)), weights(run.network(i)))


def test_refused(tasks, net):
    """A wrong configuration or task would end in a traceback, or with networks that change."""
    with pytest.raises(UserError, match="arm 'fine-tuning' freezes nothing"):
        PathNet({**CONFIG, "arms": ["fine-tuning"]})
    with pytest.raises(ConfigError, match="learner.n_batch: "):
        PathNet({**CONFIG, "learner": {"name": "sgd", "n_batch": 5}})
    with pytest.raises(UserError, match=r"no task 0 \(learned so far: 0\)"):
        net.network(0)
    net.learn(tasks[0])
    with pytest.raises(UserError, match="no task -1"):
        net.network(-1)
    small = replace(
        tasks[1], inputs=tasks[1].inputs[..., :2], test_inputs=tasks[1].test_inputs[..., :2]
    )
    with pytest.raises(ConfigError, match="but the pool takes"):
        net.learn(small)
    assert net.n_learned == 1
