"""A learner whose training can be added up, and which meets with accidents when told to."""

import os
import resource
import signal
import time
from collections import deque
from typing import ClassVar

import torch

from pathnet_evo.interfaces.evaluations import Evaluation, Evaluator
from pathnet_evo.interfaces.learners import Learner
from pathnet_evo.interfaces.tasks import SupervisedTask


class Toy(Learner):
    """Adds 1 to every number of the path and the readout; an accident befalls given candidates."""

    takes: ClassVar[type] = SupervisedTask

    seconds: float = 0.0
    starts: float = 0.0
    killed: tuple[int, ...] = ()
    killed_late: tuple[int, ...] = ()
    stopped: tuple[int, ...] = ()
    broken: tuple[int, ...] = ()
    failed: tuple[int, ...] = ()
    hungry: tuple[int, ...] = ()
    touches: bool = False
    unable: bool = False

    def outputs(self, task):
        """One a class."""
        return task.n_classes

    def evaluator(self, context):
        """One candidate at a time."""
        if self.unable:
            raise ValueError("this learner is out of order")
        time.sleep(self.starts)
        return ToyEvaluator(self, context)

    def score(self, network, task, streams):
        """Always the same."""
        return {"score": 1.0}


class ToyEvaluator(Evaluator):
    """Leases when a candidate is submitted, commits when it is done."""

    def __init__(self, learner, context):
        self.learner, self.context, self.queue = learner, context, deque()

    @property
    def free(self):
        """One slot."""
        return 1 - len(self.queue)

    def submit(self, candidate):
        """Lease the path."""
        path = self.context.path(candidate.genotype)
        self.queue.append((candidate, self.context.pool.lease(path, self.context.head)))

    def advance(self):
        """Train."""
        if not self.queue:
            return []
        candidate, lease = self.queue.popleft()
        learner, number = self.learner, candidate.id
        time.sleep(learner.seconds * (1 + number % 3))
        if number in learner.killed:
            os.kill(os.getpid(), signal.SIGKILL)
        if number in learner.stopped:
            os.kill(os.getpid(), signal.SIGSTOP)
        if number in learner.broken:
            raise RuntimeError("out of memory, say")
        if number in learner.hungry:
            resource.setrlimit(resource.RLIMIT_AS, (2**34, resource.RLIM_INFINITY))
            torch.ones(2**34)
        if number in learner.failed:
            return [Evaluation(candidate, None, "diverged")]
        if learner.touches:
            self.context.pool.layers[0].parameters["weight"].sum().item()
        with torch.no_grad():
            for values in lease.parameters():
                values += 1
        self.context.pool.commit(lease)
        if number in learner.killed_late:
            os.kill(os.getpid(), signal.SIGKILL)
        fitness = float(number % 7)
        metrics = {"worker": float(self.context.worker), "process": float(os.getpid())}
        return [Evaluation(candidate, fitness, examples=1, metrics=metrics)]

    def cancel(self):
        """Drop the leases."""
        self.queue.clear()
