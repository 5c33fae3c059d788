"""What AffinityNet learns from: the dense CRF of the maps at both alphas (docs/methods/affinitynet.md)."""

import pytest
import torch

from weakseg.data.classmaps import load_levels, load_maps
from weakseg.data.images import read_image
from weakseg.ops.densecrf.crf import PRESETS, dense_crf, unary_from_scores
from weakseg.ops.maps import resize_maps, with_background


@pytest.mark.parametrize(("name", "alpha"), [("low", 4.0), ("high", 32.0)])
@pytest.mark.parametrize("photo", ["p4", "deep.name"])
def test_seeds_are_the_dense_crf_of_the_maps(finished_run, name, alpha, photo):
    maps = load_maps(finished_run.folder / "localize" / "maps" / f"{photo}.safetensors")
    seeds = load_levels(finished_run.folder / "relate" / f"seeds_{name}" / f"{photo}.npz")
    image = read_image(finished_run.photos / "JPEGImages" / f"{photo}.jpg")
    scores = with_background(resize_maps(maps.scores, maps.size), alpha)
    expected = dense_crf(image, unary_from_scores(scores), PRESETS["psa"])
    assert seeds.classes == (0, *maps.classes)
    torch.testing.assert_close(seeds.scores, expected, rtol=0, atol=0.5001 / 255)  # bytes on disk
