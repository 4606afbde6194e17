"""A matrix of runs that was killed goes on as a whole."""

from __future__ import annotations

import json
import signal

import pytest

pytestmark = pytest.mark.slow

TOML = """
name = "grid"
arms = ["pathnet"]
sources = 2
pool = { modules = 3, width = 2, layers = [{ kind = "linear", units = 4 }] }
strategy = { name = "binary-tournament", population = 2 }
learner = { name = "sgd", n_batches = 2 }
[[stages]]
name = "a"
generations = 3
task = { name = "digits", classes = [0, 1] }
[[stages]]
name = "b"
generations = 3
task = { name = "digits", classes = [2, 3] }
[[stages]]
name = "c"
generations = 3
task = { name = "digits", classes = [4, 5] }
"""


def test_a_killed_matrix_goes_on_with_all_its_runs(drive, tmp_path):
    """Thirty-six runs would have to be gone on with one by one, and begun by hand."""
    (tmp_path / "grid.toml").write_text(TOML)
    begin = ("run", "grid.toml", "--runs-dir=.", "--name")
    assert drive(tmp_path, *begin, "whole").status == 0
    assert drive(tmp_path, *begin, "grid", at=60).status == -signal.SIGKILL
    assert not (tmp_path / "grid" / "b-c").exists()
    ended = drive(tmp_path, "resume", "grid")
    assert ended.status == 0, ended.out
    for name in ("a-c", "b-c"):
        found, wanted = (
            json.loads((tmp_path / home / name / "summary.json").read_text())
            for home in ("grid", "whole")
        )
        assert found["state"] == "finished"
        assert found["digest"] == wanted["digest"]
    assert (tmp_path / "grid" / "matrix.json").is_file()
