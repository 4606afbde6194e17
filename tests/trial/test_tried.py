"""Earlier networks are played on a new task, and those that play it are where it begins."""

import numpy as np
import pytest

from pathnet_evo.interfaces.records import TransferPlanned
from pathnet_evo.interfaces.run_info import Trial
from pathnet_evo.plugins.registry import Registry
from pathnet_evo.setup import config
from pathnet_evo.setup.problems import ConfigError
from pathnet_evo.setup.resolving import resolve
from pathnet_evo.trial.trial import Checkpointer, learn_sequence
from pathnet_evo.trial.tried import Tried
from pathnet_evo_a3c.learner import A3C

GAME = {"frames": 200, "task": {"name": "gym", "id": "CartPole-v1"}}
RANDOM = [9.0, 11.0] * 8


class Held(Checkpointer):
    """Holds the pool at the end of a stage."""

    def finished(self, pool, learned, record):
        self.pool = pool


@pytest.mark.parametrize(
    ("stages", "best"),
    [
        ({0: [10.5, 12.5] * 8}, 0),
        ({0: [10.0, 12.0] * 8}, 0),
        ({0: [9.2, 11.2] * 8}, None),
        ({0: [8.0, 9.0] * 8}, None),
        ({0: [1.0, 1.0] * 4, 1: [30.0, 70.0] * 8, 2: [49.0, 50.0] * 8}, 1),
        ({0: [-900.0, 1100.0] * 8}, None),
        ({}, None),
    ],
)
def test_a_network_must_beat_random_actions_by_two_standard_errors(stages, best):
    """Broken: a policy that plays by luck would be copied, and be in the way."""
    found = Tried(RANDOM, stages)
    clear = {}
    for stage, returns in stages.items():
        error = np.hypot(*(np.std(x, ddof=1) / np.sqrt(len(x)) for x in (returns, RANDOM)))
        if np.mean(returns) - np.mean(RANDOM) > 2 * error:
            clear[stage] = np.mean(returns)
    assert found.best == best == max(clear, key=clear.get, default=None)


def test_one_episode_shows_nothing():
    """Broken: a division by zero, or a policy copied for a single lucky episode."""
    assert Tried([1.0], {0: [500.0]}).best is None


def learned(arm, initial, plays, monkeypatch, returns=None):
    """Two stages of a trial whose first network plays the second task or does not; what was held.

    At this learning rate no weight changes, so that modules and readouts end as they began.
    """
    found = [50.0] * 9 if plays else RANDOM
    returns = returns or (lambda self, network, *_: found if network else RANDOM)
    monkeypatch.setattr(A3C, "returns", returns)
    data = {
        "arms": [*dict.fromkeys(["pathnet", arm])],
        "pool": {"modules": 12, "width": 2, "layers": [{"kind": "linear", "units": 3}]},
        "strategy": {"name": "racing"},
        "learner": {"name": "a3c", "num_envs": 2, "episodes": 1, "learning_rate": 1e-30},
        "transfer": {
            "connect": "named",
            "initial_modules": initial,
            "copied_share": 0.5,
            "copy_readout": "auto",
        },
        "stages": [GAME, GAME],
    }
    made, records, held = resolve(config.validate(data), Registry()), [], Held()
    stages = learn_sequence(made, Trial(0, arm, 0), "cpu", records.append, checkpointer=held)
    return stages, [r for r in records if isinstance(r, TransferPlanned)], held.pool


@pytest.mark.parametrize("initial", ["copies", "mixed"])
@pytest.mark.parametrize("plays", [True, False])
def test_what_plays_is_copied_whole_with_its_readout(initial, plays, monkeypatch):
    """Broken: what a policy can do would be lost, or one that cannot play be in the way."""
    (first, second), (planned,), pool = learned("pathnet", initial, plays, monkeypatch)
    theirs, own = (stage.head.readout.parameters["weight"] for stage in (first, second))
    assert theirs.equal(own) is plays
    weights = pool.layers[0].parameters["weight"]
    assert weights[list(first.path[0])].equal(weights[list(second.path[0])]) is plays
    whole = "copies of stage 0, and its readout"
    rest = {"copies": "copies of stage 0", "mixed": "fresh"}[initial]
    assert [words for words, _ in planned.starts] == [whole if plays else rest]
    tried = {"episodes": 16, "random": 10.0, "stages": {"0": 50.0 if plays else 10.0}}
    assert planned.tried == tried


@pytest.mark.parametrize("plays", [True, False])
@pytest.mark.parametrize(("arm", "keeps"), [("fine-tuning", True), ("independent", False)])
def test_controls_get_the_readout_that_they_may_know(arm, keeps, plays, monkeypatch):
    """Broken: PathNet's lead would be that over a control that begins with less than it knows."""
    (first, second), _, _ = learned(arm, "fresh", plays, monkeypatch)
    theirs, own = (stage.head.readout.parameters["weight"] for stage in (first, second))
    assert theirs.equal(own) is (keeps and plays)


@pytest.mark.parametrize("who", ["network", "random"])
def test_a_failure_costs_the_beginning_and_not_the_trial(who, monkeypatch):
    """Broken: an environment that dies once too often would end a run before it learned a thing."""

    def returns(self, network, *_):
        if (network is None) is (who == "random"):
            raise RuntimeError("the engine died")
        return RANDOM

    stages, (planned,), _ = learned("pathnet", "copies", True, monkeypatch, returns)
    assert len(stages) == 2
    assert [words for words, _ in planned.starts] == ["copies of stage 0"]
    assert (planned.tried is None) is (who == "random")


def test_it_is_refused_where_nothing_plays():
    """Broken: a setting that does nothing would be taken, and its user believe that it did."""
    digits = {"generations": 1, "task": {"name": "digits"}}
    with pytest.raises(ConfigError, match=r'transfer.copy_readout: "auto" plays earlier networks'):
        resolve(
            config.validate({"transfer": {"copy_readout": "auto"}, "stages": [digits, digits]}),
            Registry(),
        )


def test_another_mistake_is_the_only_one_named():
    """Broken: one mistake would be told with a second line about a setting that is right."""
    data = {
        "strategy": {"name": "racing", "tournament": 2},
        "learner": {"name": "a3c"},
        "transfer": {"copy_readout": "auto"},
        "stages": [GAME, GAME],
    }
    with pytest.raises(ConfigError) as refused:
        resolve(config.validate(data), Registry())
    assert [problem.place for problem in refused.value.problems] == ["strategy.tournament"]
