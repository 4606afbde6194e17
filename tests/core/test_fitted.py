"""The readout in closed form: what it computes, and what it does beside the trained one."""

from __future__ import annotations

import pytest
import torch
from sklearn.linear_model import Ridge
from torch.nn import functional as F  # noqa: N812

from pathnet_evo.core.fitted import RIDGES, FittedReadout, explained
from pathnet_evo.core.ridge import ridge_fit

SHAPES = [(2, 8, 8), (5,)]


def fit(heard, labels):
    """The readout, from two batches."""
    batches = zip(*(torch.split(units, 30) for units in heard), strict=True)
    return FittedReadout.fit(batches, labels, 3)


def problem(n=40, seed=0):
    """Units of two layers, the first a map, and labels of three classes that they tell of."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % 3
    maps = torch.randn(n, 2, 8, 8, generator=generator) + 0.3 * labels.view(-1, 1, 1, 1)
    units = torch.randn(n, 5, generator=generator) + torch.eye(3, 5)[labels]
    return [maps, 7 * units], labels


@pytest.mark.parametrize("features", [6, 90], ids=["few", "more than examples"])
def test_what_is_predicted_of_examples_that_are_left_out(features):
    """Broken: the ridge would be chosen by what the fit remembers."""
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(40, features, generator=generator, dtype=torch.float64)
    targets = x[:, :2] + torch.randn(40, 2, generator=generator, dtype=torch.float64)
    found = ridge_fit(x @ x.T, targets, (0.1, 1.0))
    spread = float((x - x.mean(0)).square().sum(1).mean())
    errors = {}
    for ridge in (0.1, 1.0):
        said = []
        for i in range(40):
            others = torch.arange(40) != i
            fit = Ridge(alpha=ridge * spread).fit(x[others].numpy(), targets[others].numpy())
            said.append(torch.tensor(fit.predict(x[i : i + 1].numpy())[0]))
        errors[float((torch.stack(said) - targets).square().sum())] = torch.stack(said)
    assert found.error == pytest.approx(min(errors))
    assert torch.allclose(found.left_out, errors[min(errors)], atol=1e-8)


def test_it_is_ridge_regression_on_the_units_of_all_layers():
    """Broken: a layer with large units, or with many, would decide alone."""
    heard, labels = problem()
    fitted = fit(heard, labels)
    pooled = [F.avg_pool2d(heard[0], 2).flatten(1), heard[1]]
    centred = [(units - units.mean(0)).double() for units in pooled]
    x = torch.cat([c / c.square().sum(1).mean().sqrt() for c in centred], 1)
    spread = float(x.square().sum(1).mean())
    targets = F.one_hot(labels, 3).double().numpy()
    said = torch.stack(
        [
            torch.tensor(Ridge(alpha=ridge * spread).fit(x.numpy(), targets).predict(x.numpy()))
            for ridge in RIDGES
        ]
    )
    ours = fitted.said(heard).double()
    scales = ours.std() / said.std((1, 2))
    misses = [float((s * each - ours).abs().max()) for s, each in zip(scales, said, strict=True)]
    assert min(misses) < 1e-4
    assert float((ours.argmax(1) == labels).double().mean()) > 0.6


def test_what_is_explained_is_of_examples_that_are_left_out():
    """Broken: what tells nothing would seem to tell something, and outvote a trained readout."""
    heard, labels = problem(60)
    noise = torch.randn(60, 500, generator=torch.Generator().manual_seed(1))
    assert fit(heard, labels).explained > 0.2
    assert explained(noise, labels, 3) < 0.05
    assert explained(torch.ones(60, 4), labels, 3) < 0.05
    assert explained(F.one_hot(labels).float(), labels, 3) > 0.95


def test_both_readouts_have_an_equal_spread():
    """Broken: whichever has the larger logits would decide, which is the one that memorised."""
    heard, labels = problem()
    fitted = fit(heard, labels)
    trained = 30 * torch.randn(40, 3, generator=torch.Generator().manual_seed(2))
    fitted.weigh(trained)
    deviations = (fitted.weight * trained).std(1, correction=0).mean()
    assert deviations == pytest.approx(float(fitted.spread), rel=1e-5)
    assert torch.allclose(fitted(trained, heard), fitted.weight * trained + fitted.said(heard))
    fitted.weigh(torch.zeros(40, 3))
    assert fitted.weight == 1


def test_its_state_gives_it_back():
    """Broken: a resumed run would answer otherwise."""
    heard, labels = problem()
    fitted = fit(heard, labels)
    fitted.weigh(torch.randn(40, 3, generator=torch.Generator().manual_seed(2)))
    again = FittedReadout.of(fitted.state(), SHAPES, 3)
    logits = torch.ones(40, 3)
    assert torch.equal(again(logits, heard), fitted(logits, heard))
    for shapes, outputs in (([(2, 8, 8), (6,)], 3), (SHAPES[:1], 3), (SHAPES, 2)):
        with pytest.raises(ValueError, match="fitted readout"):
            FittedReadout.of(fitted.state(), shapes, outputs)
