"""Full minibatches without end, so that a rival sees as many examples as the other arms."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, islice
from typing import Any

import torch
from torch.utils.data import ConcatDataset, DataLoader


class Minibatches:
    """A data loader whose passes are evaluations: each continues where the last one ended.

    Avalanche's loaders end a pass with a smaller minibatch, and take fewer examples of a dataset
    that is smaller than its share. Here every minibatch is full: a dataset that is used up is
    reshuffled, in the middle of a minibatch if need be.

    Args:
        loader: Avalanche's, for its datasets and the share that each has of a minibatch.
        n: minibatches per pass.
    """

    def __init__(self, loader: Any, n: int) -> None:
        self.n = n
        datasets = loader.datasets
        self._endless = iter(
            DataLoader(
                ConcatDataset(datasets),
                batch_sampler=_drawn([len(each) for each in datasets], loader.batch_sizes),
                collate_fn=datasets[0].collate_fn,
            )
        )

    def __len__(self) -> int:
        return self.n

    def __iter__(self) -> Iterator[Any]:
        return islice(self._endless, self.n)


def _drawn(sizes: Sequence[int], shares: Sequence[int]) -> Iterator[list[int]]:
    """Indices of minibatches into the concatenation of datasets of these sizes."""
    ends = accumulate(sizes)
    orders = [_shuffled(range(end - n, end)) for n, end in zip(sizes, ends, strict=True)]
    while True:
        yield [
            next(order) for order, share in zip(orders, shares, strict=True) for _ in range(share)
        ]


def _shuffled(indices: range) -> Iterator[int]:
    """The indices, pass after pass, each in a new order from torch's global generator."""
    while True:
        for i in torch.randperm(len(indices)).tolist():
            yield indices[i]
