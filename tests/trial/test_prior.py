"""The prior: what earlier paths tell of a new task, without training."""

import math

import pytest
import torch
from sklearn.linear_model import Ridge, RidgeClassifier

from pathnet_evo.trial.prior import FOLDS, RIDGES, Prior, Tells, tells


def classes(n, gap, seed=0):
    """Three overlapping classes of vectors."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % 3
    centres = gap * torch.randn(3, 6, generator=generator)
    return centres[labels] + torch.randn(n, 6, generator=generator), labels


@pytest.mark.parametrize("repeat", [1, 15], ids=["fewer units", "more units than examples"])
def test_it_is_the_accuracy_of_a_ridge_classifier_on_what_it_has_not_seen(repeat):
    """Broken: stages would be ranked by something else than how well they tell classes apart."""
    x, labels = classes(60, 0.7)
    x = x.repeat(1, repeat)
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
    assert tells([x], labels, 3).accuracy == pytest.approx(best, abs=1 / 60)


def test_layers_together_tell_the_same_however_many_units_say_it():
    """Broken: wide layers would be ranked by another rule than narrow ones."""
    near, labels = classes(120, 0.4)
    more = 100 * classes(120, 0.4, seed=3)[0]
    for repeats in [(30, 1), (1, 30), (30, 30)]:
        layers = [units.repeat(1, n) for units, n in zip((near, more), repeats, strict=True)]
        assert tells(layers, labels, 3).accuracy == tells([near, more], labels, 3).accuracy
    assert tells([near, more], labels, 3).accuracy > tells([near], labels, 3).accuracy


def test_each_layer_tells_what_its_units_tell():
    """Broken: layers would be copied that suit the task before alone."""
    generator = torch.Generator().manual_seed(2)
    near, labels = classes(90, 0.7)
    noise, more = torch.randn(2, 90, 6, generator=generator)
    layers = [noise, near, near + more]
    alone = [tells([units], labels, 3).explained for units in layers]
    assert tells(layers, labels, 3).by_layer == tuple(alone)


def test_variance_is_explained_by_fits_on_all_other_examples():
    """Broken: a path would be copied for what its units remember, not for what they tell."""
    x, labels = classes(40, 0.7)
    scaled = (x - x.mean(0)) / (x.std(0) + 1e-6 + 0.01 * x.std())
    scaled = (scaled / (scaled @ scaled.T).diagonal().mean().sqrt()).double()
    spread = float((scaled - scaled.mean(0)).square().sum(1).mean())
    targets = torch.eye(3, dtype=torch.float64)[labels]
    explained = []
    for ridge in (*RIDGES, 10 * RIDGES[-1]):
        missed = about_the_mean = 0.0
        for i in range(40):
            others = torch.arange(40) != i
            a, b = scaled[others].numpy(), targets[others].numpy()
            fit = Ridge(alpha=ridge * spread).fit(a, b)
            said = torch.tensor(fit.predict(scaled[i : i + 1].numpy()))
            missed += float((said - targets[i]).square().sum())
            about_the_mean += float((targets[others].mean(0) - targets[i]).square().sum())
        explained.append(1 - missed / about_the_mean)
    assert tells([x], labels, 3).explained == pytest.approx(max(explained), abs=1e-6)


def test_noise_tells_nothing_and_distant_classes_everything():
    """Broken: an unrelated task would be taken for a related one."""
    x, labels = classes(300, 5.0)
    assert tells([x], labels, 3).accuracy > 0.98
    for units in (40, 2000):  # more units than examples fit anything, and tell nothing
        noise = torch.randn(300, units, generator=torch.Generator().manual_seed(1))
        found = tells([noise], labels, 3)
        assert found.accuracy < 0.45
        assert found.explained < 0.01


@pytest.mark.parametrize(
    ("accuracies", "explained", "starts"),
    [
        ([0.7], [0.20], [None]),
        ([0.5], [0.25], [0]),
        ([0.9, 0.895, 0.5], [0.4, 0.4, 0.4], [0, 1]),
        ([0.9, 0.895, 0.5], [0.2, 0.4, 0.4], [1]),
        ([0.9, 0.895, 0.5], [0.1, 0.2, 0.1], [None]),
    ],
)
def test_what_to_race_depends_on_what_is_told(accuracies, explained, starts):
    """Broken: a related task would be raced against what is surely worse, or not be used."""
    stages, told = dict(enumerate(accuracies)), dict(enumerate(explained))
    prior = Prior(1000, 0.6, 0.55, stages, alone=stages, explained=told, explained_random=0.2)
    assert prior.starts() == starts


def test_copies_are_made_for_what_paths_tell_by_themselves():
    """Broken: a copy would be made for what its source heard, which the copy does not hear."""
    alone = {0: 0.8, 1: 0.5}
    prior = Prior(
        1000, 0.6, 0.55, {0: 0.8, 1: 0.9}, alone=alone, explained={0: 0.4, 1: 0.1}
    )  # fmt: skip
    assert (prior.starts(), prior.ranked) == ([0], [1, 0])


@pytest.mark.parametrize(
    ("by_layer", "layers"),
    [
        ((0.30, 0.31, 0.33, 0.26), 2),  # CIFAR-10's second half, after the first
        ((0.25, 0.41, 0.42, 0.41), 3),  # noisy MNIST's
        ((0.26, 0.42, 0.40, 0.46), 4),
        ((0.26, 0.42, 0.40, 0.36), 2),
        ((0.42, 0.36, 0.20, 0.16), 2),
    ],
)
def test_layers_that_tell_more_and_more_are_copied(by_layer, layers):
    """Broken: with many images, MNIST would begin with less of what it knows than it could."""
    prior = Prior(800, 0.6, 0.55, {0: 0.6, 1: 0.7}, by_layer={1: by_layer})
    assert prior.layers_to_copy(1, least=2) == layers


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


@pytest.mark.parametrize(("n", "factor"), [(1, 1.0), (60, math.inf)])
def test_what_cannot_be_measured_tells_nothing(n, factor, recwarn):
    """Broken: a task with one example would print torch's warnings, one of huge inputs fail."""
    x, labels = classes(60, 0.7)
    found = tells([x[:n], factor * x[:n]], labels[:n], 3)
    assert found == Tells(0.0, 0.0, (0.0, 0.0))
    assert not recwarn.list
