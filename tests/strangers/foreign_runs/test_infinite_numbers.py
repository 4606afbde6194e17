"""Runs with numbers that are not finite, or nearly so."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete

import pathnet_evo
from pathnet_evo.analysis.statistics import average, mean_interval, paired_p
from pathnet_evo.interfaces.records import TrialFinished, TrialStarted
from pathnet_evo.watch.reader import read_content

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


def infinite(folder: Path, made_up: SimpleNamespace) -> None:
    """A finished run of a game with an infinite chance, episodes and score."""
    made_up.toml(folder, 2, ["pathnet", "independent"], 1)
    records: list[Any] = []
    for trial, (arm, seed) in enumerate((a, s) for s in (0, 1) for a in ("pathnet", "independent")):
        begun = made_up.episodes(trial)
        scores = [float("inf"), -1e308, float("nan"), 1e308, 2.0] * 8
        told = [replace(e, score=s) for e, s in zip(begun[2].episodes, scores, strict=True)]
        score = {0: {"mean_return": [float("-inf"), 3.0][seed]}}
        *_, last = made_up.stage(trial, 0, [0.1, 1e308, -1e308, None], {0: 0.5})
        started = replace(begun[1], random_baseline=float("-inf"))
        records += [
            TrialStarted(trial, arm, seed),
            started,
            replace(begun[2], episodes=tuple(told)),
            replace(last, scores=score, fitness=1e308),
            TrialFinished(trial, "finished"),
        ]
    made_up.lineage(folder, records)


OLD = """UPDATE stages SET scores = '{"0":{"mean_return":-Infinity}}' WHERE trial < 2;
DELETE FROM episodes WHERE typeof(score) = 'text'"""


@pytest.mark.parametrize("old", ["", OLD], ids=["written now", "already written so"])
def test_a_game_with_infinite_rewards(
    command: Any,
    tmp_path: Path,
    made_up: SimpleNamespace,
    old: str,
    spoil: Callable[[Path, str], None],
    strict: Callable[[str], Any],
) -> None:
    """A finished run would have no report, for good, or its JSON could be read by Python alone."""
    infinite(tmp_path, made_up)
    spoil(tmp_path, old)
    ended = command("report", str(tmp_path), "--figures", "svg")
    assert (ended.status, ended.err) == (0, "")
    summary = strict((tmp_path / "summary.json").read_text())
    told = {(e["arm"], e["seed"], e["what"]): e["values"] for e in summary["not_finite"]}
    assert told["pathnet", 1, "chance"] == ["-inf"]
    assert told["independent", 0, "mean_return"] == ["-inf"]
    assert told["pathnet", 0, "episode scores"] == (["inf"] if old else ["inf", "nan"])
    assert ("pathnet", 1, "mean_return") not in told
    page = (tmp_path / "report.html").read_text()
    expected = "Not finite, so excluded from means, curves and tests: chance (-inf) of pathnet"
    assert expected in page
    data = page.partition('id="data">')[2].partition("</script>")[0]
    assert strict(data)["stages"][0]["chance"] is None
    compared = command("compare", str(tmp_path), "--html", "compared.html")
    assert (compared.status, compared.err) == (0, "")
    assert "chance (-inf) of pathnet, seed 0" in compared.out
    assert "chance (-inf) of pathnet, seed 0" in (tmp_path / "compared.html").read_text()
    found = strict(command("compare", str(tmp_path), "--json").out)
    assert found["stages"][0]["results"]["pathnet"]["scores"]["mean_return"]["mean"] == 3.0
    assert pathnet_evo.load_run(tmp_path).summary["not_finite"] == summary["not_finite"]
    assert "Not finite" in read_content(tmp_path)[0]
    with closing(sqlite3.connect(tmp_path / "lineage.sqlite")) as db:
        texts = [text for (text,) in db.execute("SELECT scores FROM stages")]
    assert all(map(strict, texts)) if not old else "Infinity" in "".join(texts)


class Harsh(gymnasium.Env[Any, Any]):
    """Two steps; an action costs next to the largest number that there is, the other nothing."""

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 - as Gymnasium has it
    observation_space = Box(-1, 1, (2,), np.float32)
    action_space = Discrete(2)
    steps = 0

    def __init__(self, render_mode: str | None = None) -> None:
        self.render_mode = render_mode

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        """Begin."""
        super().reset(seed=seed)
        self.steps = 0
        return np.zeros(2, np.float32), {}

    def step(self, action: Any) -> Any:
        """Pay."""
        self.steps += 1
        return np.zeros(2, np.float32), -1.7e308 * int(action), self.steps == 2, False, {}


@pytest.mark.filterwarnings("ignore:overflow encountered")
def test_a_real_game_whose_returns_overflow(command: Any, strict: Callable[[str], Any]) -> None:
    """Random play that overflows would leave a finished run without a report."""
    gymnasium.register("Harsh-v0", entry_point=Harsh)
    try:
        ended = command(
            "run", "cartpole", "--set", "arms=['pathnet', 'independent']",
            "--seeds", "1", "--executor", "inline",
            "--set", "strategy.population=4", "--set", "stages.*.frames=60",
            "--set", "learner={name='a3c', num_envs=3, rollout_length=10, episodes=1}",
            "--set", "learner.score_episodes=6",
            "--set", "stages.*.task={name='gym', id='Harsh-v0'}", "--json",
        )  # fmt: skip
    finally:
        del gymnasium.registry["Harsh-v0"]
    assert "Traceback" not in ended.err
    assert strict(ended.out)["not_finite"]
    assert "Not finite" in Path("runs/cartpole/report.html").read_text()


def test_a_fitness_near_the_largest_number(
    command: Any, foreign: Path, spoil: Callable[[Path, str], None], strict: Callable[[str], Any]
) -> None:
    """Sums and squares would overflow: tracebacks, or means that are no numbers."""
    spoil(foreign, "UPDATE evaluations SET fitness = CASE evaluation % 2 WHEN 0 THEN 1e308 ELSE "
          "-1.797e308 END; UPDATE stages SET fitness = 1.797e308, scores = "
          """'{"0": {"x": ' || CASE trial WHEN 0 THEN '1e308}}' ELSE '-1e308}}' END""")  # fmt: skip
    ended = command("report", str(foreign), "--figures", "png")
    assert (ended.status, ended.err) == (0, "")
    found = strict((foreign / "summary.json").read_text())["arms"]["pathnet"]["stages"][0]
    assert found["fitness"]["mean"] == 1.797e308
    assert command("compare", str(foreign)).status == 0


def test_means_of_numbers_that_cannot_be_added() -> None:
    """They are right by scaling: the mean of numbers is the scale times the mean of the scaled."""
    values = [1.0, 1.5, -0.25, 1.25]
    large = [1e308 * v for v in values]
    mean, interval = mean_interval(values)
    assert mean is not None
    assert interval is not None
    assert average(large) == pytest.approx(1e308 * mean, rel=1e-12)
    found, ends = mean_interval([v / 4 for v in large])
    assert found == pytest.approx(0.25e308 * mean, rel=1e-12)
    assert ends == pytest.approx([0.25e308 * end for end in interval], rel=1e-12)
    assert paired_p(large) == pytest.approx(paired_p(values))
    assert average([float("inf"), 1.0]) == float("inf")
