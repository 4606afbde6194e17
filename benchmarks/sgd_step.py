"""One generation of the SGD learner, over the same arithmetic written by hand in plain torch.

The reference is what a fast script would do: the path as one matrix a layer, preallocated
buffers, in-place updates with the learning rate fused, no graph, nothing but the arithmetic.
"""

from __future__ import annotations

import random

import torch
from measuring import (
    CIFAR,
    MNIST,
    FullWidth,
    Setting,
    evaluator,
    generation,
    interleaved,
    pool,
    report,
    task,
)
from torch.nn.functional import cross_entropy, one_hot

from pathnet_evo.core.pool import ModulePool
from pathnet_evo.core.streams import Streams
from pathnet_evo.interfaces.tasks import SupervisedTask

MINIBATCHES, BATCH, RATE = 50, 16, 1e-3


class ByHand:
    """The reference: weights as ``(M, inputs + 1, units)``, the bias as the last row."""

    def __init__(self, setting: Setting, learned: SupervisedTask) -> None:
        inputs = learned.inputs[0].numel()
        self.setting = setting
        self.pixels = learned.inputs.flatten(1)
        self.labels = learned.labels
        assert learned.shift is not None
        assert learned.scale is not None
        shape = learned.input_shape
        self.shift = learned.shift.expand(shape).reshape(-1)
        self.scale = learned.scale.expand(shape).reshape(-1)
        n, units, classes = setting.width, setting.units, setting.classes
        fan_in = [inputs] + [units] * (setting.layers - 1)
        self.modules = [torch.randn(setting.modules, f + 1, units) / (f + 1) ** 0.5 for f in fan_in]
        self.readout = torch.randn(units + 1, classes) / (units + 1) ** 0.5
        self.xs = [torch.ones(BATCH, f + 1) for f in [*fan_in, units]]
        self.zs = [torch.empty(BATCH, n * units) for _ in fan_in]
        self.order = torch.randperm(len(self.labels))
        self.random = random.Random(0)
        self.at = 0

    @torch.inference_mode()
    def evaluate(self) -> float:
        """Train a random full-width path for 50 minibatches of 16; return the accuracy."""
        n, units = self.setting.width, self.setting.units
        paths = [self.random.sample(range(self.setting.modules), n) for _ in self.modules]
        ws = [m[p].transpose(0, 1).flatten(1) for m, p in zip(self.modules, paths, strict=True)]
        weights = [*ws, self.readout]
        if self.at + MINIBATCHES * BATCH > len(self.order):
            self.at = 0
        index = self.order[self.at : self.at + MINIBATCHES * BATCH]
        self.at += MINIBATCHES * BATCH
        pixels = self.pixels[index].view(MINIBATCHES, BATCH, -1)
        labels = self.labels[index].view(MINIBATCHES, BATCH)
        targets = one_hot(labels, self.setting.classes).float()
        logits = torch.empty_like(targets)
        first, xs, zs = self.xs[0][:, :-1], self.xs, self.zs
        outs = [x[:, :-1] for x in xs[1:]]
        blocks = [z.view(BATCH, n, units) for z in zs]
        transposed = [w[:-1].t() for w in weights]
        xts = [x.t() for x in xs]
        for t in range(MINIBATCHES):
            torch.sub(pixels[t], self.shift, out=first).mul_(self.scale)
            for x, w, z, block, out in zip(xs, ws, zs, blocks, outs, strict=False):
                torch.mm(x, w, out=z).relu_()
                torch.sum(block, 1, out=out)
            torch.mm(xs[-1], self.readout, out=logits[t])
            d = torch.softmax(logits[t], 1).sub_(targets[t])
            for i in range(len(ws), -1, -1):
                below = d @ transposed[i] if i else d
                weights[i].addmm_(xts[i], d, alpha=-RATE / BATCH)
                if i:
                    mask = blocks[i - 1] > 0
                    d = (below.unsqueeze(1) * mask).view(BATCH, n * units)
        for modules, path, w in zip(self.modules, paths, ws, strict=True):
            modules[path] = w.unflatten(1, (n, units)).transpose(0, 1)
        return float((logits.argmax(2) == labels).float().mean())

    def generation(self) -> None:
        """Two evaluations."""
        self.evaluate()
        self.evaluate()


class Eager:
    """The same evaluation with autograd and ``torch.optim.SGD`` on the same leases."""

    def __init__(self, setting: Setting, shared: ModulePool, learned: SupervisedTask) -> None:
        self.pool, self.task = shared, learned
        self.head = shared.head(setting.classes, Streams(0).torch("readout"))
        self.shape = shared.shape(setting.width)
        self.random = random.Random(0)

    def generation(self) -> None:
        """Two evaluations."""
        for _ in range(2):
            layers = [self.random.sample(range(c), self.shape.width) for c in self.shape.counts]
            lease = self.pool.lease(tuple(tuple(sorted(p)) for p in layers), self.head)
            optimizer = torch.optim.SGD(lease.parameters(), RATE)
            right = 0
            for rows in torch.randperm(len(self.task.labels))[: MINIBATCHES * BATCH].split(BATCH):
                logits = lease.forward(self.task.prepare(self.task.inputs[rows]))
                loss = cross_entropy(logits, self.task.labels[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                right += int((logits.argmax(1) == self.task.labels[rows]).sum())
            self.pool.commit(lease)


def main() -> None:
    """Measure both settings."""
    torch.set_num_threads(1)
    for setting in (MNIST, CIFAR):
        learned = task(setting)
        shared = pool(setting)
        strategy = FullWidth(shared.shape(setting.width), random.Random(0), population=64)
        trains = evaluator(setting, shared, learned)
        medians = interleaved(
            {
                "by hand": ByHand(setting, learned).generation,
                "the SGD learner": lambda s=strategy, e=trains: generation(s, e),
                "autograd and torch.optim.SGD": Eager(setting, pool(setting), learned).generation,
            },
            rounds=60 if setting is MNIST else 30,
        )
        print(f"{setting.name}: a generation, two paths of {MINIBATCHES} minibatches of {BATCH}")
        report(medians, "by hand", {"the SGD learner": 1.25})


if __name__ == "__main__":
    main()
