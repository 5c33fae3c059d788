import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from weakseg.errors import WeaksegError
from weakseg.ops.densecrf.crf import PRESETS, dense_crf, unary_from_scores
from weakseg.pipeline.networks import segmentation_network
from weakseg.recipes.loading import load_recipe
from weakseg.segmentation import inference as segmenting
from weakseg.segmentation.deeplabv3plus import DeepLabV3Plus
from weakseg.segmentation.inference import PredictSettings, probabilities, segment_photo

CPU = torch.device("cpu")


@pytest.fixture
def image() -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.default_rng(0).integers(0, 256, (30, 44, 3)).astype(np.uint8)


class Network(SimpleNamespace):
    """Colours are logits, at half the view's size; notes the views that it sees."""

    def __call__(self, views: Tensor) -> Tensor:
        self.seen.append(tuple(views.shape))
        return F.avg_pool2d(views, 2)


def network() -> DeepLabV3Plus:
    return cast(DeepLabV3Plus, Network(mean=(0.5, 0.5, 0.5), std=(0.2, 0.2, 0.2), seen=[]))


def test_the_mean_of_scales_and_flips(image: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> None:
    model = network()
    found = probabilities(model, image, PredictSettings(scales=(1.0, 0.5), flip=True), CPU)
    assert cast(Network, model).seen == [(2, 3, 30, 44), (2, 3, 15, 22)]
    single, half = (probabilities(network(), image, PredictSettings(scales=(s,), flip=False), CPU) for s in (1.0, 0.5))
    # Logits are known up to a constant per pixel, which a softmax does not see.
    torch.testing.assert_close(found, ((single.log() + half.log()) / 2).softmax(dim=0))
    torch.testing.assert_close(probabilities(network(), image, PredictSettings(flip=True), CPU), single)
    pixels = (torch.from_numpy(image).permute(2, 0, 1)[None] / 255 - 0.5) / 0.2
    expected = F.interpolate(F.avg_pool2d(pixels, 2), (30, 44), mode="bilinear")[0].softmax(dim=0)
    torch.testing.assert_close(single, expected)


def test_a_dense_crf_refines_the_probabilities(image: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> None:
    plain = probabilities(network(), image, PredictSettings(), CPU)
    refined = probabilities(network(), image, PredictSettings(crf="deeplabv1"), CPU)
    assert torch.equal(refined, dense_crf(image, unary_from_scores(plain), PRESETS["deeplabv1"]))
    assert (refined.argmax(0) != plain.argmax(0)).any()


def test_labels_are_those_of_the_highest_probability(image: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> None:
    section = PredictSettings(scales=(1.0, 0.5), flip=True)
    found, scores = segment_photo(network(), image, section, CPU), probabilities(network(), image, section, CPU)
    assert torch.equal(found.labels, scores.argmax(dim=0).byte())
    assert torch.equal(found.confidence, scores.amax(dim=0))


@pytest.mark.parametrize("crf", [None, "deeplabv1"])
def test_labels_that_are_not_held_win_no_pixel(
    image: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], crf: str | None
) -> None:
    section = PredictSettings(crf=crf)
    found = segment_photo(network(), image, section, CPU, held=[0, 2])
    assert set(found.labels.unique().tolist()) == {0, 2}
    if crf is None:
        scores = probabilities(network(), image, section, CPU)[[0, 2]]
        assert torch.equal(found.labels, 2 * scores.argmax(dim=0).byte())
        torch.testing.assert_close(found.confidence, scores.amax(dim=0) / scores.sum(dim=0))


@pytest.mark.slow
@pytest.mark.parametrize("crf", [None, "deeplabv2"])
def test_tiles_give_the_labels_of_the_whole(monkeypatch: pytest.MonkeyPatch, animals: Path, crf: str | None) -> None:
    torch.manual_seed(0)
    overlay = ["segment.backbone.name=test_resnet", "segment.backbone.weights=none"]
    model = segmentation_network(load_recipe("supervised", ["small"], overlay), 6, pretrained=False).eval()
    photo = next(iter(sorted((animals / "JPEGImages").glob("*.jpg"))))
    large = np.asarray(Image.open(photo).convert("RGB").resize((1400, 1000)))
    section = PredictSettings(scales=(1.0,), flip=True, crf=crf)
    whole = segment_photo(model, large, section, CPU)
    monkeypatch.setattr(segmenting, "WHOLE", 100_000)
    tiled = segment_photo(model, large, section, CPU)
    assert (tiled.labels == whole.labels).float().mean() >= 0.995
    assert set(segment_photo(model, large, section, CPU, held=[0, 3]).labels.unique().tolist()) <= {0, 3}


MEASURE = """
import resource, sys
import numpy as np, torch
from weakseg.recipes.loading import load_recipe
from weakseg.pipeline.networks import segmentation_network
from weakseg.segmentation.inference import PredictSettings, segment_photo
from weakseg.training.device import keep_freed_memory
keep_freed_memory()
torch.set_num_threads(1)
recipe = load_recipe("affinitynet", ["small"], [])
model = segmentation_network(recipe, 6, pretrained=False).eval()
photo = np.random.default_rng(0).integers(0, 256, (3024, 4032, 3), dtype=np.uint8)
section = PredictSettings(scales=(1.25,), flip=True)
found = segment_photo(model, photo, section, torch.device("cpu"))
assert found.labels.shape == (3024, 4032)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.mark.slow
def test_12_megapixels_take_less_than_3_gib() -> None:
    ended = subprocess.run([sys.executable, "-c", MEASURE], capture_output=True, text=True, check=True)
    assert int(ended.stdout) < 3 * 1024


def test_the_recipe_names_a_preset() -> None:
    assert load_recipe("irnet", overrides=("predict.crf=deeplabv2",)).predict.crf == "deeplabv2"
    with pytest.raises(WeaksegError, match=r"predict\.crf: unknown dense CRF preset 'best'; available: psa"):
        load_recipe("irnet", overrides=("predict.crf=best",))
