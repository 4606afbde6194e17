"""Avalanche, where it is installed, and rivals that are watched while they learn."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pathnet_evo.interfaces.run_info import Trial
from pathnet_evo.trial.rival import learn_with_rival
from pathnet_evo_avalanche import policy


@pytest.fixture
def avalanche():
    """Avalanche's metrics, where it is installed."""
    pytest.importorskip("avalanche", reason="the extra avalanche is not installed")
    from avalanche.evaluation import metrics

    return metrics


@pytest.fixture
def follow(avalanche):
    """Lets a rival learn a plan's stages; ``asked`` is called after each evaluation."""
    from pathnet_evo_avalanche.rival import AvalancheRival

    def learn(method, plan, asked, **options):
        class Asked(AvalancheRival):
            def learn(self, course):
                def told(*result):
                    asked(self, course)
                    course.told(*result)

                super().learn(replace(course, told=told))

        rival = Asked(policy.Avalanche(method=method, **options))
        trial = Trial(0, "pathnet", 0)
        assert learn_with_rival(plan, trial, "cpu", lambda record: None, lambda: False, rival)
        return rival

    return learn
