"""``pathnet-evo play``: watch what a run learned."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pathnet_evo.cli.terminal import console, say

if TYPE_CHECKING:
    from pathnet_evo.analysis.statistics import Range


def play(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder.")],
    stage: Annotated[
        str | None,
        typer.Option(
            help="Stage: its name, or number from 1. Default: the last that can be played."
        ),
    ] = None,
    arm: Annotated[str, typer.Option(help="Arm whose path to play.")] = "pathnet",
    seed: Annotated[int | None, typer.Option(help="Seed. Default: the first.")] = None,
    episodes: Annotated[int, typer.Option(min=1, help="Number of episodes.")] = 1,
    greedy: Annotated[
        bool, typer.Option("--greedy", help="Take the most probable actions instead of sampling.")
    ] = False,
    episode_seed: Annotated[
        int | None,
        typer.Option(
            min=0, max=2**31 - 1, help="Seed of the first episode; the next ones count up from it."
        ),
    ] = None,
    video: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Record a video, .mp4 or .gif.")
    ] = None,
    accept_changed_data: Annotated[
        bool,
        typer.Option("--accept-changed-data", help="Play even if the task has changed."),
    ] = False,
    load_plugins: Annotated[
        bool, typer.Option("--load-plugins", help="Execute the plugin files that the run used.")
    ] = False,
) -> None:
    """Play episodes with a stage's best path, and print the raw scores."""
    from contextlib import closing, nullcontext

    from rich.progress import BarColumn, Progress, TextColumn

    from pathnet_evo.cli.opening import opened
    from pathnet_evo.running.playing import player
    from pathnet_evo.running.video import Video

    film = None if video is None else Video(video)
    with opened(folder, load_plugins) as run:
        wanted = None if stage is None else run.stage_of(stage)
        found = player(run, wanted, arm, seed, accept_changed_data, greedy)
    shown = console(err=True)
    progress = Progress(
        BarColumn(),
        TextColumn("{task.description}"),
        console=shown,
        transient=True,
        disable=not shown.is_terminal,  # a file would get an empty line
    )
    bar = progress.add_task("", total=episodes)

    def stepped(episode: int, steps: int, score: float) -> None:
        text = f"episode {episode + 1} of {episodes}: {steps} steps, score {score:g}"
        progress.update(bar, completed=episode, description=text)

    with closing(film) if film else nullcontext(), progress:
        scores = list(found.play(episodes, stepped, film.add if film else None, episode_seed))
    seeds = found.seeds(episodes, episode_seed)
    for i, (episode, score) in enumerate(zip(seeds, scores, strict=True), 1):
        say(f"{found.name}, episode {i} (seed {episode}): {score:g}")
    say(f"mean of {len(scores)}: {_mean(scores, found.returns, found.random_baseline)}")
    if video is not None:
        say(f"video: {video}")


def _mean(scores: list[float], within: Range, random_baseline: float | None) -> str:
    """The mean, with its interval over episodes and the score of random actions where known.

    The interval stays within the returns of the stage's episodes, as on a run's page.
    """
    from pathnet_evo.analysis.statistics import mean_interval

    _, interval = mean_interval(scores, within)
    known = [] if interval is None else [f"95 % interval {interval[0]:g} to {interval[1]:g}"]
    known += [] if random_baseline is None else [f"random actions: {random_baseline:g}"]
    told = f" ({'; '.join(known)})" if known else ""
    return f"{sum(scores) / len(scores):g}{told}"
