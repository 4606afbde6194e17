"""The contract kit of module kinds; plugin authors subclass it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar

import torch
from torch import Tensor

from pathnet_evo.core.modules import ModuleKind, Shape, ShapeError
from pathnet_evo.testing.plain import check_settings, global_seed

N = 3
"""Modules at once."""
BATCH = 4
STEP = 1e-6
"""Step of the numerical derivative, in float64."""


class ModuleContract(ABC):
    """What every module kind keeps to.

    A subclass is a test class for pytest::

        class TestTanh(ModuleContract):
            input_shape = (6,)

            def kind(self) -> ModuleKind:
                return Tanh(units=4)

    Attributes:
        input_shape: an example's shape that the kind takes.
        refused_shapes: shapes that it cannot take.
    """

    input_shape: ClassVar[Shape] = (6,)
    refused_shapes: ClassVar[Sequence[Shape]] = ()

    @abstractmethod
    def kind(self) -> ModuleKind:
        """The kind, with small settings."""

    def parameters(self, n: int = N, seed: int = 0) -> dict[str, Tensor]:
        """Freshly drawn parameters of n modules."""
        drawn = {
            name: torch.zeros(n, *shape)
            for name, shape in self.kind().parameter_shapes(self.input_shape).items()
        }
        self.kind().initialise(drawn, torch.Generator().manual_seed(seed))
        return drawn

    def inputs(self) -> Tensor:
        """A batch of examples."""
        generator = torch.Generator().manual_seed(1)
        return torch.randn(BATCH, *self.input_shape, generator=generator)

    def test_settings_are_plain(self) -> None:
        """A run could not be repeated from its run.toml."""
        assert isinstance(self.kind(), ModuleKind), "a module kind derives from ModuleKind"
        check_settings(self.kind(), "module kind")

    def test_output_shape(self) -> None:
        """The next layer would be built for another input than it gets."""
        out = self.kind().forward(self.inputs(), self.parameters())
        wanted = (BATCH, N, *self.kind().output_shape(self.input_shape))
        assert tuple(out.shape) == wanted, (
            f"forward must give (batch, n, *output_shape), {wanted}, not {tuple(out.shape)}"
        )
        assert out.dtype == torch.float32, f"forward must give float32, not {out.dtype}"

    def test_n_modules_equal_one_by_one(self) -> None:
        """A path's output would depend on which modules are computed together."""
        kind, x, parameters = self.kind(), self.inputs(), self.parameters()
        together = kind.forward(x, parameters)
        for i in range(N):
            alone = kind.forward(x, {name: p[i : i + 1] for name, p in parameters.items()})
            assert torch.allclose(together[:, i], alone[:, 0], rtol=1e-4, atol=1e-5), (
                f"n modules at once must give what each gives alone, but module {i} of {N} differs "
                f"by {float((together[:, i] - alone[:, 0]).abs().max()):.3g}"
            )

    def test_examples_do_not_mix(self) -> None:
        """An example's class would depend on the rest of its batch."""
        kind, x, parameters = self.kind(), self.inputs(), self.parameters()
        together = kind.forward(x, parameters)
        for i in range(BATCH):
            alone = kind.forward(x[i : i + 1], parameters)
            assert torch.allclose(together[i], alone[0], rtol=1e-4, atol=1e-5), (
                f"an example's output must not depend on its batch, but that of example {i} does"
            )

    def test_gradient(self) -> None:
        """Training would step the wrong way."""
        kind = self.kind()
        parameters = {name: p.double() for name, p in self.parameters().items()}
        x = self.inputs().double()

        def loss(values: dict[str, Tensor]) -> Tensor:
            given = {name: value for name, value in values.items() if name != ""}
            out = kind.forward(values[""], given)
            return (out * torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view_as(out)).sum()

        values = {"": x, **parameters}
        for name in values:
            what = f"parameter {name!r}" if name else "the input"
            exact, numerical = _derivatives(loss, values, name)
            error = abs(exact - numerical)
            assert error <= 1e-4 * max(abs(numerical), 1), (
                f"the gradient of {what} is wrong: along a random direction it is {exact:.6g}, but "
                f"the output changes by {numerical:.6g}"
            )

    def test_forward_changes_nothing(self) -> None:
        """Modules that an evaluation only reads, frozen ones too, would change."""
        kind, x, parameters = self.kind(), self.inputs(), self.parameters()
        kept, copy = x.clone(), {name: p.clone() for name, p in parameters.items()}
        with global_seed(1):
            first = kind.forward(x, parameters)
        with global_seed(2):
            second = kind.forward(x, parameters)
        assert torch.equal(first, second), "forward must give the same output for the same input"
        assert torch.equal(x, kept), "forward must not change its input"
        for name, value in parameters.items():
            assert torch.equal(value, copy[name]), f"forward must not change parameter {name!r}"

    def test_initialise(self) -> None:
        """Equal seeds would start from different weights, or all modules from the same."""
        with global_seed(1):
            first = self.parameters(seed=5)
        with global_seed(2):
            second = self.parameters(seed=5)
        for name, value in first.items():
            assert bool(torch.isfinite(value).all()), f"initialise must make {name!r} finite"
            assert torch.equal(value, second[name]), (
                f"initialise must draw {name!r} from the generator that it is given alone"
            )
        assert any(not torch.equal(p[0], p[1]) for p in first.values()), (
            "initialise must draw different modules, but the first two are equal"
        )

    def test_refused_shapes(self) -> None:
        """A network that cannot work would fail in the middle of a run."""
        for shape in self.refused_shapes:
            try:
                self.kind().output_shape(shape)
            except ShapeError:
                continue
            raise AssertionError(f"output_shape({shape}) must raise ShapeError")


def _derivatives(
    loss: Callable[[dict[str, Tensor]], Tensor], values: dict[str, Tensor], name: str
) -> tuple[float, float]:
    """The derivative along a random direction: by autograd, and by two evaluations."""
    at = values[name]
    generator = torch.Generator().manual_seed(2)
    direction = torch.randn(at.shape, generator=generator, dtype=at.dtype)
    leaf = at.clone().requires_grad_()
    out = loss({**values, name: leaf})
    assert out.requires_grad, (
        f"the output must have a gradient with regard to {name or 'the input'!r}"
    )
    (gradient,) = torch.autograd.grad(out, leaf, allow_unused=True)
    exact = 0.0 if gradient is None else float((gradient * direction).sum())
    with torch.no_grad():
        up = loss({**values, name: at + STEP * direction})
        down = loss({**values, name: at - STEP * direction})
    return exact, float((up - down) / (2 * STEP))
