"""The prior: what earlier paths tell of a new task, without training."""

import pytest
import torch
from sklearn.linear_model import RidgeClassifier

from pathnet_evo.trial.prior import FOLDS, RIDGES, Prior, telling


def classes(n, gap, seed=0):
    """Three overlapping classes of vectors."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % 3
    centres = gap * torch.randn(3, 6, generator=generator)
    return centres[labels] + torch.randn(n, 6, generator=generator), labels


def test_it_is_the_accuracy_of_a_ridge_classifier_on_what_it_has_not_seen():
    """Broken: stages would be ranked by something else than how well they tell classes apart."""
    x, labels = classes(60, 0.7)
    scaled = ((x - x.mean(0)) / (x.std(0) + 1e-6 + 0.01 * x.std())).double()
    scaled = scaled / (scaled @ scaled.T).diagonal().mean().sqrt()
    best = 0.0
    for ridge in RIDGES:
        right = 0
        for k in range(FOLDS):
            seen = torch.arange(60) % FOLDS != k
            a, b = scaled[seen].numpy(), scaled[~seen].numpy()
            spread = ((a - a.mean(0)) ** 2).sum(1).mean()
            said = RidgeClassifier(alpha=ridge * spread).fit(a, labels[seen].numpy()).predict(b)
            right += (said == labels[~seen].numpy()).sum()
        best = max(best, right / 60)
    assert telling([x], labels, 3) == pytest.approx(best, abs=1 / 60)


def test_noise_tells_nothing_and_distant_classes_everything():
    """Broken: an unrelated task would be taken for a related one."""
    x, labels = classes(300, 5.0)
    assert telling([x], labels, 3) > 0.98
    for units in (40, 2000):  # more units than examples fit anything, and tell nothing
        noise = torch.randn(300, units, generator=torch.Generator().manual_seed(1))
        assert telling([noise], labels, 3) < 0.45


@pytest.mark.parametrize(
    ("stages", "starts"),
    [
        ({0: 0.5}, [None]),
        ({0: 0.56}, [None]),
        ({0: 0.58}, [0]),
        ({0: 0.9}, [0]),
        ({0: 0.9, 1: 0.895, 2: 0.5}, [0, 1]),
        ({0: 0.3, 1: 0.58}, [1]),
    ],
)
def test_what_to_race_depends_on_what_is_told(stages, starts):
    """Broken: a related task would be raced against what is surely worse, or not be used."""
    assert Prior(examples=1000, raw=0.6, random=0.55, stages=stages).starts() == starts


@pytest.mark.parametrize(
    ("stages", "starts"),
    [
        ({0: 0.54}, [0]),
        ({0: 0.45}, [None]),
    ],
)
def test_few_examples_leave_the_benefit_of_the_doubt(stages, starts):
    """Broken: with a hundred examples, noise would keep a task from what it could use."""
    assert Prior(examples=100, raw=0.6, random=0.55, stages=stages).starts() == starts


def test_what_tells_no_more_than_noise_is_not_listened_to():
    """Broken: unrelated tasks would be disturbed by what an earlier one says."""
    prior = Prior(examples=400, raw=0.6, random=0.5, stages={0: 0.45, 1: 0.7, 2: 0.6, 3: 0.4})
    assert prior.telling() == [1, 2]


@pytest.mark.parametrize(
    ("best", "examples", "unfamiliar"),
    [
        (0.36, 500, True),  # CIFAR-10's features on house numbers
        (0.68, 800, False),
        (0.45, 100, False),  # so few examples tell little
        (0.20, 100, True),
    ],
)
def test_features_that_tell_little_are_to_be_retrained(best, examples, unfamiliar):
    """Broken: a task would learn few examples by heart from features that do not suit it."""
    prior = Prior(examples=examples, raw=0.2, random=0.1, stages={0: best, 1: 0.15}, chance=0.1)
    assert prior.unfamiliar is unfamiliar
