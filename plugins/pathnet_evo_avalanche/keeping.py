"""What Avalanche's strategies carry from one experience to the next, as plain data and tensors.

Avalanche's own checkpoints are pickles of the whole strategy. Here its code builds the strategy
again for the experiences that were learned, and tensors and counters are put in their places.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

import torch
from avalanche.training.plugins import EWCPlugin, LwFPlugin, ReplayPlugin
from avalanche.training.storage_policy import ReservoirSamplingBuffer
from avalanche.training.utils import ParamData

from pathnet_evo_avalanche.to_avalanche import dataset_of

State = dict[str, Any]


def kept(strategy: Any) -> State:
    """A strategy's state after an experience."""
    model = strategy.model
    return {
        "model": dict(model.state_dict()),
        "fixed": [name for name, values in model.named_parameters() if not values.requires_grad],
        "optimizer": {
            str(i): values for i, values in strategy.optimizer.state_dict()["state"].items()
        },
        "clock": dict(vars(strategy.clock)),
        "plugins": [_kept(plugin) for plugin in strategy.plugins],
    }


def put(strategy: Any, state: State, experiences: Iterable[Any]) -> None:
    """Bring a new strategy to a state.

    Args:
        strategy: as it is before its first experience.
        state: what ``kept`` gave.
        experiences: those that were learned, in order.
    """
    for strategy.experience in experiences:
        strategy.train_dataset_adaptation()
        strategy.check_model_and_optimizer()
    model, optimizer = strategy.model, strategy.optimizer
    model.load_state_dict(state["model"])
    for name, values in model.named_parameters():
        values.requires_grad_(name not in state["fixed"])
    momenta = {int(i): values for i, values in state["optimizer"].items()}
    optimizer.load_state_dict({**optimizer.state_dict(), "state": momenta})
    vars(strategy.clock).update(state["clock"])
    for plugin, of_plugin in zip(strategy.plugins, state["plugins"], strict=True):
        _put(plugin, of_plugin, strategy)


def _kept(plugin: Any) -> State | None:
    """What a plugin carries; None for one that carries nothing, or is rebuilt otherwise."""
    match plugin:
        case EWCPlugin():
            return {
                "saved_params": _tensors(plugin.saved_params),
                "importances": _tensors(plugin.importances),
            }
        case LwFPlugin():
            classes = plugin.lwf.prev_classes_by_task
            return {
                "experiences": plugin.lwf.expcount,
                "classes": {str(task): sorted(found) for task, found in classes.items()},
            }
        case ReplayPlugin():
            groups = plugin.storage_policy.buffer_groups
            return {str(i): _of_group(group) for i, group in groups.items()}
    return None


def _put(plugin: Any, state: Any, strategy: Any) -> None:
    match plugin:
        case EWCPlugin():
            for part in ("saved_params", "importances"):
                getattr(plugin, part).update(_parameters(state[part], strategy.device))
        case LwFPlugin():
            plugin.lwf.expcount = state["experiences"]
            plugin.lwf.prev_model = copy.deepcopy(strategy.model)
            plugin.lwf.prev_classes_by_task = {
                int(task): {*classes} for task, classes in state["classes"].items()
            }
        case ReplayPlugin():
            policy = plugin.storage_policy
            policy._num_exps = len(state)
            policy.buffer_groups = {int(i): _group(int(i), of) for i, of in state.items()}


def _tensors(parameters: Any) -> State:
    return {
        str(i): {name: values.data for name, values in each.items()}
        for i, each in parameters.items()
    }


def _parameters(state: State, device: torch.device) -> dict[int, dict[str, ParamData]]:
    return {
        int(i): {
            name: ParamData(name, init_tensor=values.to(device), device=device)
            for name, values in each.items()
        }
        for i, each in state.items()
    }


def _of_group(group: Any) -> State:
    """The replayed examples of an experience, with the weights that decide which ones stay.

    There are none of some experiences if fewer examples than experiences are kept.
    """
    examples = [*group.buffer]
    return {
        "most": group.max_size,
        "inputs": torch.stack([x for x, *_ in examples]) if examples else torch.empty(0),
        "labels": torch.tensor([y for _, y, *_ in examples], dtype=torch.int64),
        "weights": group._buffer_weights,
    }


def _group(stage: int, state: State) -> ReservoirSamplingBuffer:
    group = ReservoirSamplingBuffer(state["most"])
    if len(state["labels"]):
        group.buffer = dataset_of(state["inputs"], state["labels"], stage)
    group._buffer_weights = state["weights"]
    return group
