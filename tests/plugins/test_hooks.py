"""Every hook is documented with its exact signature, and called as documented."""

import inspect
import json
import re
from pathlib import Path

import pytest

from pathnet_evo.plugins import hookspecs

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "hooks.md"
HOOKS = sorted(
    name for name, value in vars(hookspecs).items() if hasattr(value, f"{hookspecs.NAME}_spec")
)

PLUGIN = '''
import json
import random
from pathlib import Path

from pathnet_evo import hookimpl

said = []

@hookimpl
def register_tasks(register):
    register("my-task", "pathnet_evo_images.digits:Digits")

@hookimpl
def register_learners(register):
    register("my-learner", "pathnet_evo_sgd.learner:SGD")

@hookimpl
def register_strategies(register):
    register("my-strategy", "pathnet_evo.strategies.binary_tournament:BinaryTournament")

@hookimpl
def register_policies(register):
    register("my-policy", "pathnet_evo.policies.freeze:Freeze")

@hookimpl
def register_modules(register):
    register("my-modules", "pathnet_evo.core.kinds:Linear")

@hookimpl
def register_operators(register):
    register("my-operator", operate)
    register("my-lazy-operator", "my_lab:operate")

def operate(genotype, amount):
    said.append(["operated", amount])
    genotype[0][0] = random.randrange(4)
    return (genotype,)

@hookimpl
def register_engines(register):
    register("my-engine", "my_lab_engine:Here")

@hookimpl
def register_executors(register):
    register("my-executor", "pathnet_evo.executors.inline:InlineExecutor")

@hookimpl
def register_observers(register):
    register("my-observer", "my_lab_observer:Counts")

@hookimpl
def register_commands(app):
    @app.command()
    def greet(name: str, loud: bool = False) -> None:
        """Say hello."""
        print(name.upper() if loud else name)

@hookimpl
def stage_started(run, record):
    said.append(["stage_started", run.trials[record.trial].arm, record.task])

@hookimpl
def evaluation_finished(run, record):
    said.append(["evaluation_finished", record.number, record.evaluation.fitness])

@hookimpl
def generation_finished(run, record):
    said.append(["generation_finished", record.generation, record.best])

@hookimpl
def stage_finished(run, record):
    said.append(["stage_finished", record.stage, record.evaluations])

@hookimpl
def run_finished(run, summary):
    said.append(["run_finished", run.name, summary["state"]])
    Path("said.json").write_text(json.dumps(said))
'''
OBSERVER = """
from pathlib import Path

from pathnet_evo import Observer

class Counts(Observer):
    file: str = "counts"

    def evaluation_finished(self, run, record):
        with (run.folder / self.file).open("a") as out:
            out.write(f"{record.number}\\n")
"""


def signature(hook: str) -> str:
    """A hook's signature as its documentation writes it."""
    return f"def {hook}{inspect.signature(getattr(hookspecs, hook))}".replace("'", "")


@pytest.mark.parametrize("hook", HOOKS)
def test_documented(hook):
    """A plugin's author would write a hook by a signature that is not the hook's."""
    text = REFERENCE.read_text()
    assert f"### {hook}\n\n```python\n{signature(hook)}\n```\n" in text
    assert inspect.getdoc(getattr(hookspecs, hook)), hook


def test_no_other_hook_is_documented():
    """A plugin's author would implement a hook that nobody calls."""
    assert sorted(re.findall(r"^### (\w+)$", REFERENCE.read_text(), re.M)) == HOOKS


def test_every_hook_is_tried():
    """A hook could be called otherwise than its documentation says, and nobody would see."""
    assert set(re.findall(r"@hookimpl\ndef (\w+)", PLUGIN)) == set(HOOKS)


@pytest.mark.slow
def test_every_hook_is_called(install, site, program, small, listed, tmp_path):
    """A plugin that does what the documentation says would not be called."""
    install("my-lab", PLUGIN)
    (site / "my_lab_observer.py").write_text(OBSERVER)
    config = small(
        'name = "mine"\nexecutor = "my-executor"\n'
        'observers = [{ name = "my-observer", file = "numbers" }]',
        task='{ name = "my-task", classes = [0, 1], examples = 20 }',
        learner='name = "my-learner"',
        strategy='name = "my-strategy"\nmutate = { name = "my-operator", amount = 3 }',
        layers='[{ kind = "my-modules", units = 4 }]',
    )
    program("run", config)
    said = json.loads((tmp_path / "said.json").read_text())
    assert said[0] == ["operated", 3]  # the dry run of the strategy
    kinds = [kind for kind, *_ in said if kind != "operated"]
    generation = ["evaluation_finished", "evaluation_finished", "generation_finished"]
    assert kinds == ["stage_started", *generation * 2, "stage_finished", "run_finished"]
    (started,) = (what for what in said if what[0] == "stage_started")
    assert started[1] == "pathnet"
    assert ["operated", 3] in said[said.index(started) :]
    assert ["stage_finished", 0, 4] in said
    assert said[-1] == ["run_finished", "mine", "finished"]
    numbers = (tmp_path / "runs" / "mine" / "numbers").read_text().split()
    assert numbers == ["0", "1", "2", "3"]
    mine = listed()["my-lab"]
    assert mine["hooks"] == HOOKS
    assert mine["version"] == "1.2"
    assert mine["distribution"] == "my-lab"
    assert mine["names"]["engines"] == ["my-engine"]
    assert mine["names"]["commands"] == ["greet"]
    assert mine["errors"] == []


@pytest.mark.slow
def test_a_lazy_operator(install, program, small):
    """An operator registered by its place would not be found, or others be imported with it."""
    install("my-lab", PLUGIN)
    program(
        "run", small(strategy='name = "aging"\nmutate.name = "my-lazy-operator"\nmutate.amount = 1')
    )
    wrong = program("run", small(strategy='name = "aging"\nmutate.name = "my-operater"'), status=2)
    assert '"my-operater" is not a mutate operator' in wrong.stderr


@pytest.mark.slow
def test_commands(install, program):
    """A plugin's command would not be there, or take another's place."""
    install("my-lab", PLUGIN)
    assert "Say hello." in program("--help").stdout
    assert program("greet", "you", "--loud").stdout == "YOU\n"
    assert "greet" not in program("--help", chosen="").stdout
    assert "no such command" in program("greet", "you", chosen="", status=2).stderr
