"""A whole run: from a configuration to a folder with lineage, checkpoints, summary and report."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from pathnet_evo import presets
from pathnet_evo.config import ConfigError, Problem, RunConfig, override, parse, validate
from pathnet_evo.observers.base import Observers, RunInfo, resolve_observers
from pathnet_evo.plan import Plan, resolve
from pathnet_evo.plugin_files import PluginFile
from pathnet_evo.plugins import Registry
from pathnet_evo.records import Emit, Record
from pathnet_evo.run import directory
from pathnet_evo.run.lineage import Lineage
from pathnet_evo.run.reading import Run, load_run
from pathnet_evo.run.summary import summarise


def launch(
    source: str | Path | dict[str, Any] = "digits",
    settings: Sequence[str] = (),
    *,
    name: str | None = None,
    runs_dir: str | Path = "runs",
    heard: Emit = lambda record: None,
    command: str = "",
    plugins: Sequence[str | Path] = (),
) -> Run:
    """Run a preset, a TOML file or a configuration given as a dictionary.

    Args:
        source: a preset's name, the path of a ``.toml`` file, or plain data.
        settings: ``"a.b=VALUE"`` overrides, as ``--set`` takes them.
        name: the run's folder under ``runs_dir``; None is the configuration's name, numbered.
        runs_dir: the folder of all runs.
        heard: called with every record, in order.
        command: what repeats the run, for its report.
        plugins: files of plugins that are not installed.

    Returns:
        The run, readable; ``run.summary`` says what came out.

    Raises:
        ConfigError: everything that is wrong with the configuration.
        DirectoryError: the run's folder cannot be made.
    """
    registry = Registry()
    plan = prepare(source, settings, registry, plugins)
    folder = create(plan, registry, Path(runs_dir), name, command)
    execute(plan, folder, heard, registry)
    return load_run(folder, registry)


def prepare(
    source: str | Path | dict[str, Any],
    settings: Sequence[str],
    registry: Registry,
    plugins: Sequence[str | Path] = (),
) -> Plan:
    """A configuration, overridden, checked by every plugin, its tasks made once.

    Args:
        source: a preset's name, the path of a ``.toml`` file, or plain data.
        settings: ``"a.b=VALUE"`` overrides.
        registry: the plugins; the files that the configuration names are added to it.
        plugins: further files of plugins.

    Raises:
        ConfigError: everything that is wrong, or a matrix of runs.
        PluginFileError: a plugin's file that cannot be used.
    """
    config, label = configure(source, settings, registry, plugins)
    if config.sources is not None:
        problem = Problem("sources", "a matrix of runs; `pathnet-evo run` runs them all")
        raise ConfigError([problem], label)
    return ready(config, registry, label)


def configure(
    source: str | Path | dict[str, Any],
    settings: Sequence[str],
    registry: Registry,
    plugins: Sequence[str | Path] = (),
) -> tuple[RunConfig, str]:
    """A configuration, overridden, with the plugins' files that it needs; and what errors call it.

    Raises:
        ConfigError: everything that is wrong with the framework's own part.
        PluginFileError: a plugin's file that cannot be used.
    """
    data, label = read_source(source)
    override(data, settings)
    config = validate(data, label)
    folder = (
        Path(source).parent if not isinstance(source, dict) and label.endswith(".toml") else Path()
    )
    files = [file.within(folder) for file in config.plugins]
    files += [PluginFile(path=str(path)) for path in plugins]
    recorded = dict.fromkeys(registry.load_file(file) for file in files)
    return config.model_copy(update={"plugins": list(recorded)}), label


def ready(config: RunConfig, registry: Registry, label: str = "") -> Plan:
    """A configuration of one sequence, checked by every plugin, its tasks made once.

    Raises:
        ConfigError: everything that is wrong.
    """
    plan = resolve(config, registry, label)
    with _labelled(label):
        resolve_observers(config, registry)
        device_of(plan)
        plan.rehearse()
    return plan


@contextmanager
def _labelled(label: str) -> Iterator[None]:
    try:
        yield
    except ConfigError as error:
        raise ConfigError(error.problems, label) from None


def read_source(source: str | Path | dict[str, Any]) -> tuple[dict[str, Any], str]:
    """A configuration as plain data, and what errors call it.

    Raises:
        ConfigError: no such preset or file, or not TOML.
    """
    if isinstance(source, dict):
        return json.loads(json.dumps(source)), "configuration"
    text = str(source)
    if isinstance(source, Path) or text.endswith(".toml") or os.sep in text:
        try:
            return parse(Path(source).read_text(encoding="utf-8"), text), text
        except UnicodeDecodeError:
            raise ConfigError([Problem(text, "not UTF-8 text")]) from None
        except OSError as error:
            raise ConfigError([Problem(text, f"cannot be read ({error.strerror})")]) from None
    return parse(presets.read(text), text), text


def device_of(plan: Plan) -> str:
    """``cpu`` or ``cuda``.

    Raises:
        ConfigError: a GPU is asked for and there is none.
    """
    import torch

    available = torch.cuda.is_available()
    if plan.config.device == "cuda" and not available:
        raise ConfigError([Problem("device", "cuda is not available here; use auto or cpu")])
    return "cuda" if available and plan.config.device != "cpu" else "cpu"


def create(plan: Plan, registry: Registry, runs: Path, name: str | None, command: str = "") -> Path:
    """The run's folder; see ``directory.create``."""
    return directory.create(plan, registry, runs, name, device_of(plan), command)


def execute(
    plan: Plan,
    folder: Path,
    heard: Emit = lambda record: None,
    registry: Registry | None = None,
) -> int:
    """Run every trial; whatever happens, what is done so far is on disk and readable.

    Args:
        plan: what to run.
        folder: the run's folder.
        heard: called with every record, in order.
        registry: where observers are found; None loads the plan's plugins again.

    Returns:
        The signal that ended it early, or 0.
    """
    from pathnet_evo.report import write_report

    if registry is None:
        registry = Registry(files=plan.config.plugins)
    about = RunInfo(folder, plan.config.name, {trial.id: trial for trial in plan.trials})
    observers = Observers(about, resolve_observers(plan.config, registry), registry)
    lineage = Lineage(folder / "lineage.sqlite")

    def emit(record: Record) -> None:
        lineage.write(record)
        heard(record)
        observers.heard(record)

    with _signals() as stopped:
        try:
            _run(plan, folder, emit, lambda: bool(stopped))
        finally:
            lineage.close()
            summary = summarise(folder)
            (folder / "summary.json").write_text(json.dumps(summary, indent=1) + "\n")
            observers.finished(summary)
            write_report(folder)
    return stopped[0] if stopped else 0


def _run(plan: Plan, folder: Path, emit: Emit, stop: Callable[[], bool]) -> None:
    from pathnet_evo.engines import inline, processes

    device, trials = device_of(plan), plan.trials
    if plan.config.jobs > 1 and len(trials) > 1:
        processes.run_trials(plan.config, trials, folder, device, emit, stop)
    else:
        inline.run_trials(plan, trials, folder, device, emit, stop)


@contextmanager
def _signals() -> Iterator[list[int]]:
    """Collect SIGINT and SIGTERM: the first asks to stop, the second stops at once."""
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield received
        return

    def receive(number: int, frame: FrameType | None) -> None:
        received.append(number)
        if len(received) > 1:
            raise KeyboardInterrupt

    kept = {number: signal.signal(number, receive) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
