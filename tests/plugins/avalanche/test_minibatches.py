"""The minibatches that rivals learn from."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import pytest
import torch


@pytest.mark.parametrize(("memory", "batch"), [(3, 16), (100, 7), (1, 2)])
def test_half_of_each_minibatch_is_replayed(memory, batch, follow, make_plan):
    """Replay would see fewer examples than the other arms, and fewer of the past than it says."""
    halves = []

    def asked(rival, course):
        labels = rival.strategy.mb_task_id.tolist()
        halves.append((course.stage, labels.count(course.stage), len(labels)))

    follow("replay", make_plan(learner={"batch_size": batch}), asked, memory=memory)
    assert halves == [(0, batch, batch)] * 8 + [(1, batch - batch // 2, batch)] * 8


def test_full_minibatches_take_every_example_in_turn(avalanche):
    """Examples would be left out, or drawn with repetition within a pass."""
    from pathnet_evo_avalanche.minibatches import Minibatches
    from pathnet_evo_avalanche.to_avalanche import dataset_of

    def of(n, stage):
        values = torch.arange(n)
        return dataset_of(values.float().view(-1, 1), values, stage)

    loader = SimpleNamespace(datasets=[of(10, 0), of(2, 1)], batch_sizes=[4, 3])
    minibatches = Minibatches(loader, 5)
    drawn = [*minibatches, *minibatches]
    assert [len(y) for _, y, _ in drawn] == [7] * 10
    inputs, labels, tasks = (torch.cat(part) for part in zip(*drawn, strict=True))
    assert torch.equal(inputs[:, 0].long(), labels)
    own, replayed = labels[tasks == 0].tolist(), labels[tasks == 1].tolist()
    assert all(Counter(own[i : i + 10]) == Counter(range(10)) for i in range(0, 40, 10))
    assert all({*replayed[i : i + 2]} == {0, 1} for i in range(0, 30, 2))
    assert own[:10] != own[10:20], "passes are reshuffled"
