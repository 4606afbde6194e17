"""The SGD learner: T minibatches an evaluation (Fernando et al. 2017, section 3.1)."""

from __future__ import annotations

import math
import time
from collections import deque
from functools import cached_property
from typing import Any, ClassVar, Literal, Self

import torch
from pydantic import Field, field_validator, model_validator
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from pathnet_evo import (
    Budget,
    Candidate,
    Connect,
    Evaluation,
    Evaluator,
    Heard,
    Learner,
    LearningContext,
    Lease,
    PathNetwork,
    Scheduled,
    Shape,
    Stack,
    Streams,
    SupervisedTask,
    TaskError,
    memory,
)
from pathnet_evo_sgd import linear_step, state
from pathnet_evo_sgd.batches import Batches

SCORED_AT_ONCE = 1024
"""Examples in one forward pass when a network is scored."""

KEEPABLE = ("SGD", "Adam", "AdamW", "RMSprop", "Adamax", "Adadelta")
"""Optimizers whose state begins at zero, so that a module's can be kept apart from its path's."""
OWN = {"lr": "learning_rate", "momentum": "momentum", "weight_decay": "weight_decay"}
"""Arguments of optimizers that have an option of their own, by name."""
UNUSABLE = ("Optimizer", "LBFGS", "Muon", "SparseAdam")
"""Classes of ``torch.optim`` that need a closure, matrices alone, or sparse gradients."""


class SGD(Scheduled, Learner[SupervisedTask]):
    """Stochastic gradient descent on cross-entropy; fitness is accuracy."""

    takes: ClassVar[type] = SupervisedTask
    connect: ClassVar[Connect] = "lateral"
    listens: ClassVar[bool] = True
    fitness_name: ClassVar[str] = "accuracy"

    n_batches: int = Field(50, ge=1)
    """Minibatches per evaluation, T."""
    batch_size: int = Field(16, ge=1)
    """Examples per minibatch."""
    optimizer: str = "SGD"
    """Name of a class in ``torch.optim``."""
    optimizer_state: Literal["kept", "fresh"] = "kept"
    """Keep the optimizer's state, such as momentum, beside each module between evaluations, or
    reset it. SGD, Adam, AdamW, RMSprop, Adamax and Adadelta can keep it; others always reset."""
    momentum: float = Field(0, ge=0, lt=1)
    """Momentum; passed to the optimizer unless 0."""
    weight_decay: float = Field(0, ge=0, allow_inf_nan=False)
    """Weight decay; passed to the optimizer unless 0. Frozen modules are never decayed."""
    max_grad_norm: float = Field(math.inf, gt=0)
    """Norm to which each minibatch's gradient, of a whole path and its head, is clipped (Pascanu et
    al. 2013); ``inf`` for no clipping."""
    optimizer_kwargs: dict[str, bool | int | float | tuple[float, float]] = Field({})
    """More arguments of the optimizer, such as ``betas`` or ``nesterov``."""
    validation_fraction: float = Field(0, ge=0, lt=1)
    """Share of the training examples held out for validation; copies of an example stay together.
    Fitness is the accuracy on them after the evaluation, or with 0 the training accuracy on the
    minibatches."""
    feature_memory: float = Field(2.0, ge=0, allow_inf_nan=False)
    """GiB per process for caching the features of frozen paths on all training examples; each
    worker of an engine has a cache of its own. If they do not fit, they are computed for every
    minibatch."""
    slots: Literal[1, 2] = 1
    """With 2, both contestants of a tournament are leased before either trains."""

    @field_validator("optimizer_kwargs")
    @classmethod
    def _have_no_option(cls, options: dict[str, Any]) -> dict[str, Any]:
        for name, own in OWN.items():
            if name in options:
                raise ValueError(f"set learner.{own} instead of {name}")
        return options

    @field_validator("optimizer")
    @classmethod
    def _known(cls, name: str) -> str:
        known = sorted(
            n
            for n, o in vars(torch.optim).items()
            if isinstance(o, type) and issubclass(o, torch.optim.Optimizer) and n not in UNUSABLE
        )
        if name not in known:
            raise ValueError(f"not a supported optimizer (have: {', '.join(known)})")
        return name

    @model_validator(mode="after")
    def _takes_options(self) -> Self:
        if not self.plain:  # the first optimizer of a process takes a second or two
            self.make_optimizer([torch.zeros(1, requires_grad=True)])
        return self

    def outputs(self, task: SupervisedTask) -> int:
        """One logit a class."""
        return task.n_classes

    def check(self, task: SupervisedTask) -> None:
        """Refuse an evaluation of more examples than there is memory for, or a share of none."""
        task.split(self.validation_fraction, torch.Generator())
        examples = self.n_batches * self.batch_size
        each = math.prod(task.input_shape) * task.inputs.element_size()
        lack = memory.lacking(f"{examples} examples an evaluation", examples * each)
        if lack:
            raise TaskError(f"n_batches and batch_size: {lack}")

    def visits(self, task: SupervisedTask, budget: Budget) -> float:
        """Examples that the budget trains on, over the task's distinct examples."""
        trained = budget.frames or (budget.evaluations or 0) * self.n_batches * self.batch_size
        n = len(task.labels) if task.sources is None else len(set(task.sources.tolist()))
        return trained / (n * (1 - self.validation_fraction))

    def split_examples(self, task: SupervisedTask, streams: Streams) -> tuple[Tensor, Tensor]:
        """The examples to train on, and the share that is held out."""
        return task.split(self.validation_fraction, streams.torch("held-out"))

    @property
    def validates(self) -> bool:
        """Whether examples are held out."""
        return self.validation_fraction > 0

    def carries(self, stack: Stack) -> dict[str, Shape]:
        """The optimizer's state, where it is kept."""
        return state.shapes(stack, self.kept_state)

    def evaluator(self, context: LearningContext[SupervisedTask]) -> SGDEvaluator:
        """An evaluator that trains one path at a time, to the end, in one ``advance``."""
        return SGDEvaluator(self, context)

    def score(
        self, network: PathNetwork, task: SupervisedTask, streams: Streams
    ) -> dict[str, float]:
        """Accuracy on the task's test examples."""
        return {"test_accuracy": accuracy(network, task.test_inputs, task.test_labels)}

    @cached_property
    def kept_state(self) -> dict[str, bool]:
        """What the optimizer keeps of each parameter from evaluation to evaluation, by name.

        True where it has the parameter's shape, false where it is one number.
        """
        if self.optimizer_state == "fresh" or self.optimizer not in KEEPABLE:
            return {}
        if self.plain:
            return {"momentum_buffer": True} if self.momentum else {}
        parameter = torch.zeros(2, requires_grad=True)
        optimizer = self.make_optimizer([parameter])
        parameter.grad = torch.ones(2)
        optimizer.step()
        found = optimizer.state[parameter]
        return {name: value.dim() == 1 for name, value in found.items() if value is not None}

    def make_optimizer(self, parameters: list[Tensor]) -> torch.optim.Optimizer:
        """The configured optimizer, which clips the gradients before it uses them.

        Raises:
            ValueError: it does not take the configured options.
        """
        options: dict[str, Any] = {"lr": self.learning_rate, **self.optimizer_kwargs}
        for name in ("momentum", "weight_decay"):
            if getattr(self, name):
                options[name] = getattr(self, name)
        if self.optimizer == "SGD" and not options.keys() & {"fused", "differentiable"}:
            options.setdefault("foreach", True)  # the same bits, and fewer calls from Python
        try:
            made = getattr(torch.optim, self.optimizer)(parameters, **options)
        except TypeError as error:
            raise ValueError(f"torch.optim.{self.optimizer}: {error}") from None
        assert isinstance(made, torch.optim.Optimizer)
        if self.max_grad_norm != math.inf:
            made.defaults["max_grad_norm"] = self.max_grad_norm
            made.register_step_pre_hook(_clip)
        return made

    @property
    def plain(self) -> bool:
        """Whether this is SGD without decay, which ``linear_step`` does by hand."""
        return self.optimizer == "SGD" and not (self.weight_decay or self.optimizer_kwargs)


class SGDEvaluator(Evaluator):
    """Trains leased paths, one an ``advance``."""

    def __init__(self, learner: SGD, context: LearningContext[SupervisedTask]) -> None:
        self.learner = learner
        self.context = context
        task: SupervisedTask = context.task
        self.task = task
        kept, held = learner.split_examples(task, context.streams)
        self.held = held.to(context.device)
        size = learner.n_batches * learner.batch_size
        self.batches = Batches(kept.to(context.device), size, context.streams)
        self.flat_inputs = task.inputs.flatten(1)
        self.shift = linear_step.flat(task.shift, task.input_shape, 0.0, task.inputs)
        self.scale = linear_step.flat(task.scale, task.input_shape, 1.0, task.inputs)
        self.heard = self._said()
        for stack in context.pool.stacks(context.head):
            stack.carry(learner.carries(stack))
        self.queue: deque[tuple[Candidate, Lease, int]] = deque()
        self.free_slots: int = learner.slots

    @property
    def free(self) -> int:
        """Places that hold no candidate; none while those leased together are being trained."""
        return self.free_slots

    def submit(self, candidate: Candidate) -> None:
        """Lease the candidate's path: with two slots both start from the same weights."""
        lease = self.context.pool.lease(self.context.path(candidate.genotype), self.context.head)
        self.queue.append((candidate, lease, self.context.budget.used))
        self.free_slots -= 1

    def advance(self) -> list[Evaluation]:
        """Train the path that has waited longest, to the end."""
        if not self.queue:
            return []
        candidate, lease, used = self.queue.popleft()
        self.free_slots = 0 if self.queue else self.learner.slots
        start = time.perf_counter()
        index = self.batches(candidate.batches)
        labels = self.task.labels[index].view(-1, self.learner.batch_size)
        fitness, loss = self._train(lease, index, labels, self._rates(used, labels))
        cause = None
        if not (math.isfinite(loss) and lease.finite()):
            cause = (
                f"the loss or a weight is not finite (learning rate {self.learner.learning_rate})"
            )
        elif self.learner.validation_fraction:
            fitness = self._held_out(lease)
        if cause is None:
            self.context.pool.commit(lease)
        return [
            Evaluation(
                candidate,
                fitness if cause is None else None,
                cause,
                examples=labels.numel(),
                seconds=time.perf_counter() - start,
                metrics={} if cause else {"loss": loss},
            )
        ]

    def cancel(self) -> None:
        """Drop what was leased."""
        self.queue.clear()
        self.free_slots = self.learner.slots

    def state(self) -> dict[str, Any]:
        """What was leased with a candidate that is over by now, and waits to be trained."""
        if not self.queue:
            return {}
        waiting = [
            {"candidate": candidate.state(), "lease": lease.state(), "used": used}
            for candidate, lease, used in self.queue
        ]
        return {"waiting": waiting, "free": self.free_slots}

    def restore(self, state: dict[str, Any]) -> None:
        """Lease the same paths again, with the weights that they were leased with."""
        for waiting in state.get("waiting", []):
            self.submit(Candidate.of(waiting["candidate"]))
            candidate, lease, used = self.queue.pop()
            lease.restore(waiting["lease"])
            self.queue.append((candidate, lease, waiting.get("used", used)))
        self.free_slots = state.get("free", self.free_slots)

    def _rates(self, used: int, labels: Tensor) -> list[float]:
        """The learning rate of each minibatch of an evaluation leased when ``used`` were used."""
        budget, n = self.context.budget, len(labels)
        start, span = budget.share(used), budget.of_evaluation(labels.numel())
        return [self.learner.rate(min(start + span * i / n, 1.0)) for i in range(n)]

    def _train(
        self, lease: Lease, index: Tensor, labels: Tensor, rates: list[float]
    ) -> tuple[float, float]:
        """Train a lease; return the accuracy and mean loss of its minibatches as they came."""
        if self.learner.plain and linear_step.applies(lease):
            inputs = self.flat_inputs[index].view(*labels.shape, -1)
            heard = self._hear(index)
            if heard is not None:
                heard = [units.view(*labels.shape, -1) for units in heard]
            logits = linear_step.train(
                lease,
                inputs,
                labels,
                self.shift,
                self.scale,
                rates,
                momentum=self.learner.momentum,
                heard=heard,
                max_grad_norm=self.learner.max_grad_norm,
            )
        else:
            logits = self._train_by_autograd(lease, index, labels, rates)
        right = correct(logits, labels) / labels.numel()
        return right, float(F.cross_entropy(logits.flatten(0, 1), labels.flatten()))

    def _train_by_autograd(
        self, lease: Lease, index: Tensor, labels: Tensor, rates: list[float]
    ) -> Tensor:
        parameters = lease.parameters()
        optimizer = self.learner.make_optimizer(parameters)
        state.put(optimizer, lease, self.learner.kept_state)
        outputs = []
        for rows, y, rate in zip(index.view_as(labels), labels, rates, strict=True):
            for group in optimizer.param_groups:
                group["lr"] = rate
            logits = lease.forward(self.task.prepare(self.task.inputs[rows]), self._hear(rows))
            for parameter in parameters:
                parameter.grad = None
            F.cross_entropy(logits, y).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            outputs.append(logits.detach())
        state.take(optimizer, lease, self.learner.kept_state)
        return torch.stack(outputs)

    def _said(self) -> list[Tensor] | None:
        """What the head's columns say of every training example, if it is worth its memory."""
        columns, n = self.context.head.columns, len(self.task.inputs)
        if columns is None:
            return None
        size = n * sum(map(math.prod, columns.shapes)) * 4
        if size > self.learner.feature_memory * 2**30:
            return None
        kept = [torch.empty(n, *shape, device=self.context.device) for shape in columns.shapes]
        for rows in torch.split(torch.arange(n, device=self.context.device), SCORED_AT_ONCE):
            for units, said in zip(kept, self._listen(rows) or [], strict=True):
                units[rows] = said
        return kept

    def _hear(self, rows: Tensor) -> Heard:
        """What the columns say of some training examples."""
        return self._listen(rows) if self.heard is None else [u[rows] for u in self.heard]

    def _listen(self, rows: Tensor) -> Heard:
        if self.context.head.columns is None:
            return None
        return self.context.head.hear(self.task.prepare(self.task.inputs[rows]))

    @torch.no_grad()
    def _held_out(self, lease: Lease) -> float:
        right = 0
        for rows in torch.split(self.held, SCORED_AT_ONCE):
            logits = lease.forward(self.task.prepare(self.task.inputs[rows]), self._hear(rows))
            right += correct(logits, self.task.labels[rows])
        return right / len(self.held)


def _clip(optimizer: torch.optim.Optimizer, *_: Any) -> None:
    """Clip the gradients that an optimizer is about to use, all of them to one norm."""
    parameters = [values for group in optimizer.param_groups for values in group["params"]]
    torch.nn.utils.clip_grad_norm_(parameters, optimizer.defaults["max_grad_norm"])


@torch.inference_mode()
def accuracy(network: PathNetwork, inputs: Tensor, labels: Tensor) -> float:
    """Share of examples whose largest logit is that of their label, all of them finite."""
    right = 0
    for x, y in zip(*(torch.split(part, SCORED_AT_ONCE) for part in (inputs, labels)), strict=True):
        right += correct(network(x), y)
    return right / len(labels)


def correct(logits: Tensor, labels: Tensor) -> int:
    """How many examples are classified right; one with a logit that is not finite is not.

    Args:
        logits: ``(*shape, classes)``.
        labels: ``shape``.
    """
    right = logits.argmax(-1) == labels
    return int((right & torch.isfinite(logits).all(-1)).sum())
