"""``pathnet-evo play``: watch what a run learned."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pathnet_evo.cli.terminal import console, say


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
        found = player(run, wanted, arm, seed, accept_changed_data)
    progress = Progress(
        BarColumn(), TextColumn("{task.description}"), console=console(err=True), transient=True
    )
    bar = progress.add_task("", total=episodes)

    def stepped(episode: int, steps: int, score: float) -> None:
        text = f"episode {episode + 1} of {episodes}: {steps} steps, score {score:g}"
        progress.update(bar, completed=episode, description=text)

    with closing(film) if film else nullcontext(), progress:
        scores = list(found.play(episodes, stepped, film.add if film else None))
    for i, score in enumerate(scores, 1):
        say(f"{found.name}, episode {i}: {score:g}")
    chance = (
        "" if found.random_baseline is None else f" (random actions: {found.random_baseline:g})"
    )
    say(f"mean of {len(scores)}: {sum(scores) / len(scores):g}{chance}")
    if video is not None:
        say(f"video: {video}")
