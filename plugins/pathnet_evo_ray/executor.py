"""The executor whose trials run on a Ray cluster."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Annotated

from pydantic import AfterValidator, Field

from pathnet_evo import Store, Transport, Trials, WorkerExecutor
from pathnet_evo_ray.requirements import require


def _divisible(number: float) -> float:
    if number > 1 and number != int(number):
        raise ValueError("a whole number, or a fraction of one")
    return number


Share = Annotated[float, AfterValidator(_divisible)]
"""A number of CPUs or GPUs: Ray divides one, but not several."""


class RayExecutor(WorkerExecutor):
    """Trials in parallel on a Ray cluster, each in a process of its own.

    A trial whose process or node dies resumes elsewhere from its newest checkpoint.
    """

    address: str | None = Field(None, min_length=1)
    """Cluster to join, ``HOST:PORT`` or ``auto``; default: a local Ray that ends with the run."""
    cpus_per_trial: Share = Field(1, gt=0, allow_inf_nan=False)
    """CPUs that a trial occupies, and torch's threads for it. Results with more than one thread can
    differ in the last bits from those with one."""
    gpus_per_trial: Share = Field(0, ge=0, allow_inf_nan=False)
    """GPUs that a trial occupies; a fraction lets several trials share one."""
    workers: int = Field(0, ge=0)
    """Number of trials to run in parallel; 0: as many as the cluster holds as the run starts."""
    retries: int = Field(3, ge=0)
    """Restarts, from its last checkpoint, of a trial whose process or node died."""
    store: str | None = Field(None, min_length=1)
    """Storage that all nodes can write, a path or a URL for fsspec: checkpoints pass through it
    instead of through Ray. The folder of runs itself, if all nodes share it."""

    @property
    def device(self) -> str:
        """``cuda`` if trials have GPUs."""
        return "cuda" if self.gpus_per_trial else "cpu"

    def transport(self) -> Transport:
        """Calls of Ray."""
        from pathnet_evo_ray.transport import RayTransport

        return RayTransport(self.cpus_per_trial, self.gpus_per_trial)

    def check(self) -> None:
        """Refuse a cluster that cannot run the trials; a local Ray is not started for that.

        Raises:
            ExecutorError: Ray is missing, there is no such cluster, no node has room for a trial,
                one has other packages, or the store cannot be written.
        """
        require()
        if self.address is not None:
            with self._connected():
                return
        from pathnet_evo_ray.nodes import too_much
        from pathnet_evo_ray.shared import check_writable

        cpus, gpus = os.cpu_count() or 1, _gpus() if self.gpus_per_trial else 0
        if self.cpus_per_trial > cpus or self.gpus_per_trial > gpus:
            raise too_much(self.cpus_per_trial, self.gpus_per_trial, cpus, gpus, "this machine")
        if self.store is not None:
            check_writable(self.store)

    def run(self, trials: Trials) -> None:
        """Run trials until none is left or to be run."""
        with self._connected() as room, self._kept(trials.setting.store) as store:
            setting = replace(trials.setting, store=store, threads=max(int(self.cpus_per_trial), 1))
            self.run_with(self.transport(), trials, setting, self.workers or room)

    @contextmanager
    def _connected(self) -> Iterator[int]:
        """Be connected to the cluster; how many trials it holds at once."""
        from pathnet_evo_ray.cluster import connected

        with connected(self.address):
            from pathnet_evo_ray import nodes

            able = nodes.with_room(self.cpus_per_trial, self.gpus_per_trial)
            nodes.check(able, self.store)
            yield sum(node.room(self.cpus_per_trial, self.gpus_per_trial) for node in able)

    @contextmanager
    def _kept(self, store: Store) -> Iterator[Store]:
        """A way for workers to the run's folder."""
        from pathnet_evo_ray.keeper import Kept, keeper_for
        from pathnet_evo_ray.shared import shared_of

        shared = None if self.store is None else shared_of(self.store, store)
        if self.store is not None and shared is None:
            yield store
            return
        try:
            with keeper_for(store, shared) as keeper:
                yield Kept(store.run, keeper, shared)
        finally:
            if shared is not None:
                shared.clear()


def _gpus() -> int:
    import torch

    return torch.cuda.device_count()
