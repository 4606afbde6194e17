"""How frozen modules enter a new task's path: what is the default, and what is refused."""

import pytest

from pathnet_evo.core.kinds import Linear
from pathnet_evo.core.modules import ModuleKind
from pathnet_evo.core.streams import Streams
from pathnet_evo.interfaces.records import Evaluated, TransferPlanned
from pathnet_evo.interfaces.run_info import Trial
from pathnet_evo.plugins.registry import Registry
from pathnet_evo.setup import config
from pathnet_evo.setup.resolving import resolve
from pathnet_evo.trial.prior import Prior
from pathnet_evo.trial.trial import learn_sequence

DIGITS = {"task": {"name": "digits"}}
GAME = {"task": {"name": "gym", "id": "CartPole-v1"}, "learner": {"name": "a3c"}}


def plan(stages, **transfer):
    """A run of the arms ``pathnet`` and ``pathnet-2017``, made ready."""
    data = {"arms": ["pathnet", "pathnet-2017"], "transfer": transfer, "stages": stages}
    return resolve(config.validate(data), Registry())


def test_images_listen_and_games_are_summed_by_default():
    """Broken: a user who sets nothing would get the way in that loses."""
    made = plan([DIGITS, GAME])
    assert [made.connect(i, "pathnet") for i in (0, 1)] == ["lateral", "sum"]
    assert [made.connect(i, "pathnet-2017") for i in (0, 1)] == ["named", "sum"]
    assert plan([DIGITS], connect="sum").connect(0, "pathnet") == "sum"
    assert plan([DIGITS], connect="sum").connect(0, "pathnet-2017") == "named"


def test_games_hear_columns_more_quietly():
    """Broken: a game would be learned a fifth more slowly for each path that it listens to."""
    net = {"modules": 4, "width": 1, "layers": [{"kind": "linear", "units": 3}] * 2}
    data = {
        "arms": ["pathnet"],
        "pool": {**net, "input_shape": [4]},
        "strategy": {"name": "racing", "population": 2},
        "transfer": {"connect": "lateral", "initial_modules": "fresh"},
        "learner": {"name": "ppo", "num_envs": 2, "episodes": 1, "score_episodes": 1},
        "stages": [{"frames": 200, "task": GAME["task"]}] * 2,
    }
    made = resolve(config.validate(data), Registry())
    found = learn_sequence(made, Trial(0, "pathnet", 0), "cpu", lambda record: None)
    columns = found[1].head.columns
    said = columns(made.stages[1].learner.inputs(found[1].task, 400, Streams(0)))
    sizes = [3, 3]  # of what a module of the second layer, and the readout, hear
    for units, fan in zip(said, sizes, strict=True):
        assert float(units.var(0, correction=0).mean()) * fan <= 3.5


def test_modules_that_cannot_hear_are_connected_as_published(monkeypatch):
    """Broken: a plugin's kind of module would fail where the second stage begins."""
    monkeypatch.setattr(Linear, "lateral_shape", ModuleKind.lateral_shape)
    assert plan([DIGITS, DIGITS]).connect(1, "pathnet") == "named"
    with pytest.raises(config.ConfigError, match="modules of kind Linear cannot hear columns"):
        plan([DIGITS, DIGITS], connect="lateral")


def learned(stages, arm="pathnet", **settings):
    """What a trial of a few evaluations learned and recorded, on bundled digits."""
    data = {
        "arms": ["pathnet"],
        "pool": {"modules": 12, "width": 2, "layers": [{"kind": "conv2d", "channels": 2}]},
        "strategy": {"name": "racing"},
        "learner": {"name": "sgd", "n_batches": 2, "batch_size": 4},
        "stages": [{"generations": 5, "task": {"name": "digits", **s}} for s in stages],
        **settings,
    }
    made, records = resolve(config.validate(data), Registry()), []
    found = learn_sequence(made, Trial(0, arm, 0), "cpu", records.append)
    return found, records


@pytest.mark.parametrize("most", [1, 2, 3])
def test_a_prediction_computes_no_more_paths_than_allowed(most, monkeypatch):
    """Broken: every task would make predictions slower, up to all earlier paths."""
    monkeypatch.setattr(Prior, "telling", lambda self: sorted(self.stages, reverse=True))
    monkeypatch.setattr(Prior, "unfamiliar", False)
    found, _ = learned([{"classes": [i, i + 1], "examples": 20} for i in range(4)],
                       transfer={"max_columns": most})  # fmt: skip
    computed = []
    for stage in found:
        heard = () if stage.head.columns is None else stage.head.columns.stages
        computed.append(set(heard).union(*(computed[j] for j in heard)))
    assert [len(c) for c in computed] == [min(i, most) for i in range(4)]


def test_a_path_is_also_judged_without_what_it_hears(monkeypatch):
    """Broken: a path would be copied for what it heard, which its copy does not hear."""
    monkeypatch.setattr(Prior, "telling", lambda self: sorted(self.stages))
    monkeypatch.setattr(Prior, "unfamiliar", False)
    learner = {"name": "sgd", "n_batches": 20, "batch_size": 16, "learning_rate": 0.1}
    layers = [{"kind": "conv2d", "channels": 2}, {"kind": "linear", "units": 4}]
    pool = {"modules": 12, "width": 2, "layers": layers}
    _, records = learned([{"noise": 0.3}] * 3, learner=learner, pool=pool,
                         transfer={"initial_modules": "fresh"})  # fmt: skip
    prior = next(r.prior for r in records if isinstance(r, TransferPlanned) and r.stage == 2)
    assert prior["alone"][0] == prior["stages"][0]
    assert prior["alone"][1] != prior["stages"][1]


def test_the_prior_does_not_see_what_is_held_out():
    """Broken: starts would be chosen with the labels on which a sweep measures them."""
    learner = {"name": "sgd", "n_batches": 2, "batch_size": 4, "validation_fraction": 0.4}
    _, records = learned([{}, {"examples": 50}], learner=learner)
    (planned,) = [r for r in records if isinstance(r, TransferPlanned)]
    assert planned.prior["examples"] == 30


def test_copies_of_unfamiliar_features_listen_to_nobody(monkeypatch):
    """Broken: few examples would be learned by heart from features that do not suit them."""
    monkeypatch.setattr(Prior, "starts", lambda self: [0])
    for unfamiliar in (True, False):
        monkeypatch.setattr(Prior, "unfamiliar", unfamiliar)
        _, records = learned([{}, {"examples": 5}], transfer={"initial_modules": "mixed"})
        (planned,) = [r for r in records if isinstance(r, TransferPlanned)]
        assert planned.columns == (() if unfamiliar else (0,))
        assert planned.starts[0][0].endswith("to be retrained") is unfamiliar
        widths = [len(set(r.evaluation.candidate.genotype[0])) for r in records
                  if isinstance(r, Evaluated) and r.stage == 1]  # fmt: skip
        assert widths == ([1] * 7 + [2] * 3 if unfamiliar else [2] * 10)


@pytest.mark.parametrize(
    ("examples", "suitable", "options", "copied"),
    [
        (4, 1, {}, None),
        (4, 1, {"copied_layers": 1}, 1),
        (10, 1, {}, 1),
        (10, 2, {}, None),
        (10, 1, {"copied_layers": 2}, None),
        (10, 2, {"copied_layers": 1}, 1),
        (10, 1, {"prior": False, "initial_modules": "copies"}, 1),
    ],
)
def test_many_examples_are_learned_by_copies_of_lower_layers(
    examples, suitable, options, copied, monkeypatch
):
    """Broken: with all images, PathNet would lose a point to fresh modules that listen.

    The budget visits 40 examples, so that 4 are few and 10 are many.
    """
    monkeypatch.setattr(Prior, "starts", lambda self: [0])
    monkeypatch.setattr(Prior, "layers_to_copy", lambda self, stage, least: suitable)
    layers = [{"kind": "conv2d", "channels": 2}, {"kind": "linear", "units": 3}]
    _, records = learned(
        [{}, {"examples": examples}],
        pool={"modules": 12, "width": 2, "layers": layers},
        learner={"name": "sgd", "n_batches": 1, "batch_size": 4, "validation_fraction": 0.0},
        transfer={"initial_modules": "mixed", **options},
    )
    (planned,) = [r for r in records if isinstance(r, TransferPlanned)]
    assert ("up to layer 1" in planned.starts[0][0]) is (copied == 1)


@pytest.mark.parametrize(
    ("arm", "classes", "option", "copied"),
    [
        ("pathnet", [0, 1], True, True),
        ("fine-tuning", [0, 1], True, True),
        ("pathnet", [0, 2], True, False),
        ("pathnet", [0, 1], False, False),
        ("independent", [0, 1], True, False),
        ("random-columns", [0, 1], True, False),
        ("pathnet-2017", [0, 1], True, False),
    ],
)
def test_a_readout_starts_as_one_for_the_same_classes(arm, classes, option, copied):
    """Broken: a policy would be learned again, or a control would begin with what it must not know.

    At this learning rate no weight changes, so that readouts end as they began.
    """
    found, _ = learned(
        [{"classes": [0, 1], "examples": 20}, {"classes": classes, "examples": 20}],
        arms=["pathnet", arm] if arm != "pathnet" else [arm],
        arm=arm,
        learner={"name": "sgd", "n_batches": 1, "batch_size": 4, "learning_rate": 1e-30},
        transfer={"copy_readout": option},
    )
    before, after = (stage.head.readout.parameters["weight"] for stage in found)
    assert before.equal(after) is copied


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            {"arms": ["independent"], "transfer": {"copy_readout": True}},
            "transfer.copy_readout: needs an arm that keeps",
        ),
        (
            {"arms": [{"name": "x", "transfer": {"name": "scratch", "copy_readout": True}}]},
            "arms.0.transfer.copy_readout: needs a policy that keeps",
        ),
        ({"stages": [DIGITS, GAME], "transfer": {"prior": True}}, "transfer.prior: .* no labels"),
        (
            {"arms": ["independent"], "transfer": {"initial_modules": "copies"}},
            'transfer.initial_modules: "copies" needs an arm that freezes',
        ),
        (
            {
                "arms": [
                    "pathnet",
                    {"name": "x", "transfer": {"name": "keep", "initial_modules": "mixed"}},
                ]
            },
            'arms.1.transfer.initial_modules: "mixed" needs frozen modules',
        ),
    ],
)
def test_what_cannot_be_transferred_is_refused(data, message):
    """Broken: a setting that does nothing would be taken, and its user believe that it did."""
    with pytest.raises(config.ConfigError, match=message):
        resolve(config.validate({"stages": [DIGITS, DIGITS], **data}), Registry())


@pytest.mark.parametrize("initial", ["copies", "mixed"])
@pytest.mark.parametrize(
    ("own", "place"), [(False, "transfer"), (True, "arms.1.transfer")], ids=["run", "arm"]
)
@pytest.mark.parametrize("stages", [1, 2])
def test_copies_are_refused_where_their_originals_are_active(initial, own, place, stages):
    """Broken: each layer would add up the frozen modules and copies of some of them."""
    arm = {"transfer": {"name": "freeze", "initial_modules": initial}} if own else {}
    shared = {} if own else {"initial_modules": initial}
    data = {
        "arms": ["independent", {"name": "x", **arm}, "pathnet"],
        "transfer": {"connect": "sum", **shared},
        "stages": [DIGITS] * stages,
    }
    with pytest.raises(config.ConfigError) as refused:
        resolve(config.validate(data), Registry()).rehearse()
    (problem,) = refused.value.problems
    assert problem.place == f"{place}.initial_modules"
    assert f'"{initial}" cannot go with connect = "sum"' in problem.text


@pytest.mark.parametrize(
    ("stages", "transfer"),
    [
        ([DIGITS, DIGITS], {"connect": "sum"}),
        ([DIGITS, DIGITS], {"connect": "named", "initial_modules": "copies"}),
        ([GAME, DIGITS], {"initial_modules": "mixed"}),
    ],
    ids=["sum of fresh modules", "named copies", "copies of the stage that is summed"],
)
def test_other_copies_are_not_refused(stages, transfer):
    """Broken: a sequence could not begin although no stage has copies beside their originals."""
    assert plan(stages, **transfer)._check_copies() == []
