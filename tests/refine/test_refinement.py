from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from weakseg.data.classmaps import ClassMaps
from weakseg.methods.affinitynet.affinity import Reduction, feature_affinity
from weakseg.methods.irnet.boundary_walk import enlarge, walk_within
from weakseg.ops.densecrf.crf import PRESETS, dense_crf, unary_from_labels, unary_from_scores
from weakseg.ops.pamr import pamr
from weakseg.ops.random_walk import random_walk
from weakseg.ops.views import photo_tensor, scaled_view
from weakseg.pipeline.networks import affinity_network
from weakseg.pipeline.refinement import build_refinement
from weakseg.recipes.loading import load_recipe
from weakseg.refine.background import add_background
from weakseg.refine.base import Refine
from weakseg.refine.registry import to_mask
from weakseg.training.checkpoint import save_weights

Golden = Callable[[str], dict[str, NDArray[Any]]]
CPU = torch.device("cpu")


@pytest.fixture
def within(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Refine]:
    """``within(boundary, *overrides)``: the refinements of irnet with a network that sees this boundary everywhere."""

    def build(boundary: Tensor, *overrides: str) -> Refine:
        class Network:
            def maps(self, photo: Tensor) -> tuple[Tensor, None]:
                assert (-(-photo.shape[1] // 4), -(-photo.shape[2] // 4)) == boundary.shape
                return boundary, None

        monkeypatch.setattr("weakseg.pipeline.refinement.affinity_network", lambda *_, **__: None)
        monkeypatch.setattr("weakseg.pipeline.refinement.trained", lambda *_: Network())
        return build_refinement(load_recipe("irnet", overrides=overrides), Path("none"), CPU)

    return build


def noise(classes: tuple[int, ...], size: tuple[int, int]) -> tuple[NDArray[Any], ClassMaps]:
    """A photo and maps of its size without any structure."""
    image = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)
    scores = torch.rand(len(classes), *size, generator=torch.Generator().manual_seed(0))
    return image, ClassMaps(classes, scores, size)


def test_the_recipe_irnet_makes_the_released_labels(golden: Golden, within: Callable[..., Refine]) -> None:
    data = {key: torch.from_numpy(value) for key, value in golden("irn_sem_seg").items()}
    refine = within(data["edge"][0])
    photo, maps = np.zeros((61, 78, 3), np.uint8), ClassMaps((4, 9), data["cam"], (61, 78))
    assert torch.equal(to_mask(refine(photo, maps))[0], data["rw_pred"].byte())
    # What a method says of the background does not count, not even as the strongest score.
    own = ClassMaps((0, 4, 9), torch.cat([torch.full((1, 16, 20), 5.0), data["cam"]]), (61, 78))
    assert torch.equal(refine(photo, own).scores, refine(photo, maps).scores)


def test_maps_with_their_own_background_walk_with_it(within: Callable[..., Refine]) -> None:
    """SIPE: all channels to the power 1.5 walk, the strongest wins."""
    torch.manual_seed(0)
    boundary, scores = torch.rand(8, 10), torch.rand(3, 8, 10)
    refine = within(boundary, "refine.background={rule: own, weight: 1.0}", "refine.boundary_walk.power=1.5")
    maps = ClassMaps((0, 2, 7), scores, (30, 38))
    labels, confidence = to_mask(refine(np.zeros((30, 38, 3), np.uint8), maps))
    expected = enlarge(walk_within(scores**1.5, boundary, radius=5, beta=10, log2_steps=8), (30, 38))
    assert torch.equal(labels, torch.tensor([0, 2, 7], dtype=torch.uint8)[expected.argmax(dim=0)])
    torch.testing.assert_close(confidence, expected.amax(dim=0) / expected.sum(dim=0))


def test_pamr_and_crf_follow_in_their_order() -> None:
    image, maps = noise((0, 2, 7), (30, 38))
    section = "refine.pamr={iterations: 3, dilations: [1, 2], kernel: gaussian}"
    steps = ("refine.steps=[background, pamr, crf]", "refine.background={rule: own, weight: 1.0}")
    recipe = load_recipe("sipe", overrides=(*steps, section, "refine.crf.preset=irn"))
    photo = torch.from_numpy(image).permute(2, 0, 1)[None] / 255
    refined = pamr(photo, maps.scores[None], iterations=3, dilations=(1, 2), kernel="gaussian")[0]
    expected = dense_crf(image, unary_from_scores(refined), PRESETS["irn"])
    assert torch.equal(build_refinement(recipe, Path("none"), CPU)(image, maps).scores, expected)


def test_a_crf_with_a_certainty_starts_from_labels() -> None:
    """As SIPE's and AE-SIPE's "+ DenseCRF"."""
    image, maps = noise((0, 2, 7), (30, 38))
    crf = "refine.crf={preset: irn, certainty: 0.7}"
    steps = ("refine.steps=[background, crf]", "refine.background={rule: own, weight: 1.0}")
    refined = build_refinement(load_recipe("sipe", overrides=(*steps, crf)), Path("none"), CPU)(image, maps).scores
    assert torch.equal(refined, dense_crf(image, unary_from_labels(maps.scores.argmax(0), 3, 0.7), PRESETS["irn"]))


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_the_walk_takes_the_distance_that_was_trained(tmp_path: Path, reduction: Reduction) -> None:
    names = ("backbone={name: test_resnet, weights: none, output_stride: 16, dilation: false}",)
    steps = ("refine.steps=[background, walk]", "refine.walk.border=all")
    recipe = load_recipe("affinitynet", overrides=(*names, *steps, f"relate.affinitynet.reduction={reduction}"))
    net = affinity_network(recipe, pretrained=False).eval()
    save_weights(tmp_path / "weights.safetensors", net)
    image, maps = noise((2, 7), (64, 96))
    with torch.no_grad():
        found = build_refinement(recipe, tmp_path / "weights.safetensors", CPU)(image, maps).scores
        features = net(scaled_view(photo_tensor(torch.from_numpy(image)), 1.0, net.mean, net.std)[None])
    affinity, other = (
        feature_affinity(features, 5, reduction=way)[0] for way in (reduction, *{"mean", "sum"} - {reduction})
    )
    assert (affinity - other).abs().max() > 0.1
    pooled = F.avg_pool2d(add_background(maps, recipe.refine.background).scores, 8)
    walked = random_walk(pooled, affinity, radius=5, beta=8, log2_steps=8)
    torch.testing.assert_close(found, F.interpolate(walked[None], scale_factor=8.0, mode="bilinear")[0])


def test_a_photo_without_tags_is_not_looked_at(within: Callable[..., Refine]) -> None:
    refine = within(torch.zeros(1, 1))
    labels, confidence = to_mask(
        refine(np.zeros((30, 38, 3), np.uint8), ClassMaps((), torch.zeros(0, 8, 10), (30, 38)))
    )
    assert not labels.any()
    assert (confidence == 1).all()
