"""What lanes need to know of a kind whose modules are convolutions."""

from __future__ import annotations

from typing import Protocol


class Convolution(Protocol):
    """A kind such as ``Conv2d``: square kernels, all sizes in pixels."""

    @property
    def kernel(self) -> int:
        """Height and width of the kernel."""

    @property
    def stride(self) -> int:
        """Step between applications of the kernel."""

    @property
    def padding(self) -> int:
        """Zeros added on each side."""
