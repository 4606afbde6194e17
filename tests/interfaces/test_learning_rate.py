"""Learning rates over a stage, held against torch's own schedulers."""

import pytest
import torch
from torch.optim import lr_scheduler

from pathnet_evo.interfaces.budget import Budget
from pathnet_evo.interfaces.learning_rate import RISE, START, factor

STEPS = 40


def rates(make):
    """What a scheduler of torch multiplies a rate of 1 with, step by step."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = make(optimizer)
    found = []
    for _ in range(STEPS):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return found


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("constant", lambda o: lr_scheduler.ConstantLR(o, factor=1)),
        ("cosine", lambda o: lr_scheduler.CosineAnnealingLR(o, STEPS)),
        ("linear", lambda o: lr_scheduler.LinearLR(o, 1, 1e-12, STEPS)),
    ],
)
def test_schedules_are_those_of_torch(name, make):
    """Broken: a schedule asked for by name would be another one."""
    found = [factor(name, step / STEPS) for step in range(STEPS)]
    assert found == pytest.approx(rates(make), abs=1e-9)


def test_one_cycle_rises_and_falls_as_torch_has_it():
    """Broken: the rate would peak elsewhere, or end above nothing."""
    expected = rates(
        lambda o: lr_scheduler.OneCycleLR(
            o,
            1.0,
            total_steps=STEPS + 1,
            pct_start=RISE,
            div_factor=START,
            final_div_factor=1e9,
            cycle_momentum=False,
        )
    )
    found = [factor("one-cycle", step / STEPS) for step in range(STEPS)]
    # torch puts the peak on a whole step, a fraction of one away
    assert max(abs(a - b) for a, b in zip(found, expected, strict=True)) < 0.06
    assert max(found) == pytest.approx(1, abs=0.01)
    assert factor("one-cycle", 1.0) == pytest.approx(0, abs=1e-12)


def test_warm_up_rises_from_nothing():
    """Broken: large first steps would kill units that nothing brings back."""
    assert factor("constant", 0.0, warmup=0.1) == 0
    assert factor("constant", 0.05, warmup=0.1) == pytest.approx(0.5)
    assert factor("constant", 0.1, warmup=0.1) == 1


def test_budgets_count_evaluations_or_frames():
    """Broken: the rate would fall too early, or never."""
    assert Budget(evaluations=10, used=4).share() == pytest.approx(0.4)
    assert Budget(evaluations=10).of_evaluation(800) == pytest.approx(0.1)
    assert Budget(frames=8000, used=800).share() == pytest.approx(0.1)
    assert Budget(frames=8000).of_evaluation(800) == pytest.approx(0.1)
    assert Budget(evaluations=2, used=5).share() == 1
    assert Budget().share() == 0
