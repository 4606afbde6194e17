"""``pathnet-evo play`` and what it plays, on a run of a minute's fraction."""

import gc

import imageio
import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import pathnet_evo
from pathnet_evo.cli import app
from pathnet_evo.errors import UserError
from pathnet_evo.running.playing import player
from pathnet_evo_a3c.learner import A3C

pytestmark = pytest.mark.slow

CONFIG = {
    "name": "mixed",
    "arms": ["pathnet"],
    "pool": {"modules": 3, "width": 2, "layers": [{"kind": "linear", "units": 6}]},
    "strategy": {"name": "asynchronous-tournament", "population": 2},
    "learner": {"name": "a3c", "num_envs": 2, "episodes": 1, "score_episodes": 2},
    "stages": [
        {"name": "pole", "task": "gym", "frames": 200},
        {
            "name": "digits",
            "task": {"name": "digits", "classes": [0, 1], "size": 2, "channels": 1},
            "learner": {"name": "sgd", "n_batches": 2},
            "generations": 1,
        },
        {
            "name": "acrobot",
            "task": {"name": "gym", "id": "Acrobot-v1", "max_episode_steps": 20},
            "frames": 100,
        },
    ],
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run on CartPole, and one whose second stage is not played."""
    folder = tmp_path_factory.mktemp("runs")
    pole = {**CONFIG, "name": "pole", "stages": CONFIG["stages"][:1]}
    return {"pole": pathnet_evo.launch(pole, runs_dir=folder)}


def called(*arguments):
    """Exit status, standard output, and what a user's mistake is answered with."""
    result = CliRunner().invoke(app, ["play", *map(str, arguments)])
    error = str(result.exception) if isinstance(result.exception, UserError) else ""
    return result.exit_code, result.stdout, error


def test_scores(runs):
    """What is printed would not be what the frozen path scores."""
    run = runs["pole"]
    code, out, _ = called(run.folder, "--episodes", 3)
    assert code == 0
    lines = out.splitlines()
    scores = [float(line.rsplit(maxsplit=1)[1]) for line in lines[:3]]
    assert scores == list(player(run).play(3)), "the same run would give other scores"
    assert all(8 <= score <= 500 for score in scores)
    mean, spread = np.mean(scores), np.std(scores, ddof=1)
    reach = 4.302653 * spread / 3**0.5  # Student's t of two degrees of freedom
    every = [*run.episodes()["score"], *scores]  # no end lies outside: arcsines of square roots
    low, high = min(every), max(every)
    angle = np.arcsin(np.sqrt((mean - low) / (high - low)))
    turn = reach / ((high - low) * np.sin(2 * angle))
    turned = np.clip([angle - turn, angle + turn], 0, np.pi / 2)
    ends = low + (high - low) * np.sin(turned) ** 2
    interval = f"95 % interval {ends[0]:g} to {ends[1]:g}"
    assert lines[3].startswith(f"mean of 3: {mean:g} ({interval}; random actions: ")


def test_an_episode_is_played_again_by_its_seed(runs):
    """Nobody could look again at the episode whose score was odd."""
    folder = runs["pole"].folder
    _, out, _ = called(folder, "--episodes", 3)
    told = [line.removesuffix(":") for line in out.split() if line.endswith("):")]
    seeds = [int(seed.removesuffix(")")) for seed in told]
    for line, seed in zip(out.splitlines(), seeds, strict=False):
        _, again, _ = called(folder, "--episode-seed", seed)
        (score, mean) = again.splitlines()
        assert score.split(" (")[1] == line.split(" (")[1]
        assert "interval" not in mean, "one episode has none"
    _, counted, _ = called(folder, "--episodes", 2, "--episode-seed", 7)
    assert [line.split(" (")[1].split(")")[0] for line in counted.splitlines()[:2]] == [
        "seed 7",
        "seed 8",
    ]


def test_greedy_actions_are_the_most_probable(runs, monkeypatch):
    """Scores would be those of sampled actions, or of a learner that cannot choose."""
    run = runs["pole"]
    played = player(run, greedy=True)
    observations = torch.randn(20, 4)
    chosen = played.learner.actions_in(
        played.task, played.network, observations, torch.Generator().manual_seed(0)
    )
    assert torch.equal(chosen, played.network(observations)[:, :-1].argmax(1))
    code, out, _ = called(run.folder, "--greedy", "--episode-seed", 3)
    assert code == 0
    assert out.splitlines()[0].endswith(
        f": {next(player(run, greedy=True).play(1, first_seed=3)):g}"
    )
    fields = {name: f for name, f in A3C.model_fields.items() if name != "greedy"}
    monkeypatch.setattr(type(played.learner), "model_fields", fields)
    _, _, error = called(run.folder, "--greedy")
    assert "cannot be played greedily: its learner, A3C, has no setting greedy" in error


# imageio leaves the pipes of its ffmpeg reader to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("suffix", [".mp4", ".gif"])
def test_videos(runs, tmp_path, suffix):
    """There would be no film, or one that shows nothing move."""
    film = tmp_path / f"film{suffix}"
    code, out, error = called(runs["pole"].folder, "--stage", "pole", "--video", film)
    assert (code, error) == (0, "")
    steps = float(out.splitlines()[0].rsplit(maxsplit=1)[1])
    with imageio.get_reader(film) as reader:
        pictures = np.array([np.asarray(picture)[..., :3] for picture in reader])
    del reader
    gc.collect()
    assert pictures.shape[1:] == (400, 600, 3)
    assert steps / 2 <= len(pictures) <= steps + 1, "equal pictures in a row may be one"
    assert np.abs(pictures[0].astype(int) - pictures[-1]).max() > 50


def test_mistakes(runs, tmp_path):
    """A traceback would be the answer to a typing error."""
    folder = runs["pole"].folder
    for arguments, said in [
        ([tmp_path / "none"], "no such run"),
        ([folder, "--stage", "poll"], "no stage 'poll'. Did you mean \"pole\"?"),
        ([folder, "--stage", "7"], "no stage 7"),
        ([folder, "--arm", "pathnut"], "no arm 'pathnut'. Did you mean \"pathnet\"?"),
        ([folder, "--seed", "9"], "no seed 9 (have: 0)"),
        ([folder, "--video", tmp_path / "film.avi"], "unknown suffix (have: .gif, .mp4)"),
        ([folder, "--video", tmp_path / "none" / "film.gif"], "no such folder"),
    ]:
        code, _, error = called(*arguments)
        assert code != 0
        assert said in error
        assert "\n" not in error
