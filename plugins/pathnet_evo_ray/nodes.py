"""The nodes of a cluster: what room they have, and whether trials can run on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import ray
from ray import cloudpickle
from ray.exceptions import GetTimeoutError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from pathnet_evo import ExecutorError
from pathnet_evo_ray import versions
from pathnet_evo_ray.shared import absolute, check_writable, refusal, written
from pathnet_evo_ray.versions import differences, installed

ANSWER_WITHIN = 120.0
"""Seconds in which every node must say what is installed on it."""
NEARLY = 1e-6
"""What a sum of fractions may be short of."""


@dataclass(frozen=True)
class Node:
    """A node that is alive.

    Args:
        key: Ray's id of it.
        host: its address.
        cpus, gpus: all that it has, in use or not.
    """

    key: str
    host: str
    cpus: float
    gpus: float

    def room(self, cpus: float, gpus: float) -> int:
        """How many workers it holds at once that need so much each."""
        rooms = [int(self.cpus / cpus + NEARLY)]
        if gpus:
            rooms.append(int(self.gpus / gpus + NEARLY))
        return min(rooms)


def nodes() -> list[Node]:
    """The nodes of the cluster that this process is connected to."""
    return [
        Node(
            found["NodeID"],
            found["NodeManagerAddress"],
            found["Resources"].get("CPU", 0.0),
            found["Resources"].get("GPU", 0.0),
        )
        for found in ray.nodes()
        if found["Alive"]
    ]


def with_room(cpus: float, gpus: float, what: str = "trial") -> list[Node]:
    """The nodes that can hold a trial, or whatever else needs so much.

    Raises:
        ExecutorError: there is none.
    """
    found = nodes()
    able = [node for node in found if node.room(cpus, gpus)]
    if not able:
        most = max(found, key=lambda node: (node.gpus, node.cpus) if gpus else (node.cpus, 0.0))
        raise too_much(cpus, gpus, most.cpus, most.gpus, f"the largest node ({most.host})", what)
    return able


def too_much(
    cpus: float, gpus: float, has: float, gpus_there: float, where: str, what: str = "trial"
) -> ExecutorError:
    """What to say where a trial, or whatever else, asks for more than there is."""
    needs = f"{cpus:g} CPUs" + (f" and {gpus:g} GPUs" if gpus else "")
    there = f"{has:g} CPUs" + (f" and {gpus_there:g} GPUs" if gpus else "")
    return ExecutorError(
        f"a {what} needs {needs}, but {where} has {there}: lower cpus_per_{what} or gpus_per_{what}"
    )


def check(able: Sequence[Node], storage: str | None) -> None:
    """Find out whether trials can run on nodes.

    Args:
        able: the nodes.
        storage: the storage that all of them must be able to write, or None.

    Raises:
        ExecutorError: one lacks a package or has another version of it, cannot write the storage,
            or does not answer.
    """
    cloudpickle.register_pickle_by_value(versions)  # a node may lack even this package
    try:
        wanted = installed()
        answers = [_on(node, installed).remote() for node in able]
        for node, answer in zip(able, answers, strict=True):
            if text := differences(wanted, _answered(node, answer)):
                raise ExecutorError(f"node {node.host} {text}")
    finally:
        cloudpickle.unregister_pickle_by_value(versions)
    if storage is not None:
        _check_storage(able, storage)


def _check_storage(able: Sequence[Node], storage: str) -> None:
    check_writable(storage)
    with written(storage) as name:
        answers = [_on(node, refusal).remote(absolute(storage), name) for node in able]
        for node, answer in zip(able, answers, strict=True):
            if reason := _answered(node, answer):
                raise ExecutorError(
                    f"store {storage}: cannot be used from node {node.host} ({reason})"
                )


def _on(node: Node, function: Any) -> Any:
    there = NodeAffinitySchedulingStrategy(node.key, soft=False)
    return ray.remote(num_cpus=0, scheduling_strategy=there, max_retries=1)(function)


def _answered(node: Node, reference: Any) -> Any:
    try:
        return ray.get(reference, timeout=ANSWER_WITHIN)
    except GetTimeoutError:
        text = f"does not answer within {ANSWER_WITHIN:g} seconds"
    except RayError as error:
        text = f"cannot run anything: {' '.join(str(error).split())[:200]}"
    raise ExecutorError(f"node {node.host} {text}")
