"""What each stage began with: what earlier paths told of it, whom it hears, what it started as."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pathnet_evo.store.cells import number
from pathnet_evo.values.stage_numbers import renumbered, stage_number


@dataclass(frozen=True)
class Begun:
    """How a stage began, over the seeds of one arm.

    Args:
        arm: whose it is.
        stage: index in the sequence.
        examples: how many examples the prior looked at, at the most; None without a prior.
        accuracies: of a ridge classifier on ``raw`` inputs, on the units of a ``random`` path and
            on those of each earlier stage's path: means over seeds, in this order.
        episodes: how many episodes each network was tried in, at the most; None if none was.
        returns: of ``random`` actions on the new task, and of each earlier stage's network: means
            over seeds, in this order.
        listens: of how many seeds the stage listens to each earlier stage's path.
        starts: of how many seeds the stage had each start, in words.
        fitted: of how many seeds the finished network has a fitted readout; None if none says.
        seeds: how many seeds there are.
    """

    arm: str
    stage: int
    examples: int | None
    accuracies: dict[str, float | None]
    episodes: int | None
    returns: dict[str, float | None]
    listens: dict[int, int]
    starts: dict[str, int]
    fitted: int | None
    seeds: int

    @property
    def has_fitted(self) -> str:
        """Whether there is a fitted readout, in words."""
        if self.fitted is None:
            return "unknown"
        return self._words({"yes": self.fitted} if self.fitted else {"no": self.seeds})

    @property
    def listens_to(self) -> str:
        """The earlier stages, in words."""
        return self._words(
            {f"stage {stage_number(stage)}": n for stage, n in sorted(self.listens.items())}
        )

    @property
    def starts_as(self) -> str:
        """The starts, in words."""
        return self._words(self.starts)

    def _words(self, found: dict[str, int]) -> str:
        some = [
            what if n == self.seeds else f"{what} ({n} of {self.seeds} seeds)"
            for what, n in found.items()
        ]
        return ", ".join(some) or "none"


def read_beginnings(db: sqlite3.Connection, n_stages: int) -> list[Begun]:
    """How stages began, by arm and stage; nothing of lineages that do not say.

    Args:
        db: an open lineage.
        n_stages: how many stages are configured.

    Raises:
        ValueError: it speaks of another stage.
    """
    rows = db.execute(
        "SELECT t.arm, e.stage, e.data, n.data FROM events e JOIN trials t USING (trial) "
        "LEFT JOIN events n ON n.trial = e.trial AND n.stage = e.stage AND n.kind = 'network' "
        "WHERE e.kind = 'transfer' ORDER BY t.trial, e.stage"
    )
    found: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for arm, stage, text, network in rows:
        if not 0 <= stage < n_stages:
            raise ValueError(f"stage {stage} of {n_stages}")
        fitted = None if network is None else json.loads(network).get("fitted_readout")
        found.setdefault((arm, stage), []).append({**json.loads(text), "fitted": fitted})
    return [_begun(arm, stage, seeds) for (arm, stage), seeds in found.items()]


def _begun(arm: str, stage: int, seeds: list[dict[str, Any]]) -> Begun:
    priors = [seed["prior"] for seed in seeds if seed["prior"] is not None]
    told = [{"raw": p["raw"], "random": p["random"], **_by_stage(p["stages"])} for p in priors]
    tries = [seed["tried"] for seed in seeds if seed.get("tried") is not None]
    played = [{"random": t["random"], **_by_stage(t["stages"])} for t in tries]
    known = [seed["fitted"] for seed in seeds if seed["fitted"] is not None]
    return Begun(
        arm=arm,
        stage=stage,
        examples=max((int(p["examples"]) for p in priors), default=None),
        accuracies=_means(told),
        episodes=max((int(t["episodes"]) for t in tries), default=None),
        returns=_means(played),
        listens=Counter(int(stage) for seed in seeds for stage in seed["columns"]),
        starts=Counter(renumbered(str(words)) for seed in seeds for words, _ in seed["starts"]),
        fitted=sum(map(bool, known)) if known else None,
        seeds=len(seeds),
    )


def _by_stage(values: dict[str, Any]) -> dict[str, Any]:
    return {f"stage {stage_number(int(stage))}": value for stage, value in values.items()}


def _means(seeds: list[dict[str, Any]]) -> dict[str, float | None]:
    """The mean over seeds of each of the first seed's values."""
    return {name: _mean([one.get(name) for one in seeds]) for name in (seeds or [{}])[0]}


def _mean(values: Sequence[object]) -> float | None:
    known = [number(value) for value in values if value is not None]
    return sum(known) / len(known) if known else None
