from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from weakseg.errors import WeaksegError
from weakseg.models.segmentation import SegmentationNet
from weakseg.ops.crf import PRESETS, dense_crf, unary_from_scores
from weakseg.pipeline.loading import load_recipe
from weakseg.pipeline.recipe import PredictSection
from weakseg.pipeline.segmenting import segment_photo

CPU = torch.device("cpu")


@pytest.fixture
def image() -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.default_rng(0).integers(0, 256, (30, 44, 3)).astype(np.uint8)


class Network(SimpleNamespace):
    """Colours are logits, at half the view's size; notes the views that it sees."""

    def __call__(self, views: Tensor) -> Tensor:
        self.seen.append(tuple(views.shape))
        return F.avg_pool2d(views, 2)


def network() -> SegmentationNet:
    return cast(SegmentationNet, Network(mean=(0.5, 0.5, 0.5), std=(0.2, 0.2, 0.2), seen=[]))


def test_the_mean_of_scales_and_flips(image: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> None:
    model = network()
    found = segment_photo(model, image, PredictSection(scales=(1.0, 0.5), flip=True), CPU)
    assert cast(Network, model).seen == [(2, 3, 30, 44), (2, 3, 15, 22)]
    single, half = (segment_photo(network(), image, PredictSection(scales=(s,), flip=False), CPU) for s in (1.0, 0.5))
    # Logits are known up to a constant per pixel, which a softmax does not see.
    torch.testing.assert_close(found, ((single.log() + half.log()) / 2).softmax(dim=0))
    torch.testing.assert_close(segment_photo(network(), image, PredictSection(flip=True), CPU), single)
    pixels = (torch.from_numpy(image).permute(2, 0, 1)[None] / 255 - 0.5) / 0.2
    expected = F.interpolate(F.avg_pool2d(pixels, 2), (30, 44), mode="bilinear")[0].softmax(dim=0)
    torch.testing.assert_close(single, expected)


def test_a_dense_crf_refines_the_probabilities(image: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> None:
    plain = segment_photo(network(), image, PredictSection(), CPU)
    refined = segment_photo(network(), image, PredictSection(crf="deeplabv1"), CPU)
    assert torch.equal(refined, dense_crf(image, unary_from_scores(plain), PRESETS["deeplabv1"]))
    assert (refined.argmax(0) != plain.argmax(0)).any()


def test_the_recipe_names_a_preset() -> None:
    assert load_recipe("irnet", overrides=("predict.crf=deeplabv2",)).predict.crf == "deeplabv2"
    with pytest.raises(WeaksegError, match=r"predict\.crf: unknown dense CRF preset 'best'; available: psa"):
        load_recipe("irnet", overrides=("predict.crf=best",))
