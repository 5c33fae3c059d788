"""The ONNX file answers as torch does, and its card says what the manifest knows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

import tiny
from conftest import FinishedRun
from weakseg.data.sample import Classes
from weakseg.exporters.command import export
from weakseg.exporters.formats import onnx
from weakseg.exporters.formats.card import model_card
from weakseg.exporters.formats.deployed import Deployed
from weakseg.pipeline.networks import segmentation_network
from weakseg.pipeline.rundir.run import Run
from weakseg.segmentation.networks import build_segmentation
from weakseg.training.checkpoint import trained

SIZES = [(1, 64, 64), (3, 50, 75), (1, 1, 1), (2, 17, 200), (1, 240, 130)]


def photos(size: tuple[int, int, int]) -> np.ndarray:
    return np.random.default_rng(sum(size)).integers(0, 256, (*size, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def exported(finished_run: FinishedRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(finished_run.folder, "onnx", tmp_path_factory.mktemp("onnx") / "out").folder


@pytest.fixture(scope="module")
def session(exported: Path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(exported / "network.onnx", providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("size", SIZES)
@torch.no_grad()
def test_onnxruntime_equals_torch(
    session: onnxruntime.InferenceSession, finished_run: FinishedRun, size: tuple[int, int, int]
) -> None:
    run = Run(finished_run.folder)
    network = segmentation_network(run.read_recipe(), 3, pretrained=False)
    trained(network, run.weights_path("segment"), torch.device("cpu"))
    images = photos(size)
    # Without anything of the exporter: the network as the run has it, on photos that are normalised here.
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (network.mean, network.std))
    expected = network((torch.from_numpy(images).permute(0, 3, 1, 2) / 255 - mean) / std).softmax(dim=1)
    probabilities, labels = session.run(None, {"images": images})
    np.testing.assert_allclose(probabilities, expected.numpy(), atol=1e-3)
    assert (labels == expected.argmax(dim=1).numpy()).mean() >= 0.999
    assert labels.dtype == np.uint8


def test_the_metadata_tell_what_the_graph_cannot(session: onnxruntime.InferenceSession) -> None:
    about = {name: json.loads(value) for name, value in session.get_modelmeta().custom_metadata_map.items()}
    assert about["names"] == ["background", *tiny.CLASSES]
    assert about["values"] == [0, *tiny.CLASSES.values()]
    assert (about["long_side"], about["scale"], about["flip"]) == (640, 0.5, False)
    assert len(about["colours"]) == 4


@torch.no_grad()
def test_the_default_network_mirrored(tmp_path: Path) -> None:
    """DeepLabV3+ on tf_efficientnet_lite0, whose convolutions reckon their padding from the size."""
    torch.manual_seed(0)
    settings = {"backbone_name": "tf_efficientnet_lite0", "n_labels": 5, "weights": "packaged"}
    network = build_segmentation("deeplabv3plus", **settings).eval()
    images = torch.from_numpy(photos((1, 75, 110)))
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (network.mean, network.std))
    normal = (images.permute(0, 3, 1, 2) / 255 - mean) / std
    expected = ((network(normal) + network(normal.flip(-1)).flip(-1)) / 2).softmax(dim=1)
    onnx._write(Deployed(network, flip=True), tmp_path / "n.onnx", {"names": "[]"})
    session = onnxruntime.InferenceSession(tmp_path / "n.onnx", providers=["CPUExecutionProvider"])
    probabilities, labels = session.run(None, {"images": images.numpy()})
    np.testing.assert_allclose(probabilities, expected.numpy(), atol=1e-3)
    assert (labels == expected.argmax(dim=1).numpy()).mean() >= 0.999


def test_a_file_that_answers_otherwise_is_not_kept(
    finished_run: FinishedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = onnx._answers
    monkeypatch.setattr(onnx, "_answers", lambda deployed: [(p * 0.9, labels) for p, labels in answers(deployed)])
    line = tiny.error_line(tiny.weakseg("export", finished_run.folder, "--to", "onnx", "--out", tmp_path / "out"))
    assert "the network deeplabv3plus on test_resnet gives other results as ONNX (probabilities differ by" in line
    assert "use it by weakseg.load_segmenter" in line
    assert not list(tmp_path.iterdir())


def test_the_card_of_a_run(exported: Path) -> None:
    card = (exported / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "| 2 | cow | 10 |" in card
    assert "- List train: 9 photos." in card
    assert "Supervision: tags of whole images alone, no masks" in card
    assert "What masks were used to choose: nothing" in card
    assert "On 3 photos of the list val, against their true masks" in card
    assert "Weights that segment started from: network test_resnet, weights none" in card


def test_the_card_of_a_run_with_other_facts() -> None:
    manifest = {
        "weakseg": "1",
        "recipe": "x",
        "seed": 3,
        "data": "csv:x.csv",
        "finished": None,
        "warnings": ["few photos"],
    }
    manifest |= {"masks_used": {"for_training": True, "for_choosing": "a threshold"}, "left_out": ["a"]}
    about = {"names": '["background"]', "long_side": "null", "scale": "1.0", "flip": "true", "levels": "[3, 700]"}
    card = model_card(manifest, Classes(("cat",), (1,), ()), about, ["it is slow"])
    for line in (
        "Not measured: the run had no validation photos with ground truth.",
        "Supervision: ground-truth masks",
        "to choose: a threshold",
        "3 is black and 700 white",
        "- It is slow.",
        "few photos",
        "Nobody has measured it",
        "looked at at its own size",
    ):
        assert line in card
    assert "Masks learnt from tags" not in card
    manifest |= {"masks_used": {"for_training": False}, "taken": {"maps": None, "masks": "theirs"}}
    card = model_card(manifest, Classes(("cat",), (1,), ()), about, [])
    assert "tags of whole images, and what another code has made: masks of `theirs` (what that has seen" in card
