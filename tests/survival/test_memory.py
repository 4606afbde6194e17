"""Counts that no machine has the memory for: refused in one line, before anything is tried."""

from __future__ import annotations

import pytest

ZEROS = "0" * 13


@pytest.mark.parametrize(
    ("setting", "place"),
    [
        (f"pool.modules=1{ZEROS}", "pool"),
        (f"pool.layers=[{{kind='linear', repeat=1{ZEROS}}}]", "pool.layers.0.repeat"),
        (f"pool.layers=[{{kind='linear', units=1{ZEROS}}}]", "pool"),
        (f"pool.layers=[{{kind='conv2d', padding=1{ZEROS}}}]", "pool"),
        (f"transfer.grow=1{ZEROS}", "pool"),
        (f"strategy.population=1{ZEROS}", "strategy.population"),
        (f"learner.batch_size=1{ZEROS}", "stages.*.learner"),
        (f"stages.0.task.copies=1{ZEROS}", "stages.0.task"),
        (f"stages.0.task.size=1{ZEROS}", "stages.0.task"),
        ("engine={name='processes', workers=1000000}", "engine.workers"),
    ],
)
def test_what_cannot_fit_is_refused(drive, tmp_path, setting, place):
    """A typing error would have the machine swap until the kernel kills something else."""
    ended = drive(tmp_path, "run", "digits", *drive.small[2:], "--set", setting)
    assert ended.status == 2, ended.out
    assert f"digits: {place}: " in ended.out
    assert "GiB are free" in ended.out
    assert not (tmp_path / "run").exists()


def test_processes_are_counted(drive, tmp_path):
    """A hundred thousand processes would be started."""
    ended = drive(tmp_path, "run", "digits", *drive.small[2:], "--seeds=100000", "--jobs=100000")
    assert ended.status == 2, ended.out
    assert "digits: executor.workers: 100000 processes need about" in ended.out


@pytest.mark.parametrize("value", ["9" * 5000, "[" * 5000])
def test_numbers_and_lists_without_end_are_refused(drive, tmp_path, value):
    """A file that somebody made up would end in a traceback."""
    ended = drive(tmp_path, "run", "--set", f"pool.modules={value}")
    assert ended.status == 2, ended.out
    (tmp_path / "x.toml").write_text(f"seeds = {value}")
    ended = drive(tmp_path, "run", "x.toml")
    assert ended.status == 2, ended.out
    assert "x.toml: not TOML" in ended.out
