"""How a run calls its observers without depending on them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pathnet_evo.interfaces.observers import HOOKS, Observer
from pathnet_evo.interfaces.records import Record, StageResumed
from pathnet_evo.interfaces.run_info import RunInfo
from pathnet_evo.interfaces.stopping import StopRun, StopStage
from pathnet_evo.interfaces.summary import Summary
from pathnet_evo.plugins.registry import Registry
from pathnet_evo.system import standard_streams
from pathnet_evo.system.plugin_calls import PluginFailed, calling


class Observers:
    """Everything that observes one run; what raises is switched off, and the run goes on.

    Args:
        run: the run.
        observers: what the configuration asked for, by name.
        registry: whose plugins' own hooks are called as well.
    """

    def __init__(
        self, run: RunInfo, observers: Iterable[tuple[str, Observer]], registry: Registry
    ) -> None:
        self.run = run
        self._calls = {
            hook: dict(registry.hooks(hook)) for hook in (*HOOKS.values(), "run_finished")
        }
        for name, observer in observers:
            for hook, calls in self._calls.items():
                calls[f"observer {name}"] = getattr(observer, hook)

    def on_record(self, record: Record) -> list[object]:
        """Call a record's hook, and return the answers; a resumed stage counts as a started one."""
        if isinstance(record, StageResumed):
            record = record.started
        hook = HOOKS.get(type(record))
        return [] if hook is None else self._call(hook, record=record)

    def finished(self, summary: Summary) -> None:
        """Say that the run is over."""
        self._call("run_finished", summary=summary)

    def _call(self, hook: str, **said: Any) -> list[object]:
        answers: list[object] = []
        for name, call in list(self._calls[hook].items()):
            try:
                with calling("", StopStage, StopRun):
                    answers.append(call(run=self.run, **said))
            except (StopStage, StopRun) as answer:
                answers.append(answer)
            except PluginFailed as error:
                for calls in self._calls.values():
                    calls.pop(name, None)
                standard_streams.warn(
                    f"{name} failed in {hook} ({error}); it is switched off, and the run continues"
                )
        return answers
