"""What may change in a run that has begun."""

from __future__ import annotations

import json
import shutil

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture
def copy(halfway, tmp_path):
    """A run that was killed in its second trial's second stage."""
    shutil.copytree(halfway, tmp_path / "run")
    return tmp_path


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ("pool.modules=5", "pool.modules: was 4, cannot become 5 in a run that has begun"),
        ("seed=1", "seed: was 0, cannot become 1"),
        ("learner.learning_rate=0.5", "it cannot change within a run"),
        ("stages.0.generations=9", "stages.0.generations: was 5, cannot become 9: the stage is"),
        ("stages.1.generations=9", "the stage is finished in 1 trial"),
        ("arms=['pathnet']", "arms"),
    ],
)
def test_what_cannot_change_is_refused_with_the_reason(drive, copy, setting, reason):
    """One run would hold two experiments."""
    before = (copy / "run" / "run.toml").read_bytes()
    ended = drive(copy, "resume", "run", "--set", setting)
    assert ended.status == 2
    assert reason.replace(" in a run that has begun", "") in ended.out
    assert (copy / "run" / "run.toml").read_bytes() == before


def test_what_may_change_is_applied(drive, copy, whole):
    """A run could not be moved to a larger machine, or be given more seeds."""
    settings = ["--jobs=1", "--device=cpu", "--seeds=2", "--set=checkpoints.seconds=5"]
    ended = drive(copy, "resume", "run", *settings)
    assert ended.status == 0, ended.out
    summary = json.loads((copy / "run" / "summary.json").read_text())
    assert summary["seeds"] == [0, 1]
    assert summary["state"] == "finished"
    for arm in ("pathnet", "fine-tuning"):
        for ours, wanted in zip(
            summary["arms"][arm]["stages"],
            whole.outcome["summary"]["arms"][arm]["stages"],
            strict=True,
        ):
            seeds = ours["scores"]["test_accuracy"]["seeds"]
            assert seeds["0"] == wanted["scores"]["test_accuracy"]["seeds"]["0"]
            assert "1" in seeds
    assert "seeds = 2" in (copy / "run" / "run.toml").read_text()
    assert "resumed" in json.loads((copy / "run" / "about.json").read_text())


def test_a_stage_that_is_not_over_may_get_a_longer_budget(drive, tmp_path, whole):
    """Whoever sees that a stage needs more would have to begin again."""
    ended = drive.go(tmp_path, at=180)
    assert ended.status == -9
    ended = drive(tmp_path, "resume", "run", "--set", "stages.1.generations=8")
    assert ended.status == 0, ended.out
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["stages"][1]["budget"] == 16
    ended = drive(tmp_path, "check", "run")
    assert ended.status == 0, ended.out


def test_a_configuration_changed_by_hand_is_not_taken_for_the_run_s(drive, copy):
    """What a run was would be told wrongly, and it would go on as something else."""
    path = copy / "run" / "run.toml"
    path.write_text(path.read_text().replace("n_batches = 2", "n_batches = 3"))
    for command in ("resume", "check"):
        ended = drive(copy, command, "run")
        assert ended.status in (1, 2)
        assert "run.toml: not the run's configuration" in ended.out


def test_a_configuration_that_was_changed_by_hand_can_be_put_back(drive, copy):
    """Two commands would name each other, and neither would help."""
    path = copy / "run" / "run.toml"
    before = path.read_bytes()
    path.write_bytes(before.replace(b"population = 4", b"population = 5"))
    ended = drive(copy, "resume", "run")
    assert ended.status == 2
    assert "pathnet-evo check run --put-back" in ended.out
    assert drive(copy, "check", "run", "--put-back").status == 0
    assert path.read_bytes() == before
    assert drive(copy, "resume", "run").status == 0
