"""Pictures in a report: what the network mistakes, when the data is there and when it is gone."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pathnet_evo import Registry, launch, load_run
from pathnet_evo.models.trained import TrainedNetwork
from pathnet_evo.report import write_report
from pathnet_evo.report.data.pictured import PicturedStage
from pathnet_evo.setup.pictures import configuration

NAMES = ("<b>cat", "dog & fox", "eel")


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A finished run on pictures of noise, which cannot be told apart."""
    home = tmp_path_factory.mktemp("made")
    rng = np.random.default_rng(0)
    for name in NAMES:
        (home / "pets" / name).mkdir(parents=True)
        for index in range(30):
            pixels = rng.integers(0, 256, (20, 80, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(home / "pets" / name / f"{index}.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(home / "cache"))
        short = ("seeds=2", "executor=inline", "stages.*.generations=2")
        found = configuration([home / "pets"], Registry(), backbone="none")
        launch(found, short, name="run", runs_dir=home)
        yield home


@pytest.fixture
def run(made, tmp_path) -> Path:
    """A copy of that run."""
    return Path(shutil.copytree(made / "run", tmp_path / "run"))


def kept(run: Path) -> dict:
    """What the run keeps of its one stage."""
    (stage,) = json.loads((run / "pictures.json").read_text())["stages"]
    return stage


def test_mistakes_are_those_of_the_network(run) -> None:
    """The report would show mistakes that nobody made, or hide the worst."""
    network, task = load_run(run).network(0), load_run(run).task(0)
    answers = network.predict(task.test_inputs)
    truth = [task.class_names[label] for label in task.test_labels]
    pairs = Counter(zip(truth, [a.label for a in answers], strict=True))
    stage = kept(run)
    names = stage["classes"]
    assert {(names[t], names[p]): n for t, p, n in stage["confusion"]} == pairs
    scores = load_run(run).summary["arms"]["pathnet"]["stages"][0]["scores"]["test_accuracy"]
    right = sum(n for (t, p), n in pairs.items() if t == p)
    assert right / len(truth) == pytest.approx(scores["seeds"]["0"])
    wrong = sorted(
        (-max(a.probabilities), i) for i, a in enumerate(answers) if a.label != truth[i]
    )[:12]
    assert len(wrong) > 3
    for (sure, i), mistake in zip(wrong, stage["mistakes"], strict=True):
        assert mistake["confidence"] == pytest.approx(-sure, abs=1e-3)
        assert names[mistake["label"]] == truth[i]
        assert names[mistake["predicted"]] == answers[i].label
        shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(mistake["jpeg"]))), dtype=float)
        assert np.abs(shown - task.test_inputs[i].permute(1, 2, 0).numpy()).mean() < 25
    examples = Counter(one["label"] for one in stage["examples"])
    assert examples == {0: 4, 1: 4, 2: 4}


def test_the_page_shows_them_without_the_data(made, run) -> None:
    """A report would lose its pictures with the data, or run what a folder is called."""
    (made / "pets").rename(made / "gone")
    page = write_report(run).read_text()
    start = page.index('<section id="pictures"')
    section = page[start : page.index("</section>", start)]
    stage = kept(run)
    right = sum(n for t, p, n in stage["confusion"] if t == p)
    tested = sum(n for *_, n in stage["confusion"])
    assert f"{right} of {tested} test pictures right" in section
    assert section.count("<img ") == 12 + len(stage["mistakes"])
    assert "&lt;b&gt;cat" in section
    assert "<b>cat" not in page.replace("<b>&lt;b&gt;cat", "")
    assert re.findall(r'src="(?!data:image/jpeg;base64,[\w+/=]+")', section) == []
    assert len(section) < 120_000
    (made / "gone").rename(made / "pets")


@pytest.mark.parametrize(
    "damage",
    [
        lambda stage: stage["mistakes"][0].update(jpeg='"><script>'),
        lambda stage: stage["mistakes"][0].update(predicted=7),
        lambda stage: stage.update(confusion=[["x"]]),
        lambda stage: stage.update(more=1),
        lambda stage: stage.update(stage=5),
    ],
)
def test_what_is_damaged_is_left_out(run, damage) -> None:
    """Somebody else's run would put into a page what it likes, or cost the whole report."""
    stage = kept(run)
    damage(stage)
    (run / "pictures.json").write_text(json.dumps({"version": 1, "stages": [stage]}))
    assert '<section id="pictures"' not in write_report(run).read_text()


def test_what_cannot_be_read_costs_no_run(made, run, tmp_path, monkeypatch) -> None:
    """A run would fail at its end since its pictures cannot be shown."""

    def fail(*arguments: object) -> None:
        raise RuntimeError("no memory")

    monkeypatch.setattr(TrainedNetwork, "predict", fail)
    again = launch(run / "run.toml", ["seeds=1"], name="again", runs_dir=tmp_path).folder
    assert not (again / "pictures.json").exists()
    assert '<section id="pictures"' not in (again / "report.html").read_text()


def test_many_classes_are_listed_by_pairs() -> None:
    """A matrix of hundreds of classes would be unreadable."""
    classes = tuple(f"c{i}" for i in range(30))
    confusion = (*((i, (i + 1) % 30, i + 1) for i in range(30)), (0, 0, 99))
    stage = PicturedStage(
        stage=0, arm="pathnet", seed=0, checkpoint="", classes=classes, confusion=confusion,
        examples=(), mistakes=(),
    )  # fmt: skip
    assert stage.table is None
    assert stage.confused[:2] == [("c29", "c0", 30), ("c28", "c29", 29)]
    assert len(stage.confused) == 20
    assert (stage.right, stage.tested) == (99, 99 + sum(range(31)))
