"""Which examples each minibatch holds: the same for every arm of a seed."""

from __future__ import annotations

import torch
from torch import Tensor

from pathnet_evo import Streams

EPOCHS_KEPT = 4


class Batches:
    """Endless epochs, each a new permutation of the examples, cut into evaluations.

    Evaluation ``key`` takes the key-th cut, so equal keys give equal minibatches, and within an
    epoch no example is drawn twice.

    Args:
        examples: indices to draw from, ``(n,)`` int64.
        size: examples an evaluation takes.
        streams: the stage's random streams.
    """

    def __init__(self, examples: Tensor, size: int, streams: Streams) -> None:
        self.examples = examples
        self.size = size
        self.streams = streams
        self._epochs: dict[int, Tensor] = {}

    def __call__(self, key: int) -> Tensor:
        """Indices of an evaluation's examples, ``(size,)`` int64."""
        n = len(self.examples)
        first, end = key * self.size, (key + 1) * self.size
        parts = []
        for epoch in range(first // n, (end - 1) // n + 1):
            start = epoch * n
            parts.append(self._epoch(epoch)[max(first - start, 0) : end - start])
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _epoch(self, epoch: int) -> Tensor:
        if epoch not in self._epochs:
            order = torch.randperm(len(self.examples), generator=self.streams.torch("data", epoch))
            self._epochs[epoch] = self.examples[order.to(self.examples.device)]
            while len(self._epochs) > EPOCHS_KEPT:
                del self._epochs[next(iter(self._epochs))]
        return self._epochs[epoch]
