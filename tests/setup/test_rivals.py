"""What a rival needs of the other sections, which is refused before a run begins."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Protocol

import pytest
from pydantic import PrivateAttr

from pathnet_evo.interfaces.learners import Learner
from pathnet_evo.interfaces.policies import TransferPolicy
from pathnet_evo.interfaces.rivals import MinibatchLearner, Rival
from pathnet_evo.interfaces.tasks import SupervisedTask
from pathnet_evo.setup.problems import ConfigError


class Anything(Rival):
    """Follows no learner."""

    def learn(self, course):
        """Learn nothing."""

    def predict(self, stage, inputs):
        """Nothing."""

    def parameters(self, stage=None):
        """None."""
        return 0


class Following(Anything):
    """Follows a learner's minibatches and rate."""

    follows: ClassVar[type | None] = MinibatchLearner


class Tempered(Protocol):
    """What only some learners have."""

    temperature: float


class Particular(Anything):
    """Follows what ``sgd`` does not have."""

    follows: ClassVar[type | None] = Tempered


class Choosy(Following):
    """Refuses its stages."""

    def check(self, learners, evaluations):
        """Say what it was given."""
        raise ValueError(f"not {[each.n_batches for each in learners]} with {evaluations}")


class Arm(TransferPolicy):
    """The policy of an arm that a rival learns."""

    _rival: Rival = PrivateAttr()

    def begin(self, beginning):
        """Nothing."""
        return [], []

    def end(self, pool, path):
        """Nothing."""

    def rival(self):
        """The rival."""
        return self._rival


class Odd(Learner):
    """A learner without a rate and an optimizer, as plugins have them."""

    takes: ClassVar[type] = SupervisedTask

    n_batches: int = 3
    batch_size: int = 4
    holds_out: bool = False

    @property
    def validates(self):
        """Whether examples are held out; which ones is known to the evaluator alone."""
        return self.holds_out

    def outputs(self, task):
        """One logit a class."""
        return task.n_classes

    def evaluator(self, context):
        """None."""

    def score(self, network, task, streams):
        """Nothing."""
        return {}


@pytest.fixture
def refused(make_plan):
    """Why a run of a rival does not begin, or None."""

    def check(rival, learner=None):
        plan, policy = make_plan(), Arm()
        policy._rival = rival
        arm = replace(next(iter(plan.arms.values())), policy=policy)
        config = plan.config.model_copy(update={"arms": plan.config.arms[:1]})
        stages = plan.stages
        if learner is not None:
            stages = (stages[0], replace(stages[1], learner=learner))
        try:
            replace(plan, config=config, arms={"rival": arm}, stages=stages).rehearse()
        except ConfigError as error:
            return str(error)
        return None

    return check


def test_a_learner_that_a_rival_cannot_follow(refused):
    """The rival would fail in the midst of a run, with an AttributeError."""
    lacking = "which the rival follows: use another learner, such as sgd, or leave the arm out"
    assert refused(Following()) is None
    assert refused(Following(), Odd()) == (
        f"arms.0.transfer: stages.1: learner Odd has no make_optimizer, rate, {lacking}"
    )
    assert refused(Particular()) == (
        f"arms.0.transfer: stages.0: learner SGD has no temperature, {lacking}"
    )
    assert refused(Anything(), Odd()) is None


def test_a_learner_that_holds_out_examples_of_its_own(refused):
    """The rival would train on them, and its fitness would be another than the other arms'."""
    assert "learner Odd has no split_examples" in refused(Anything(), Odd(holds_out=True))


def test_a_stage_that_could_end_early(make_plan):
    """The other arms would have fewer examples than the rival, and nothing would say so."""
    policy = Arm()
    policy._rival = Following()
    plan = make_plan()
    stages = (plan.stages[0], replace(plan.stages[1], threshold=0.5))
    arms = {"rival": replace(next(iter(plan.arms.values())), policy=policy)}
    config = plan.config.model_copy(update={"arms": plan.config.arms[:1]})
    with pytest.raises(ConfigError, match=r"arms.0.transfer: stages.1.threshold: a rival learns"):
        replace(plan, config=config, arms=arms, stages=stages).rehearse()


def test_a_rival_checks_its_stages(refused):
    """What only the rival knows would be noticed within the run."""
    assert refused(Choosy()) == "arms.0.transfer: not [3, 3] with [8, 8]"
