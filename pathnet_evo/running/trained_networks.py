"""What a run knows of a network that it trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from pathnet_evo.core.kinds import Affine
from pathnet_evo.core.modules import ModuleKind
from pathnet_evo.core.network import PathNetwork
from pathnet_evo.core.streams import Streams
from pathnet_evo.interfaces.encoders import Encoder
from pathnet_evo.interfaces.fingerprint import Fingerprint
from pathnet_evo.interfaces.signature import Signature
from pathnet_evo.interfaces.tasks import Task, TaskError, TaskSettings
from pathnet_evo.models.format import READOUT
from pathnet_evo.models.info import EncoderInfo, NetworkInfo
from pathnet_evo.models.restoring import TaskReader
from pathnet_evo.models.saving import described
from pathnet_evo.models.trained import TrainedNetwork, no_reader
from pathnet_evo.setup.plan import Plan
from pathnet_evo.store.cells import scores
from pathnet_evo.store.networks import read_network, read_signature
from pathnet_evo.store.reading import reading
from pathnet_evo.system.plugin_calls import calling


@dataclass(frozen=True)
class Wanted:
    """Which network of a run.

    Args:
        run: the run's folder.
        stage: index of the stage that learned it.
        after: index of the stage after which the weights are taken.
        arm: name of the arm.
        seed: seed of the trial.
        name: the stage's name.
    """

    run: Path
    stage: int
    after: int
    arm: str
    seed: int
    name: str


def trained_network(
    wanted: Wanted,
    plan: Plan,
    checkpoint: Path,
    task: Task | None,
    learned_on: Sequence[Fingerprint],
) -> TrainedNetwork:
    """A network from a verified checkpoint, with what is known of it.

    Runs of early versions did not record what a network takes and gives; for them, only ``task``
    tells.

    Args:
        wanted: which one.
        plan: the run's.
        checkpoint: its folder.
        task: the stage's task, if it was made.
        learned_on: the fingerprints of the stage's data.

    Raises:
        CheckpointError, LineageError, PluginFailed, ValueError, LookupError, TypeError: the
            checkpoint or the lineage is damaged, or the transfer policy raises.
        TaskError: the task's encoder cannot be had, or has other weights than it had.
    """
    stage = wanted.stage
    policy, settings = plan.arms[wanted.arm].policy, plan.stages[stage].task

    def column(network: PathNetwork, of: int, by: int) -> PathNetwork:
        with calling("transfer policy"):
            return policy.column(network, of, Streams(wanted.seed).at(by))

    network = read_network(checkpoint, plan.kinds, stage, column)
    signature = read_signature(checkpoint, stage)
    if signature is None and task is not None:
        signature = Signature.of(task)
    if signature is None and learned_on:
        signature = Signature.of_facts(learned_on[-1].facts)
    shape = task.input_shape if network.input_shape is None and task else network.input_shape
    if signature is None or shape is None:
        return TrainedNetwork(network, None, no_reader)
    encoder = _encoder(settings, signature)
    if encoder is not None:
        shape = encoder.input_shape
        signature = signature.model_copy(update={"input_type": "uint8"})
    fitted = network.columns is not None and network.columns.fitted is not None
    info = NetworkInfo(
        format=3 if fitted else 2 if encoder is not None else 1,
        pathnet_evo=version("pathnet-evo"),
        run=plan.config.name,
        arm=wanted.arm,
        seed=wanted.seed,
        stage=stage,
        after=wanted.after,
        name=wanted.name,
        task=str(plan.config.stages[stage].task["name"]),
        scores=_scores(wanted),
        input_shape=tuple(shape),
        encoder=_about(encoder),
        signature=signature,
        policy=plan.stages[stage].learner.policy and not signature.continuous,
        aggregate=plan.config.pool.aggregate,
        networks=described(network, stage, _kind_names(plan)),
        fitted=fitted,
    )
    return TrainedNetwork(network, info, TaskReader(type(settings).read_input, info), encoder)


def _encoder(settings: TaskSettings, signature: Signature) -> Encoder | None:
    with calling("encoder", TaskError):
        return settings.trained_encoder(signature.reading)


def _about(encoder: Encoder | None) -> EncoderInfo | None:
    if encoder is None:
        return None
    return EncoderInfo(name=encoder.name, output_shape=encoder.output_shape)


def _scores(wanted: Wanted) -> dict[str, float | None]:
    """The test scores of a stage's network with these weights, as the lineage has them."""
    with reading(wanted.run, ("trials", "stages")) as db:
        row = db.execute(
            "SELECT s.scores FROM stages s JOIN trials t USING (trial) "
            "WHERE t.arm = ? AND t.seed = ? AND s.stage = ?",
            (wanted.arm, wanted.seed, wanted.after),
        ).fetchone()
    return {} if row is None else {**scores(row["scores"]).get(wanted.stage, {})}


def _kind_names(plan: Plan) -> dict[type[ModuleKind], str]:
    """The registered name of each module kind of a pool, and of the readout."""
    names = [
        str(layer["kind"])
        for layer in plan.config.pool.layers
        for _ in range(int(layer.get("repeat", 1)))
    ]
    kinds = map(type, plan.kinds)
    return {Affine: READOUT, **dict(zip(kinds, names, strict=True))}
