"""The pool as workers reach it by messages: gradients come, and weights that changed go.

The trial's own process is the parameter server. It must have the pool at hand anyway, to save it,
to duplicate modules and to score paths, and has nothing else to do while workers play; an actor of
its own would send every update over one more hop.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pathnet_evo import EnvironmentTask, LearningContext, Path, Stack
from pathnet_evo_a3c import rmsprop
from pathnet_evo_a3c.messages import ModuleValues, Some
from pathnet_evo_a3c.settings import A3CSettings


@dataclass(eq=False)
class Seen:
    """What a worker knows of the pool.

    Args:
        versions: of each stack ``(M,)``, of the weights that it was sent.
        incarnations: the same.
        updates: how many the pool had had when it was sent weights last.
    """

    versions: list[Tensor]
    incarnations: list[Tensor]
    updates: int


class ParameterServer:
    """Updates the pool, one worker's rollout after another's.

    Args:
        learner: the settings.
        context: the stage.

    Attributes:
        updates: rollouts whose gradients were applied.
        staleness: updates by others between a rollout's weights and its gradients, added up.
        bytes: of weights and gradients that travelled.
    """

    def __init__(self, learner: A3CSettings, context: LearningContext[EnvironmentTask]) -> None:
        self.learner, self.context = learner, context
        self.stacks = context.pool.stacks(context.head)
        self.updates = self.staleness = self.bytes = 0
        for stack in self.stacks:
            rmsprop.prepare(stack)

    def copied(self) -> tuple[LearningContext[EnvironmentTask], Seen]:
        """The context for a worker, without what only updates need; and what it then knows."""
        pool, head = copy.copy(self.context.pool), copy.copy(self.context.head)
        pool.layers = [_bare(stack) for stack in pool.layers]
        head.readout = _bare(head.readout)
        head.laterals = [None if stack is None else _bare(stack) for stack in head.laterals]
        self.bytes += sum(v.nbytes for stack in self.stacks for v in stack.parameters.values())
        seen = Seen(
            [stack.versions.clone() for stack in self.stacks],
            [stack.incarnations.clone() for stack in self.stacks],
            self.updates,
        )
        return replace(self.context, pool=pool, head=head, transport=None), seen

    def changed(self, seen: Seen, paths: Iterable[Path]) -> Some:
        """The modules of some paths, and of the head, that a worker has otherwise."""
        wanted = self._users(list(paths))
        found = []
        for i, (stack, modules) in enumerate(zip(self.stacks, wanted, strict=True)):
            versions, incarnations = seen.versions[i], seen.incarnations[i]
            new = (stack.versions[modules] != versions[modules]) | (
                stack.incarnations[modules] != incarnations[modules]
            )
            modules = modules[new]
            if not len(modules):
                continue
            versions[modules] = stack.versions[modules]
            incarnations[modules] = stack.incarnations[modules]
            values = {name: held[modules] for name, held in stack.parameters.items()}
            found.append(ModuleValues(i, modules, values))
        seen.updates = self.updates
        self.bytes += sum(part.bytes for part in found)
        return tuple(found)

    def _users(self, paths: list[Path]) -> list[Tensor]:
        """The modules of each stack that paths use; maps go with the modules that they lead to."""
        layers = [
            torch.tensor(sorted({m for path in paths for m in path[i]}), dtype=torch.int64)
            for i in range(len(self.context.pool.layers))
        ]
        readout = torch.zeros(1, dtype=torch.int64)
        owners = zip([*layers, readout], self.context.head.laterals, strict=True)
        return [*layers, readout, *(used for used, stack in owners if stack is not None)]

    def apply(self, gradients: Some, seen: Seen, rate: float) -> None:
        """Update the pool with a rollout's gradients.

        Modules that were frozen, re-initialised or overwritten meanwhile stay as they are.

        Args:
            gradients: of the modules that its lanes used.
            seen: what the worker played with.
            rate: the learning rate.
        """
        learner = self.learner
        self.bytes += sum(part.bytes for part in gradients)
        self.staleness += self.updates - seen.updates
        self.updates += 1
        for part in gradients:
            stack, modules, values = self.stacks[part.stack], part.modules, part.values
            same = stack.incarnations[modules] == seen.incarnations[part.stack][modules]
            if not same.all():
                modules, values = modules[same], {n: found[same] for n, found in values.items()}
            rmsprop.step(
                stack,
                modules,
                values,
                learning_rate=rate,
                decay=learner.decay,
                epsilon=learner.epsilon,
                initial=learner.initial_square,
            )


def _bare(stack: Stack) -> Stack:
    """A copy of a stack without statistics, which shares nothing with it."""
    bare = copy.copy(stack)
    bare.statistics, bare.carried = {}, ()
    bare.parameters = {name: values.clone() for name, values in stack.parameters.items()}
    for name in ("frozen", "versions", "incarnations"):
        setattr(bare, name, getattr(stack, name).clone())
    return bare
