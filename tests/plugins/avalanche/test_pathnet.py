"""PathNet as a strategy of Avalanche: its metrics, what stays the same, and what is refused."""

from __future__ import annotations

import re
import tomllib
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import TensorDataset

from pathnet_evo import TaskContext, UserError, presets
from pathnet_evo.core.streams import Streams
from pathnet_evo.plugins.registry import Registry
from pathnet_evo.setup.problems import ConfigError

pytest.importorskip("avalanche", reason="the extra avalanche is not installed")

pytestmark = pytest.mark.filterwarnings("ignore:No loggers specified")

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from avalanche.benchmarks import (
        benchmark_from_datasets,
        class_incremental_benchmark,
        nc_benchmark,
        task_incremental_benchmark,
    )
    from avalanche.benchmarks.utils import as_classification_dataset
    from avalanche.evaluation import metrics
    from avalanche.training.plugins import EvaluationPlugin, LwFPlugin, ReplayPlugin

    from pathnet_evo_avalanche import PathNetStrategy
    from pathnet_evo_avalanche.defaults import configuration

DOCS = Path(__file__).parents[3] / "docs"
SMALL = {
    "generations": 8,
    "pool": {"modules": 9, "width": 3},
    "learner": {"n_batches": 5, "learning_rate": 0.05},
}


@pytest.mark.parametrize(
    ("preset", "shape"), [("split-mnist", (784,)), ("split-cifar10", (3, 32, 32))]
)
def test_defaults_are_those_of_the_presets(preset, shape):
    """The page would promise layers that ``PathNetStrategy`` does not have."""
    nothing = {key: {} for key in ("pool", "strategy", "learner", "transfer")}
    layers = tomllib.loads(presets.read(preset))["pool"]["layers"]
    assert configuration(nothing, shape)["pool"]["layers"] == layers


def halves():
    """Training and test examples of the bundled digits."""
    task = Registry().get("tasks", "digits")().make(TaskContext(Streams(0)))
    found = []
    for inputs, labels in ((task.inputs, task.labels), (task.test_inputs, task.test_labels)):
        dataset = TensorDataset(task.prepare(inputs).flatten(1), labels)
        dataset.targets = labels.tolist()
        found.append(dataset)
    return found


def task(classes):
    """Two classes of the bundled digits."""
    return Registry().get("tasks", "digits")(classes=classes).make(TaskContext(Streams(0)))


def benchmark(**options):
    """Five experiences of two digits each, in an order that is not that of the classes."""
    train, test = halves()
    return nc_benchmark(train, test, 5, **{"task_labels": True, "seed": 1, **options})


def evaluator(eval_every=-1):
    forward = metrics.forward_transfer_metrics(experience=True, stream=True)
    return EvaluationPlugin(
        *(forward if eval_every == 0 else []),
        metrics.accuracy_metrics(experience=True, stream=True),
        metrics.forgetting_metrics(experience=True, stream=True),
        metrics.bwt_metrics(experience=True, stream=True),
        metrics.loss_metrics(experience=True),
    )


def learned(stream=None, **options):
    """A strategy that learned a stream, and what it reported after each experience."""
    stream = benchmark() if stream is None else stream
    measured = evaluator(options.get("eval_every", -1))
    strategy = PathNetStrategy(**{**SMALL, "evaluator": measured, **options})
    reports = []
    for experience in stream.train_stream:
        strategy.train(experience, eval_streams=[stream.test_stream])
        reports.append(strategy.eval(stream.test_stream))
    return strategy, reports


def reported(reports, name, n=5):
    """A metric of each experience after each one."""
    pattern = f"{name}_Exp/eval_phase/test_stream/Task{{0:03}}/Exp{{0:03}}"
    return np.array([[report[pattern.format(j)] for j in range(n)] for report in reports])


@pytest.fixture(scope="module")
def stream():
    return benchmark()


@pytest.fixture(scope="module")
def whole(stream):
    return learned(stream, eval_every=0)


def by_hand(strategy, experience):
    """Accuracy of the frozen path that the pool holds now."""
    stage = strategy.stages[experience.task_label]
    network = strategy.pathnet.network(stage)
    x = torch.stack([x for x, *_ in experience.dataset])
    y = torch.tensor([int(y) for _, y, *_ in experience.dataset])
    classes = torch.tensor(sorted(experience.classes_in_this_experience))
    with torch.no_grad():
        return float((classes[network(x).argmax(1)] == y).double().mean())


def test_accuracies_are_those_of_the_frozen_networks(stream, whole):
    """Avalanche would report another network's accuracy, or count classes wrongly."""
    strategy, reports = whole
    wanted = [by_hand(strategy, experience) for experience in stream.test_stream]
    matrix = reported(reports, "Top1_Acc")
    assert matrix[-1] == pytest.approx(wanted, abs=1e-6)
    assert min(wanted) > 0.85
    chance = matrix[np.triu_indices(5, 1)]
    assert chance.mean() < 0.75


def test_nothing_is_forgotten(whole):
    """A later experience would change the answers of an earlier one."""
    _, reports = whole
    matrix, loss = reported(reports, "Top1_Acc"), reported(reports, "Loss")
    for j in range(5):
        assert len(set(matrix[j:, j])) == len(set(loss[j:, j])) == 1
    last = reports[-1]
    assert last["StreamForgetting/eval_phase/test_stream"] == 0
    assert last["StreamBWT/eval_phase/test_stream"] == 0


def test_forward_transfer_is_that_of_lopez_paz_and_ranzato(whole):
    """FWT would compare with a baseline that was trained, or not be there."""
    strategy, reports = whole
    matrix = reported(reports, "Top1_Acc")
    name = "Top1_Acc_Exp/eval_phase/test_stream/Task{0:03}/Exp{0:03}"
    curves = strategy.evaluator.all_metric_results
    untrained = [curves[name.format(j)][1][0] for j in range(5)]
    wanted = np.mean([matrix[j - 1, j] - untrained[j] for j in range(1, 5)])
    found = reports[-1]["StreamForwardTransfer/eval_phase/test_stream"]
    assert found == pytest.approx(wanted, abs=1e-9)


def test_fitness_is_published(whole):
    """A user would see nothing of a stage while it is learned."""
    strategy, _ = whole
    curves = strategy.evaluator.get_all_metrics()
    at, fitness = curves["BestFitness/train_phase/train_stream/Task000"]
    assert at == [10 * (i + 1) for i in range(8)]
    assert all(0 <= value <= 1 for value in fitness)
    assert strategy.clock.train_iterations == 5 * 8 * 10


def test_the_same_seed_learns_the_same(stream, whole):
    """A result could not be repeated, or would depend on how often it is evaluated."""
    torch.manual_seed(7)
    _, again = learned(stream)
    assert (reported(again, "Top1_Acc") == reported(whole[1], "Top1_Acc")).all()
    assert (reported(again, "Loss") == reported(whole[1], "Loss")).all()


def test_images(stream):
    """Pictures would be learned by a network for flat inputs."""
    x, y = torch.rand(40, 1, 8, 8), torch.arange(40) % 4
    dataset = TensorDataset(x, y)
    dataset.targets = y.tolist()
    pictures = nc_benchmark(dataset, dataset, 2, task_labels=True, seed=0)
    strategy, reports = learned(pictures, generations=2)
    kinds = [type(kind).__name__ for kind in strategy.pathnet.network(1).kinds]
    assert kinds == ["Conv2d"] * 3 + ["Linear", "Affine"]
    assert (reported(reports, "Top1_Acc", 2)[:, 0] > 0).all()


def test_benchmarks_that_do_not_tell_their_classes():
    """Avalanche's newer generators leave the classes of an experience out."""
    train, test = map(as_classification_dataset, halves())
    classes = class_incremental_benchmark({"train": train, "test": test}, num_experiences=5, seed=1)
    strategy, reports = learned(task_incremental_benchmark(classes), generations=2)
    assert len(strategy.stages) == 5
    assert reported(reports, "Top1_Acc")[-1].mean() > 0.7


def refused(stream, **options):
    with pytest.raises(UserError) as error:
        learned(stream, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_class_incremental_benchmarks_are_refused():
    """A benchmark without task labels would be learned as if the task were known, or crash."""
    text = refused(benchmark(task_labels=False))
    assert text == (
        "several experiences have the task label 0. PathNet learns task-incremental benchmarks, "
        "with a task label of its own for each experience, such as "
        "nc_benchmark(..., task_labels=True)"
    )
    train, test = map(as_classification_dataset, halves())
    text = refused(benchmark_from_datasets(train=[train], test=[test]))
    assert text.startswith("experience 0 has no task label. PathNet learns task-incremental")


def test_what_pathnet_does_not_do_is_refused(stream):
    """A plugin or an option would be ignored, and results be taken for what they are not."""
    with pytest.raises(UserError, match="plugin LwFPlugin works within epochs or iterations"):
        PathNetStrategy(plugins=[LwFPlugin()])
    with pytest.raises(UserError, match="eval_every is 3, but PathNet has no epochs"):
        PathNetStrategy(eval_every=3)
    with pytest.raises(ConfigError, match="learner.batchsize: "):
        PathNetStrategy(learner={"batchsize": 3})
    assert "replaced the data loader" in refused(stream, plugins=[ReplayPlugin(10)])
    strategy = PathNetStrategy(**SMALL, evaluator=evaluator())
    strategy.train(stream.train_stream[0])
    with pytest.raises(UserError, match="task label 0 was learned already"):
        strategy.train(stream.train_stream[0])


def shown(marker):
    """The documented code that has a line."""
    page = (DOCS / "how-to" / "benchmark-continual-learning.md").read_text()
    codes = re.findall(r"^```python\n(.*?)^```", page, re.M | re.S)
    (code,) = [code for code in codes if marker in code]
    return code


def test_the_documented_example(stream, capsys):
    """Avalanche's users would copy lines that do not work."""
    names = {"benchmark": stream}
    exec(shown("PathNetStrategy()").replace("()\n", "(generations=2)\n", 1), names)
    assert len(names["strategy"].stages) == 5
    assert "Top1_Acc_Stream/eval_phase/test_stream/Task004" in capsys.readouterr().out


def test_the_documented_options(stream, capsys):
    """The page would show options that do not exist."""
    names = {"benchmark": stream, "PathNetStrategy": PathNetStrategy}
    exec(shown("eval_every=0").replace("generations=100", "generations=2"), names)
    assert len(names["strategy"].stages) == 5
    assert "StreamForwardTransfer" in capsys.readouterr().out


def test_the_documented_tasks_in_memory():
    """The page would show a class that does not work as shown."""
    tasks = [task(classes) for classes in ([0, 1], [2, 3])]
    exec(shown("import PathNet\n"), {"tasks": tasks})
