"""One evaluation of the SGD learner on a second task: laterals, momentum, a cosine schedule.

Fully connected modules, over the same arithmetic by hand in plain torch: one matrix a layer,
against the layer below, what a frozen path says of the examples, which is known, and a one for the
bias.
Momentum and weights are gathered from the modules, and put back. Convolutional modules, over a
plain ``torch.nn`` network of the same multiply-adds with autograd and ``torch.optim.SGD``, which
gathers nothing.
"""

from __future__ import annotations

import math
import random

import torch
from measuring import CIFAR, Setting, interleaved, report, task
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot

from pathnet_evo.core.columns import Columns
from pathnet_evo.core.kinds import Conv2d, Linear
from pathnet_evo.core.modules import ModuleKind
from pathnet_evo.core.pool import ModulePool
from pathnet_evo.core.streams import Streams
from pathnet_evo.interfaces.budget import Budget
from pathnet_evo.interfaces.evaluations import Candidate
from pathnet_evo.interfaces.learners import LearningContext
from pathnet_evo.interfaces.tasks import SupervisedTask
from pathnet_evo_sgd.learner import SGD

N_BATCHES, BATCH, RATE, MOMENTUM = 50, 16, 1e-3, 0.9
EVALUATIONS = 120
"""Of a stage, over which the rate follows half a cosine; measured over and over."""
CONVOLUTIONS: list[ModuleKind] = [
    *[Conv2d(channels=8, kernel=3, stride=2, padding=1)] * 3,
    Linear(units=50),
]


def rates(evaluation: int) -> list[float]:
    """The learning rate of each minibatch of an evaluation."""
    share = evaluation % EVALUATIONS / EVALUATIONS
    steps = [share + i / N_BATCHES / EVALUATIONS for i in range(N_BATCHES)]
    return [RATE * (1 + math.cos(math.pi * s)) / 2 for s in steps]


class Ours:
    """The SGD learner on paths of full width.

    Args:
        kinds: a module kind for each layer.
        width: modules of a layer in a path.
        learned: the task.
        listens: whether it listens to a frozen path.
    """

    def __init__(
        self, kinds: list[ModuleKind], width: int, learned: SupervisedTask, listens: bool
    ) -> None:
        self.pool = ModulePool(kinds, CIFAR.modules, learned.input_shape)
        self.pool.initialise(lambda layer: Streams(0).torch("init", layer))
        self.width, self.random, self.n = width, random.Random(0), 0
        readout = self.pool.readout(learned.n_classes, Streams(0).torch("readout"))
        head = self.pool.head(learned.n_classes, Streams(0).torch("readout"))
        if listens:
            path = tuple(tuple(range(width)) for _ in kinds)
            self.pool.freeze(path)
            columns = Columns((0,), [self.pool.network(path, head)])
            head = type(head)(self.pool.layers, readout, columns)
            head.fit(learned.prepare(learned.inputs[:1000]))
        self.budget = Budget(evaluations=EVALUATIONS)
        context = LearningContext(
            self.pool, head, learned, torch.device("cpu"), Streams(0, 0), False, budget=self.budget
        )
        self.head = head
        learner = SGD(learning_rate=RATE, momentum=MOMENTUM, schedule="cosine")
        self.trains = learner.evaluator(context)

    def evaluate(self) -> None:
        """Train a random path of full width."""
        free = range(self.width, CIFAR.modules)
        rows = tuple(tuple(sorted(self.random.sample(free, self.width))) for _ in self.pool.layers)
        self.budget.used = self.n % EVALUATIONS
        self.trains.submit(Candidate(self.n, 0, rows, None, self.n))
        self.n += 1
        (evaluation,) = self.trains.advance()
        assert not evaluation.failed, evaluation.cause


class ByHand:
    """The reference of fully connected modules: ``(M, inputs + heard + 1, units)`` a layer."""

    def __init__(self, setting: Setting, learned: SupervisedTask, heard: list[Tensor]) -> None:
        self.setting, self.labels = setting, learned.labels
        self.pixels = learned.inputs.flatten(1)
        assert learned.shift is not None
        assert learned.scale is not None
        self.shift = learned.shift.expand(learned.input_shape).reshape(-1)
        self.scale = learned.scale.expand(learned.input_shape).reshape(-1)
        self.heard = heard
        units, fans = setting.units, [self.pixels.shape[1]] + [setting.units] * setting.layers
        fans = [fan + (heard[i - 1].shape[1] if i else 0) + 1 for i, fan in enumerate(fans)]
        sizes = [units] * setting.layers
        self.modules = [
            torch.randn(setting.modules, fan, size) / fan**0.5
            for fan, size in zip(fans, sizes, strict=False)
        ]
        self.readout = torch.randn(1, fans[-1], setting.classes) / fans[-1] ** 0.5
        self.velocities = [torch.zeros_like(m) for m in [*self.modules, self.readout]]
        self.xs = [torch.ones(BATCH, fan) for fan in fans]
        self.order, self.random = torch.randperm(len(self.labels)), random.Random(0)
        self.at = self.n = 0

    @torch.inference_mode()
    def evaluate(self) -> None:
        """Train a random path of full width for 50 minibatches of 16."""
        n, units = self.setting.width, self.setting.units
        paths = [self.random.sample(range(self.setting.modules), n) for _ in self.modules]
        paths.append([0])
        every = [*self.modules, self.readout]
        weights, steps = (
            [m[p].transpose(0, 1).flatten(1) for m, p in zip(of, paths, strict=True)]
            for of in (every, self.velocities)
        )
        if self.at + N_BATCHES * BATCH > len(self.order):
            self.at = 0
        index = self.order[self.at : self.at + N_BATCHES * BATCH]
        self.at += N_BATCHES * BATCH
        pixels = self.pixels[index].view(N_BATCHES, BATCH, -1)
        heard = [h[index].view(N_BATCHES, BATCH, -1) for h in self.heard]
        targets = one_hot(self.labels[index].view(N_BATCHES, BATCH), self.setting.classes).float()
        zs = [torch.empty(BATCH, w.shape[1]) for w in weights]
        blocks = [z.view(BATCH, n, units) for z in zs[:-1]]
        xs, xts = self.xs, [x.t() for x in self.xs]
        transposed = [w[:units].t() for w in weights]
        outs = [x[:, :units] for x in xs]
        places = [x[:, units:-1] for x in xs]
        first = xs[0][:, :-1]
        for t, rate in enumerate(rates(self.n)):
            torch.sub(pixels[t], self.shift, out=first).mul_(self.scale)
            for i, (x, w, z) in enumerate(zip(xs, weights, zs, strict=True)):
                if i:
                    torch.sum(blocks[i - 1], 1, out=outs[i])
                    places[i].copy_(heard[i - 1][t])
                torch.mm(x, w, out=z)
                if i < len(blocks):
                    z.relu_()
            d = torch.softmax(zs[-1], 1).sub_(targets[t])
            for i in range(len(weights) - 1, -1, -1):
                below = d @ transposed[i] if i else d
                steps[i].addmm_(xts[i], d, beta=MOMENTUM, alpha=1 / BATCH)
                weights[i].add_(steps[i], alpha=-rate)
                if i:
                    mask = blocks[i - 1] > 0
                    d = (below.unsqueeze(1) * mask).view(BATCH, n * units)
        self.n += 1
        for of, trained in ((every, weights), (self.velocities, steps)):
            for modules, path, w in zip(of, paths, trained, strict=True):
                modules[path] = w.unflatten(1, (len(path), -1)).transpose(0, 1)


class Plain:
    """The reference of convolutional modules: wide layers, whose groups of channels are summed."""

    def __init__(self, width: int, learned: SupervisedTask) -> None:
        self.width, self.task, self.n = width, learned, 0
        channels, stride = 8, {"kernel_size": 3, "stride": 2, "padding": 1}
        shapes = [learned.input_shape[0], channels, channels]
        self.convolutions = nn.ModuleList(
            nn.Conv2d(c, width * channels, **stride)
            for c in shapes  # type: ignore[arg-type]
        )
        self.linear = nn.Linear(channels * 4 * 4, width * 50)
        self.readout = nn.Linear(50, learned.n_classes)
        parts = nn.ModuleList([self.convolutions, self.linear, self.readout])
        self.optimizer = torch.optim.SGD(parts.parameters(), RATE, momentum=MOMENTUM)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of images, ``(batch, channels, height, width)``."""
        for layer in self.convolutions:
            x = torch.relu(layer(x)).unflatten(1, (self.width, -1)).sum(1)
        x = torch.relu(self.linear(x.flatten(1))).unflatten(1, (self.width, -1)).sum(1)
        return self.readout(x)  # type: ignore[no-any-return]

    def evaluate(self) -> None:
        """Train for 50 minibatches of 16."""
        order = torch.randperm(len(self.task.labels))[: N_BATCHES * BATCH]
        right = 0
        for rows, rate in zip(order.split(BATCH), rates(self.n), strict=True):
            self.optimizer.param_groups[0]["lr"] = rate
            logits = self.forward(self.task.prepare(self.task.inputs[rows]))
            self.optimizer.zero_grad()
            cross_entropy(logits, self.task.labels[rows]).backward()  # type: ignore[no-untyped-call]
            self.optimizer.step()
            right += int((logits.argmax(1) == self.task.labels[rows]).sum())
        self.n += 1


def main() -> None:
    """Measure both."""
    torch.set_num_threads(1)
    learned = task(CIFAR)
    ours = Ours([Linear(units=CIFAR.units)] * CIFAR.layers, CIFAR.width, learned, listens=True)
    heard = [torch.cat(parts) for parts in zip(*(
        [h.flatten(1) for h in ours.head.hear(learned.prepare(x)) or []]
        for x in learned.inputs.split(1000)
    ), strict=True)]  # fmt: skip
    print(f"Fully connected, listening: an evaluation of {N_BATCHES} minibatches of {BATCH}")
    medians = interleaved(
        {
            "by hand": ByHand(CIFAR, learned, heard).evaluate,
            "the SGD learner": ours.evaluate,
        },
        rounds=60,
    )
    report(medians, "by hand", {"the SGD learner": 1.25})
    print(f"Convolutional, alone: an evaluation of {N_BATCHES} minibatches of {BATCH}")
    medians = interleaved(
        {
            "a plain torch network": Plain(4, learned).evaluate,
            "the SGD learner": Ours(CONVOLUTIONS, 4, learned, listens=False).evaluate,
        },
        rounds=30,
    )
    report(medians, "a plain torch network", {"the SGD learner": 1.25})


if __name__ == "__main__":
    main()
