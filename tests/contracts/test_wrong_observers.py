"""Wrong observers fail their kit, with a message that says what the contract wants."""

import pytest

from pathnet_evo import (
    Observer,
)
from pathnet_evo.testing import (
    ObserverContract,
)


class Careless(Observer):
    wrong: str = ""

    def evaluation_finished(self, run, record):
        if self.wrong == "failed":
            round(record.evaluation.fitness)
        if self.wrong == "changes":
            record.evaluation.metrics["loss"] = 0.0

    def stage_finished(self, run, record):
        place = {"beside": run.folder.parent, "overwrites": run.folder}.get(self.wrong)
        if place:
            (place / "run.toml").write_text(f"{record.stage}")


class Misspelt(Observer):
    def stage_finishd(self, run, record):
        pass


class Forgiving(Careless, extra="allow"):
    pass


@pytest.mark.parametrize(
    ("observer", "check", "error", "message"),
    [
        (Careless(wrong="failed"), "test_survives_a_run", TypeError, "NoneType"),
        (Careless(wrong="changes"), "test_changes_nothing", AssertionError, "record must not be"),
        (Careless(wrong="overwrites"), "test_changes_nothing", AssertionError, "belongs to the"),
        (Careless(wrong="beside"), "test_stays_in_the_runs_folder", AssertionError, "must be in"),
        (Misspelt(), "test_hooks_are_called_so", AssertionError, 'Did you mean "stage_finished"'),
        (Forgiving(), "test_settings", AssertionError, "must refuse keys"),
    ],
)
def test_wrong_observers(observer, check, error, message):
    """An observer's author would find out in the middle of a run, when it is switched off."""

    class Here(ObserverContract):
        def observer(self):
            return observer

    with pytest.raises(error, match=message):
        getattr(Here(), check)()
