"""From a configuration to a plan: read, overridden, checked by every plugin, its tasks made."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pathnet_evo import presets
from pathnet_evo.plugins.files import given
from pathnet_evo.plugins.registry import Registry
from pathnet_evo.setup.config import RunConfig, arm_tables, parse, validate, with_stages
from pathnet_evo.setup.overrides import override
from pathnet_evo.setup.plan import Plan
from pathnet_evo.setup.problems import ConfigError, Problem
from pathnet_evo.setup.resolving import resolve, resolve_observers
from pathnet_evo.setup.upgrades import upgraded
from pathnet_evo.system.plugin_calls import PluginFailed, calling


def prepare(
    source: str | Path | Mapping[str, Any],
    settings: Sequence[str],
    registry: Registry,
    plugins: Sequence[str | Path] = (),
    rehearse: bool = True,
    further: Sequence[Mapping[str, Any]] = (),
) -> Plan:
    """A configuration, overridden, checked by every plugin, its tasks made once.

    Args:
        source: a preset's name, the path of a ``.toml`` file, or plain data.
        settings: ``"a.b=VALUE"`` overrides.
        registry: the plugins; the files that the configuration names are added to it.
        plugins: further files of plugins.
        rehearse: make the tasks.
        further: stages to learn after those of the source.

    Raises:
        ConfigError: everything that is wrong, or a matrix of runs.
        PluginFileError: a plugin's file that cannot be used.
    """
    config, label = configure(source, settings, registry, plugins, further)
    if config.sources is not None:
        problem = Problem("sources", "a matrix of runs; `pathnet-evo run` runs them all")
        raise ConfigError([problem], label)
    return ready(config, registry, label, rehearse)


def configure(
    source: str | Path | Mapping[str, Any],
    settings: Sequence[str],
    registry: Registry,
    plugins: Sequence[str | Path] = (),
    further: Sequence[Mapping[str, Any]] = (),
) -> tuple[RunConfig, str]:
    """A configuration, overridden, with the plugins' files that it needs; and what errors call it.

    ``further`` are stages to learn after those of the source.

    Raises:
        ConfigError: everything that is wrong with the framework's own part.
        PluginFileError: a plugin's file that cannot be used.
    """
    data, label, folder = overridden(source, settings, further)
    if "sweep" in data:
        raise ConfigError([Problem("sweep", "a search; `pathnet-evo sweep` runs it")], label)
    return configured(data, label, folder, registry, plugins), label


def overridden(
    source: str | Path | Mapping[str, Any],
    settings: Sequence[str],
    further: Sequence[Mapping[str, Any]] = (),
) -> tuple[dict[str, Any], str, Path]:
    """A configuration as plain data, what errors call it, and the folder of its plugins' files.

    ``further`` are stages to learn after those of the source.

    Raises:
        ConfigError: it cannot be read, or has no place for a setting.
    """
    read, label = read_source(source)
    data = dict(upgraded(read))
    of_stages = [setting for setting in settings if setting.startswith("stages")]
    of_arms = [setting for setting in settings if setting.startswith("arms.")]
    override(data, [setting for setting in settings if setting not in of_stages + of_arms])
    if any(re.match(r"arms\.[^.=]*\.", setting) for setting in of_arms):
        data["arms"] = arm_tables(data.get("arms"))
    override(data, of_arms)
    data = with_stages(data, label)
    if further:
        data["stages"] = [*data["stages"], *further]
    override(data, of_stages)
    is_file = not isinstance(source, Mapping) and label.endswith(".toml")
    return data, label, Path(label).parent if is_file else Path()


def configured(
    data: Mapping[str, Any],
    label: str,
    folder: Path,
    registry: Registry,
    plugins: Sequence[str | Path],
) -> RunConfig:
    """Plain data as a configuration, with the plugins' files that it needs; see ``configure``."""
    config = validate(data, label)
    files = [file.within(folder) for file in config.plugins]
    files += [given(path) for path in plugins]
    recorded = dict.fromkeys(registry.load_file(file) for file in files)
    return config.model_copy(update={"plugins": list(recorded)})


def ready(config: RunConfig, registry: Registry, label: str = "", rehearse: bool = True) -> Plan:
    """A configuration of one sequence, checked by every plugin, its tasks made once if wanted.

    Raises:
        ConfigError: everything that is wrong.
    """
    with labelled(label):
        plan = _resolved(config, registry)
        resolve_observers(config, registry)
        if rehearse:
            device_of(plan)
            plan.rehearse()
    return plan


def _resolved(config: RunConfig, registry: Registry) -> Plan:
    try:
        with calling("", ConfigError):
            return resolve(config, registry)
    except PluginFailed as error:
        raise ConfigError([Problem("", str(error))]) from None


@contextmanager
def labelled(label: str) -> Iterator[None]:
    """Say of what is wrong with a configuration where it came from."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError(error.problems, label) from None


def read_source(source: str | Path | Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """A configuration as plain data, and what errors call it.

    Raises:
        ConfigError: no such preset or file, not TOML, or a value that TOML cannot hold.
    """
    if isinstance(source, Mapping):
        try:
            return _plain(source), "configuration"
        except RecursionError:
            problem = Problem("", "tables are nested too deeply")
            raise ConfigError([problem], "configuration") from None
    text = str(source)
    if isinstance(source, Path) or text.endswith(".toml") or os.sep in text:
        try:
            return parse(Path(source).read_text(encoding="utf-8"), text), text
        except UnicodeDecodeError:
            raise ConfigError([Problem(text, "not UTF-8 text")]) from None
        except OSError as error:
            raise ConfigError([Problem(text, f"cannot be read ({error.strerror})")]) from None
    return parse(presets.read(text), text), text


def _plain(value: Any, place: str = "") -> Any:
    """What a configuration holds as plain data: paths as text, NumPy's numbers as Python's."""
    if hasattr(value, "tolist"):  # an array or a number of NumPy's, or a tensor
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): _plain(v, f"{place}.{key}".lstrip(".")) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v, f"{place}.{i}".lstrip(".")) for i, v in enumerate(value)]
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    if value is None or isinstance(value, str | int | float):
        return json.loads(json.dumps(value))  # what derives from these as well, such as enums
    kind = type(value).__name__
    problem = Problem(place, f"a configuration holds numbers, text, lists and tables, not {kind}")
    raise ConfigError([problem], "configuration")


def device_of(plan: Plan) -> str:
    """The device of the trials: ``cpu`` or ``cuda``.

    Raises:
        ConfigError: a GPU is asked for and there is none.
    """
    wanted, given = plan.config.device, plan.executor.device
    if given is None:
        import torch

        given = "cuda" if torch.cuda.is_available() else "cpu"
        lack = "cuda is not available here; use auto or cpu"
    else:
        lack = f"executor {plan.config.executor['name']} gives its trials no GPU; use auto or cpu"
    if wanted == "cuda" and given != "cuda":
        raise ConfigError([Problem("device", lack)])
    return given if wanted == "auto" else wanted
