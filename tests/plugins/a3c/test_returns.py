"""Episodes that are played before a task is learned are apart from those of its score."""

import numpy as np
import pytest

from pathnet_evo.core.kinds import Linear
from pathnet_evo.core.pool import ModulePool
from pathnet_evo.core.streams import Streams
from pathnet_evo_a3c.episodes import Episodes
from pathnet_evo_a3c.learner import A3C

EPISODES = 5


@pytest.mark.parametrize("plays", ["network", "random"])
def test_scores_do_not_depend_on_what_chose_the_beginning(plays, walk, monkeypatch):
    """Broken: episodes that decide what is copied would be those that the result is scored on."""
    streams, seeds, reset = Streams(0, 1), set(), Episodes.reset
    pool = ModulePool([Linear(units=5)], 2, (3,))
    pool.initialise(lambda layer: streams.torch("init", layer))
    network = pool.network(((0,),), pool.head(3, streams.torch("readout")))
    task, learner = walk(goal=3, reward=0.01, cut=200), A3C(score_episodes=EPISODES, num_envs=2)

    def noted(self, lanes, of):
        seeds.update(seed for seed, begins in zip(of, lanes, strict=True) if begins and seed)
        reset(self, lanes, of)

    monkeypatch.setattr(Episodes, "reset", noted)
    found = learner.returns(network if plays == "network" else None, task, streams)
    tried = set(seeds)
    seeds.clear()
    if plays == "network":
        learner.score(network, task, streams)
    else:
        learner.random_baseline(task, streams)
    assert len(found) == EPISODES
    assert np.isfinite(found).all()
    assert len(tried) == len(seeds) == EPISODES
    assert not tried & seeds
