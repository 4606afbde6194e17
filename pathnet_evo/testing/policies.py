"""The contract kit of transfer policies; plugin authors subclass it."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch

from pathnet_evo.core.genotype import Path
from pathnet_evo.core.kinds import Linear
from pathnet_evo.core.pool import ModulePool
from pathnet_evo.core.streams import Streams
from pathnet_evo.interfaces.policies import Beginning, Grown, InitialModules, Start, TransferPolicy
from pathnet_evo.testing.plain import check_settings, global_seed

MODULES, WIDTH = 8, 2
PATH: Path = ((0, 1), (1, 2))


class PolicyContract(ABC):
    """What every transfer policy keeps to.

    A subclass is a test class for pytest::

        class TestMyPolicy(PolicyContract):
            def policy(self) -> TransferPolicy:
                return MyPolicy()
    """

    @abstractmethod
    def policy(self) -> TransferPolicy:
        """A policy."""

    def pool(self) -> ModulePool:
        """A pool of two layers of eight modules, none of them frozen."""
        return _pool()

    def begin(self, policy: TransferPolicy, pool: ModulePool) -> list[Start]:
        """Begin a second stage after ``((0, 1), (1, 2))``, and return its starts."""
        return _begin(policy, pool, "fresh")[0]

    def test_settings(self) -> None:
        """``run.toml`` would not repeat a run."""
        check_settings(self.policy(), "transfer policy")

    def test_what_is_frozen_never_changes(self) -> None:
        """PathNet's one promise would be broken: an earlier task would be forgotten."""
        for initial in ("fresh", "copies", "mixed"):
            policy, pool = self.policy(), _pool()
            policy.end(pool, PATH)
            assert not policy.freezes or pool.frozen_path() == PATH, (
                "a policy that freezes must freeze the path that it is given, and no more"
            )
            before = pool.network(PATH, pool.head(2, _drawn())).state_dict()
            _begin(policy, pool, initial)
            after = pool.network(PATH, pool.head(2, _drawn())).state_dict()
            assert not policy.freezes or all(torch.equal(before[k], after[k]) for k in before), (
                "begin() must leave frozen modules as they are"
            )

    def test_starts_are_paths_on_free_modules(self) -> None:
        """A stage would begin on modules that cannot be trained, or that two paths share."""
        for initial in ("fresh", "copies", "mixed"):
            policy, pool = self.policy(), _pool()
            policy.end(pool, PATH)
            starts, _ = _begin(policy, pool, initial)
            used: set[tuple[int, int]] = set()
            for start in starts:
                pool.shape(WIDTH).check(start.rows)
                modules = {(i, m) for i, row in enumerate(start.rows) for m in row}
                assert not any(pool.layers[i].frozen[m] for i, m in modules), (
                    "a start must be on free modules"
                )
                assert not modules & used, "starts must not share modules"
                used |= modules

    def test_repeats(self) -> None:
        """Equal seeds would give other weights."""
        pools = []
        for seed in (1, 2):
            policy, pool = self.policy(), _pool()
            with global_seed(seed):
                policy.end(pool, PATH)
                _begin(policy, pool, "mixed")
            pools.append([p for layer in pool.layers for p in layer.parameters.values()])
        assert all(map(torch.equal, *pools)), (
            "begin() must draw from the streams that it is given alone"
        )


def _pool() -> ModulePool:
    pool = ModulePool([Linear(units=3), Linear(units=2)], MODULES, (4,))
    pool.initialise(lambda layer: Streams(0, 0).torch("init", layer))
    return pool


def _drawn() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def _begin(
    policy: TransferPolicy, pool: ModulePool, initial: InitialModules
) -> tuple[list[Start], list[Grown]]:
    return policy.begin(
        Beginning(
            pool=pool,
            streams=Streams(0, 1),
            width=WIDTH,
            learned=[PATH],
            ranked=[0],
            wanted=[None, 0],
            reinitialise=True,
            grow=0,
            initial_modules=initial,
        )
    )
