"""The tables and curves of ``scale.py``."""

from __future__ import annotations


def show(found: dict[str, list[dict[str, float]]]) -> None:
    """A table for each shape."""
    for name, rows in found.items():
        print(f"\n{name}\n| workers | a second | of linear | overlap | MB/s | lost | first full |")
        print("| --- | --- | --- | --- | --- | --- | --- |")
        for row in rows:
            linear = row["rate"] / rows[0]["rate"] / row["workers"]
            full = max(("driver", "link"), key=lambda part: row[part])
            print(
                f"| {row['workers']} | {row['rate']:.3g} | {linear:.0%} | {row['overlap']:.0%} "
                f"| {row['bytes'] / 1e6:.3g} | {row['lost']:.2%} "
                f"| {full if row[full] > 0.9 else '-'} |"
            )


def draw(found: dict[str, list[dict[str, float]]], file: str | None) -> None:
    """The curves, speed over one worker's, in a file if it is named."""
    if file is None:
        return
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 4))
    workers = [row["workers"] for row in next(iter(found.values()))]
    for name, rows in found.items():
        speeds = [row["rate"] / rows[0]["rate"] for row in rows]
        axes.loglog(workers, speeds, marker="o", ms=3, label=name)
    axes.loglog(workers, workers, color="grey", lw=0.8, label="linear")
    axes.set(xlabel="workers", ylabel="speed, relative to one worker")
    axes.legend(frameon=False)
    figure.savefig(file, dpi=150, bbox_inches="tight")
