"""Runs on a backbone's features: networks from pixels to class names, and resumed runs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torchvision import models

import pathnet_evo
from pathnet_evo import ModelError, Run, load_network, load_run
from pathnet_evo.interfaces.records import Checkpointed
from pathnet_evo.running.loading import RunError

pytestmark = pytest.mark.slow
ARCHITECTURE = "squeezenet1_1"
CONFIG = {
    "name": "features",
    "arms": ["pathnet"],
    "pool": {"modules": 4, "width": 2, "layers": [{"kind": "linear", "units": 8, "repeat": 2}]},
    "strategy": {"name": "binary-tournament", "population": 4},
    "learner": {"name": "sgd", "n_batches": 8},
}


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run of two stages, and the weights that it uses."""
    folder = tmp_path_factory.mktemp("work")
    with torch.random.fork_rng():
        torch.manual_seed(1)
        network = models.get_model(ARCHITECTURE, weights=None)
    save_file(network.state_dict(), folder / "weights.safetensors")
    backbone = {"name": ARCHITECTURE, "weights": str(folder / "weights.safetensors"), "size": 33}
    stages = [
        {
            "name": name,
            "task": {"name": "digits", "classes": classes, "examples": 40, "backbone": backbone},
            "generations": 3,
        }
        for name, classes in (("low", [0, 1, 2]), ("high", [7, 8]))
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        pathnet_evo.launch({**CONFIG, "stages": stages}, runs_dir=folder / "runs")
    return folder


@pytest.fixture
def run(work: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("XDG_CACHE_HOME", str(work / "cache"))
    return load_run(work / "runs/features")


def images(run: Run, stage: int) -> tuple[torch.Tensor, list[str]]:
    """The test pictures of a stage, and the names of their classes."""
    from pathnet_evo.core.streams import Streams
    from pathnet_evo.interfaces.tasks import TaskContext
    from pathnet_evo_images.digits import Digits

    classes = run.config.stages[stage].task["classes"]
    task = Digits(classes=classes, examples=40).make(TaskContext(Streams(0), stage))
    return task.test_inputs, [task.class_names[label] for label in task.test_labels.tolist()]


@pytest.mark.parametrize("stage", [0, 1])
def test_a_network_classifies_pictures(run: Run, stage: int, tmp_path: Path) -> None:
    """What is shipped would take features that nobody has, or answer otherwise than it scored."""
    network = run.network(stage)
    pictures, names = images(run, stage)
    assert network.info.input_shape == (1, 8, 8)
    right = [a == b for a, b in zip(network.predict(pictures).labels, names, strict=True)]
    said = run.summary["arms"]["pathnet"]["stages"][stage]["scores"]["test_accuracy"]["mean"]
    assert np.mean(right) == pytest.approx(said)
    task = run.task(stage)
    features = network.predict(task.test_inputs)
    assert features.labels == network.predict(pictures).labels
    Image.fromarray(pictures[0, 0].numpy()).save(tmp_path / "digit.png")
    (one,) = network.predict(tmp_path / "digit.png")
    assert one.probabilities == pytest.approx(network.predict(pictures)[0].probabilities, abs=1e-5)


def test_a_saved_network_needs_neither_run_nor_weights(
    run: Run, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file would be of no use where the backbone's weights are not."""
    network, (pictures, _) = run.network("high"), images(run, 1)
    network.save(tmp_path / "m.safetensors", license="CC0-1.0")
    assert str(work).encode() not in (tmp_path / "m.safetensors").read_bytes()
    hidden = work / "hidden"
    shutil.move(work / "weights.safetensors", hidden)
    try:
        again = load_network(tmp_path / "m.safetensors")
    finally:
        shutil.move(hidden, work / "weights.safetensors")
    assert again.info == network.licensed("CC0-1.0").info
    assert torch.equal(again(pictures), network(pictures))
    again.train()
    assert not any(module.training for module in again.encoder.modules())


def test_exports_hold_the_backbone(run: Run, tmp_path: Path) -> None:
    """An exported network would begin after the backbone."""
    onnxruntime = pytest.importorskip("onnxruntime")
    network, (pictures, _) = run.network("low"), images(run, 0)
    with torch.inference_mode():
        expected = network(pictures[:7])
        program = network.to_exported().module()
        torch.testing.assert_close(program(pictures[:7]), expected, rtol=1e-4, atol=1e-4)
    network.to_onnx(tmp_path / "m.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"inputs": pictures[:7].numpy()})
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


def test_the_card_names_the_backbone(run: Run) -> None:
    """A reader would not know whose weights are in the file."""
    card = run.network("low").card(run.summary)
    assert "squeezenet1\\_1" in card
    assert "1 x 8 x 8, uint8" in card


@pytest.fixture
def other_weights(work: Path) -> Iterator[None]:
    """The file of weights holds those of another training."""
    file, kept = work / "weights.safetensors", work / "kept"
    shutil.move(file, kept)
    save_file(models.get_model(ARCHITECTURE, weights=None).state_dict(), file)
    yield
    shutil.move(kept, file)


def test_a_network_of_other_weights_is_refused(run: Run, other_weights: None) -> None:
    """A network would answer by features that it never learned from."""
    with pytest.raises(RunError, match=r"its weights are not those that the task was learned"):
        run.network("low")


def test_a_run_does_not_resume_on_other_weights(
    run: Run, work: Path, command: Any, request: pytest.FixtureRequest
) -> None:
    """Half of a run would be learned on other features."""

    def heard(record: object) -> None:
        if isinstance(record, Checkpointed):
            raise KeyboardInterrupt

    config = {**run.config.model_dump(mode="json"), "checkpoints": {"evaluations": 2}}
    with pytest.raises(KeyboardInterrupt):
        pathnet_evo.launch(config, name="cut", runs_dir=work / "runs", on_record=heard)
    request.getfixturevalue("other_weights")
    before = (work / "runs/cut/lineage.sqlite").read_bytes()
    done = command("resume", str(work / "runs/cut"))
    assert done.status == 2
    assert "backbone weights" in done.err
    assert "the run began with" in done.err
    assert done.err.count("\n") == 1
    assert (work / "runs/cut/lineage.sqlite").read_bytes() == before


def test_damaged_files_are_refused(run: Run, tmp_path: Path) -> None:
    """A stranger's file could build anything, or fail in a traceback."""
    from safetensors import safe_open
    from safetensors.torch import load_file

    from pathnet_evo.models.format import HEADER, checksum

    run.network("low").save(tmp_path / "m")
    with safe_open(tmp_path / "m", framework="pt") as opened:
        text = opened.metadata()[HEADER]
    tensors = load_file(tmp_path / "m")
    for wrong, said in (
        ((ARCHITECTURE, "os:getcwd"), "belongs to no plugin"),
        ((ARCHITECTURE, "squeezenet1_0"), "other tensors than squeezenet1_0"),
        (('"size":33', '"size":99999'), "description of its backbone is damaged"),
        (('"size":33', '"size":1'), "fails on images of 1x1"),
    ):
        about = json.loads(text.replace(*wrong))
        plain = json.dumps({**about, "sha256": None})
        digest = checksum(plain, tensors)
        header = json.dumps({**about, "sha256": digest})
        save_file(tensors, tmp_path / "forged", {HEADER: header})
        with pytest.raises(ModelError, match=said) as caught:
            load_network(tmp_path / "forged")
        assert "\n" not in str(caught.value)
