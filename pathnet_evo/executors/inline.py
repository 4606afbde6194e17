"""The executor that runs one trial after another in the main process."""

from __future__ import annotations

from pathnet_evo.interfaces.executors import Executor, Trials


class InlineExecutor(Executor):
    """Trials in this process, one after another."""

    def run(self, trials: Trials) -> None:
        """Run trials until told to stop."""
        for job in trials.jobs:
            if trials.stop():
                break
            trials.run_here(job)
