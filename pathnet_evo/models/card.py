"""A model card: what a network is for, what it takes and gives, how well it does, in Markdown."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pathnet_evo.models.info import NetworkInfo
from pathnet_evo.values.names import on_one_line
from pathnet_evo.values.readable import shown, shown_interval

SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+!|~])")
"""Characters that Markdown or HTML could take for something else."""
MOST_NAMES = 100
"""Names of classes or actions that a card lists."""
USES = {
    "classes": "print(network.predict(inputs)[0].label)",
    "actions": "action = network.act(observation)",
}


def card(info: NetworkInfo, summary: Mapping[str, Any] | None = None) -> str:
    """A model card in Markdown, with the front matter that model hubs read.

    Args:
        info: what is known of the network.
        summary: the run's, for results over all seeds; without it, only this network's.
    """
    parts = [_front(info), _about(info, summary), _use(info), _results(info, summary)]
    return "\n\n".join([*parts, _training(info, summary), _limits(info)]) + "\n"


def _front(info: NetworkInfo) -> str:
    """YAML; every value is JSON, which is YAML."""
    values: dict[str, Any] = {"library_name": "pathnet-evo", "tags": ["pathnet", "safetensors"]}
    if info.license is not None:
        values["license"] = info.license
    if info.signature.outputs == "actions":
        values["pipeline_tag"] = "reinforcement-learning"
    elif info.signature.reading:
        values["pipeline_tag"] = "image-classification"
    lines = [f"{key}: {json.dumps(value)}" for key, value in values.items()]
    return "\n".join(["---", *lines, "---"])


def _about(info: NetworkInfo, summary: Mapping[str, Any] | None) -> str:
    own = info.networks[-1]
    layers = f"{len(own.path)} layer{'s' * (len(own.path) > 1)}"
    stages = "" if summary is None else f" of {len(summary['stages'])}"
    heard = [str(path.stage + 1) for path in info.networks[:-1]]
    text = (
        f"A PathNet (Fernando et al. 2017): the path that evolution chose for stage "
        f"{info.stage + 1}{stages}, *{_plain(info.name)}*, of the run *{_plain(info.run)}*. It has "
        f"{sum(map(len, own.path))} modules in {layers} and a readout for "
        f"{info.signature.count} {info.signature.outputs}."
    )
    if info.encoder is not None:
        text += (
            f" The path learned from the {_sizes(info.encoder.output_shape)} features of a frozen, "
            f"pretrained backbone, *{_plain(info.encoder.name)}*, which is part of the network."
        )
    if heard:
        s = "s" * (len(heard) > 1)
        text += f" It listens to the frozen path{s} of stage{s} {_listed(heard)}."
    return f"# {_plain(info.name)}\n\n{text}"


def _use(info: NetworkInfo) -> str:
    kind = {"uint8": "uint8, 0 to 255", "float32": "float32"}.get(
        info.signature.input_type or "", "uint8 or float32"
    )
    sizes = _sizes(info.input_shape)
    names = ", ".join(map(_plain, info.signature.labels[:MOST_NAMES]))
    more = len(info.signature.labels) - MOST_NAMES
    if info.signature.outputs == "actions" and not info.policy:
        outputs, use = "as the learner defines them.", "outputs = network(observations)"
    else:
        end = f", and {more} more." if more > 0 else "."
        outputs = f"logits of {info.signature.count} {info.signature.outputs}: {names}{end}"
        use = USES[info.signature.outputs]
    lines = [
        f"- Inputs: {sizes}, {kind}. The network shifts and scales them itself.",
        f"- Outputs: {outputs}",
    ]
    code = f'network = load_network("model.safetensors")\n{use}'
    example = f"```python\nfrom pathnet_evo import load_network\n\n{code}\n```"
    return "## Use\n\n" + example + "\n\n" + "\n".join(lines)


def _results(info: NetworkInfo, summary: Mapping[str, Any] | None) -> str:
    """A row a score: this network's and, from the summary, the mean over seeds."""
    over = _over_seeds(info, summary)
    seeds = max((found["n"] for found in over.values()), default=0)
    title = f"mean of {seeds} seeds (95 % interval)" if seeds > 1 else ""
    rows = [["test score", f"seed {info.seed}", *([title] if title else [])]]
    rows += [["---"] * len(rows[0])]
    for name, value in info.scores.items():
        cells = [_plain(name.replace("_", " ")), shown(value, name)]
        if title:
            found = over.get(name)
            interval = shown_interval(found["interval"], name) if found else ""
            mean = shown(found["mean"], name) if found else ""
            cells.append(f"{mean} ({interval})" if interval else mean)
        rows.append(cells)
    if not info.scores:
        return "## Results\n\nNot scored."
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in rows)
    return "\n\n".join(["## Results", table, *_context(info, summary)])


def _over_seeds(info: NetworkInfo, summary: Mapping[str, Any] | None) -> dict[str, Any]:
    """The scores of this arm and stage over all seeds, with the same weights."""
    if summary is None or info.arm not in summary["arms"]:
        return {}
    stage = summary["arms"][info.arm]["stages"][info.stage]
    if info.after == info.stage:
        return dict(stage["scores"])
    return dict(stage["rescores"].get(str(info.after), {}))


def _context(info: NetworkInfo, summary: Mapping[str, Any] | None) -> Iterator[str]:
    """What a reader compares the scores with."""
    if summary is None:
        return
    score = summary["stages"][info.stage]["score"]
    chance = summary["stages"][info.stage]["chance"]
    if chance is not None and chance["mean"] is not None and score is not None:
        yield f"Random actions score {shown(chance['mean'], score)}."
    for found in summary["comparisons"] if info.after == info.stage else ():
        if (found["stage"], found["arm"]) == (info.stage, info.arm) and found["mean"] is not None:
            interval = shown_interval(found["interval"], found["score"], sign=True)
            yield (
                f"{_plain(found['score'].replace('_', ' '))}: {_plain(info.arm)} minus "
                f"{_plain(found['control'])}, paired by seed: "
                f"{shown(found['mean'], found['score'], sign=True)}"
                + (f" (95 % interval {interval})." if interval else ".")
            )


def _training(info: NetworkInfo, summary: Mapping[str, Any] | None) -> str:
    path = "; ".join(", ".join(map(str, layer)) for layer in info.networks[-1].path)
    lines = [
        f"- Run {_plain(info.run)}, arm {_plain(info.arm)}, seed {info.seed}, "
        f"pathnet-evo {_plain(info.pathnet_evo)}",
        f"- Task: {_plain(info.task)}",
        f"- Modules of the path, layer by layer: {path}",
    ]
    if info.after != info.stage:
        lines.append(f"- Weights as they were after stage {info.after + 1}")
    if summary is not None and info.arm in summary["arms"]:
        stage = summary["arms"][info.arm]["stages"][info.stage]
        counts = summary["stages"][info.stage]["counts"]
        unit = summary["stages"][info.stage]["unit"] or "examples"
        used = stage["examples"]["seeds"].get(str(info.seed))
        evaluations = stage["evaluations"]["seeds"].get(str(info.seed))
        lines.append(
            f"- Budget used: {shown(evaluations)} evaluations, {shown(used)} {_plain(unit)}"
        )
        if counts is not None:
            lines.append(f"- Pool: {', '.join(map(str, counts))} modules")
    return "## Training\n\n" + "\n".join(lines)


def _limits(info: NetworkInfo) -> str:
    licence = "not stated" if info.license is None else _plain(info.license)
    what = "inputs unlike the task's" if info.signature.outputs == "classes" else "other tasks"
    backbone = "" if info.encoder is None else " The backbone's own licence applies to its weights."
    return (
        "## Limits\n\n"
        f"The scores are those of the task's own test data; nothing is known of {what}. "
        "The probabilities are not calibrated.\n\n"
        f"Licence of the weights: {licence}.{backbone}"
    )


def _sizes(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))


def _plain(text: str) -> str:
    """Untrusted text as Markdown that means just that text, on one line."""
    return SPECIAL.sub(r"\\\1", on_one_line(text))


def _listed(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
