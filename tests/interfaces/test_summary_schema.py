"""``summary.json`` is what the reference says, or is refused."""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path

import pytest

from pathnet_evo.analysis.summary import summarise
from pathnet_evo.interfaces.summary import checked
from pathnet_evo.store.reading import RunError, read_summary

FIXTURE = Path(__file__).parents[1] / "fixtures" / "run-schema-2"


@pytest.fixture(scope="module")
def summary():
    """That of a run that is kept as an earlier version wrote it."""
    return summarise(FIXTURE)


def test_it_is_checked_as_it_was_written(summary):
    """A summary would come back with its keys in another order, or with numbers of other types."""
    assert json.dumps(checked(json.loads(json.dumps(summary)))) == json.dumps(summary)


def test_what_the_reference_does_not_say_is_refused(summary):
    """A program that reads summaries would meet keys and types that nobody documented."""

    def wrong(change):
        changed = copy.deepcopy(summary)
        change(changed)
        with pytest.raises(ValueError, match="not a summary of this version") as refused:
            checked(changed)
        return str(refused.value)

    arm = next(iter(summary["arms"]))
    stage = f"arms.{arm}.stages.0"
    assert f"{stage}.novel" in wrong(lambda s: s["arms"][arm]["stages"][0].update(novel=1))
    assert f"{stage}.failed" in wrong(lambda s: s["arms"][arm]["stages"][0].pop("failed"))
    assert "digest" in wrong(lambda s: s.update(digest=3))
    assert "speed_up" in wrong(lambda s: s["speed_up"].update(x=[{"stage": 0}]))


def test_a_damaged_file_is_said(tmp_path, summary):
    """A command would end in a traceback where a disk was full."""
    folder = tmp_path / "run"
    shutil.copytree(FIXTURE, folder)
    path = folder / "summary.json"
    path.write_text(json.dumps(summary))
    assert read_summary(folder) == summary
    path.write_text(json.dumps(summary)[:-9])
    with pytest.raises(RunError, match="damaged.*`pathnet-evo report` writes it again"):
        read_summary(folder)
    path.unlink()
    with pytest.raises(RunError, match="cannot be read"):
        read_summary(folder)
