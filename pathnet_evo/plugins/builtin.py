"""The plugins of the framework itself, registered like anyone's."""

from __future__ import annotations

from pathnet_evo.plugins.hookspecs import Register, hookimpl


@hookimpl
def register_strategies(register: Register) -> None:
    """The strategies of ``pathnet_evo.strategies``."""
    home = "pathnet_evo.strategies"
    register("aging", f"{home}.aging:Aging")
    register("asynchronous-tournament", f"{home}.asynchronous_tournament:AsynchronousTournament")
    register("binary-tournament", f"{home}.binary_tournament:BinaryTournament")
    register("elitist-tournament", f"{home}.elitist_tournament:ElitistTournament")
    register("fixed-path", f"{home}.fixed_path:FixedPath")
    register("mu-plus-lambda", f"{home}.mu_plus_lambda:MuPlusLambda")
    register("nsga2", f"{home}.nsga2:NSGA2")
    register("racing", f"{home}.racing:Racing")
    register("random-search", f"{home}.random_search:RandomSearch")


@hookimpl
def register_policies(register: Register) -> None:
    """The transfer policies of ``pathnet_evo.policies``."""
    register("freeze", "pathnet_evo.policies.freeze:Freeze")
    register("keep", "pathnet_evo.policies.keep:Keep")
    register("random-columns", "pathnet_evo.policies.random_columns:RandomColumns")
    register("scratch", "pathnet_evo.policies.scratch:Scratch")


@hookimpl
def register_modules(register: Register) -> None:
    """The module kinds of ``pathnet_evo.core.modules``."""
    register("conv2d", "pathnet_evo.core.kinds:Conv2d")
    register("linear", "pathnet_evo.core.kinds:Linear")
    register("residual", "pathnet_evo.core.kinds:Residual")


@hookimpl
def register_engines(register: Register) -> None:
    """The engines of ``pathnet_evo.engines``."""
    register("inline", "pathnet_evo.engines.inline:InlineEngine")
    register("processes", "pathnet_evo.engines.processes:ProcessEngine")


@hookimpl
def register_executors(register: Register) -> None:
    """The executors of ``pathnet_evo.executors``."""
    register("inline", "pathnet_evo.executors.inline:InlineExecutor")
    register("processes", "pathnet_evo.executors.processes:ProcessExecutor")


@hookimpl
def register_observers(register: Register) -> None:
    """The observers of ``pathnet_evo.observers``."""
    register("csv", "pathnet_evo.observers.csv:Csv")
    register("tensorboard", "pathnet_evo.observers.tensorboard:TensorBoard")
