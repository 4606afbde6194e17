"""Exported networks compute what the network computes."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from pydantic import Field

from pathnet_evo import ModelError, Signature
from pathnet_evo.core.kinds import Linear

pytestmark = pytest.mark.slow


def agree(found, wanted) -> None:
    """Equal to 1e-5 of the largest output."""
    scale = max(1.0, float(wanted.abs().max()))
    assert float((torch.as_tensor(found) - wanted).abs().max()) <= 1e-5 * scale


def test_onnx_and_torch_export_agree_on_every_kind(network, images, tmp_path):
    """A phone or a server would answer otherwise than the network that was tested."""
    import onnxruntime

    network.to_onnx(tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    program = network.to_exported().module()
    with torch.no_grad():
        for n in (1, 2, 7):
            wanted = network(images[:n])
            agree(session.run(None, {"inputs": images[:n].numpy()})[0], wanted)
            agree(program(images[:n]), wanted)


def test_an_onnx_file_knows_its_classes(make_network, tmp_path):
    """Whoever gets the file would see numbers for classes."""
    import onnxruntime

    network = make_network(stages=1).licensed("MIT")
    network.to_onnx(tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    about = session.get_modelmeta().custom_metadata_map
    assert about["classes"] == '["ant", "bee", "cat", "dog"]'
    assert about["license"] == "MIT"
    (given,) = session.get_inputs()
    assert (given.name, given.type, given.shape[1:]) == ("inputs", "tensor(uint8)", [2, 8, 8])


def test_floats_stay_floats(make_network, tmp_path):
    """A network of measurements would take bytes."""
    import onnxruntime

    signature = Signature(outputs="classes", count=4, input_type="float32")
    network = make_network("vectors", stages=2, signature=signature, shape=(6,))
    network.to_onnx(tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    x = torch.randn(5, 6, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        agree(session.run(None, {"inputs": x.numpy()})[0], network(x))


def test_a_missing_library_is_named(make_network, monkeypatch, tmp_path):
    """A user would meet a traceback instead of the command that installs it."""
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ModelError, match=r"pip install 'pathnet-evo\[onnx\]'"):
        make_network(stages=1).to_onnx(tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


class Untraceable(Linear):
    """Asks for the value of a sum, which no graph has."""

    power: float = Field(1.0)

    def forward(self, x, parameters):
        """As its base, if the sum is positive."""
        out = super().forward(x, parameters)
        return out if float(x.sum()) > 0 else -out


def test_a_kind_that_cannot_be_traced_is_named(make_network, tmp_path):
    """The author of a module kind would not know which one is in the way."""
    network = make_network(stages=1)
    network.kinds[1] = Untraceable(units=4)
    for use in (network.to_exported, lambda: network.to_onnx(tmp_path / "m.onnx")):
        with pytest.raises(ModelError, match=r"cannot export its modules \(.*Untraceable") as told:
            use()
        assert len(str(told.value).splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_a_file_that_disagrees_is_not_written(make_network, monkeypatch, tmp_path):
    """The promise of equal outputs would be a hope."""
    import onnxruntime

    class Wrong(onnxruntime.InferenceSession):
        def run(self, *arguments):
            return [np.float32(1.01) * found for found in super().run(*arguments)]

    monkeypatch.setattr(onnxruntime, "InferenceSession", Wrong)
    with pytest.raises(ModelError, match="other outputs than torch"):
        make_network(stages=1).to_onnx(tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())
