"""Photos longer than data.long_side: worked on at that size, with masks of the photos' own."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image

import tiny
from weakseg.data.classmaps import load_maps
from weakseg.data.images import read_mask, resize_image, resize_mask, working_size
from weakseg.data.sample import Sample
from weakseg.ops.tiles import enlarged
from weakseg.segmentation.inference import PredictSettings, at_working_size


@pytest.fixture(scope="module")
def shrunk(tmp_path_factory: pytest.TempPathFactory):
    root = tmp_path_factory.mktemp("shrunk")
    photos = tiny.write_photos(root / "photos")
    ended = tiny.weakseg(*tiny.run_arguments(photos, root / "run"), "data.long_side=40")
    assert ended.code == 0, ended.err
    return root / "run", photos, ended


def test_maps_have_the_working_size_and_masks_the_photos(shrunk) -> None:
    run, photos, _ = shrunk
    for path in sorted((run / "refine" / "masks").glob("*.png")):
        with Image.open(photos / "JPEGImages" / f"{path.stem}.jpg") as photo:
            width, height = photo.size
        assert max(height, width) > 40
        assert load_maps(run / "localize" / "maps" / f"{path.stem}.safetensors").size == working_size(
            (height, width), 40
        )
        assert read_mask(path).shape == (height, width)
        assert read_mask(run / "refine" / "confidence" / path.name).shape == (height, width)
    for path in (run / "predict" / "masks").glob("*.png"):
        with Image.open(photos / "JPEGImages" / f"{path.stem}.jpg") as photo:
            assert read_mask(path).shape == photo.size[::-1]


def test_the_run_and_its_manifest_say_so(shrunk) -> None:
    run, _, ended = shrunk
    manifest = json.loads((run / "manifest.json").read_text())
    assert manifest["working_size"]["long_side"] == 40
    assert manifest["working_size"]["reduced"] == manifest["lists"]["train"]["images"]
    assert "longer than 40 px" in " ".join((ended.out + ended.err).split())
    assert manifest["metrics"]["localize"]["images"] > 0
    assert not manifest["metrics"]["localize"]["left_out"]


def test_smaller_photos_are_read_as_they_are() -> None:
    picture = np.random.default_rng(0).integers(0, 255, (30, 40, 3), dtype=np.uint8)
    for long_side in (None, 40, 640):
        assert np.array_equal(Sample("a", lambda: picture, (), long_side=long_side).read_image(), picture)
    assert Sample("a", lambda: picture, (), long_side=20).read_image().shape == (15, 20, 3)
    assert Sample("a", lambda: picture, (), long_side=20).photo_size() == (30, 40)


@pytest.mark.parametrize("size", [(61, 80), (123, 77), (300, 401)])
def test_a_mask_comes_back_from_the_photos_size(size) -> None:
    mask = np.random.default_rng(1).integers(0, 9, (40, 51), dtype=np.uint8)
    assert np.array_equal(resize_mask(resize_mask(mask, size), (40, 51)), mask)
    assert resize_image(np.zeros((*size, 3), np.uint8), (40, 51)).shape == (40, 51, 3)


def test_scores_in_strips_are_those_of_one_resize(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("weakseg.ops.tiles.STRIP", 500)
    scores = torch.rand(3, 20, 30, generator=torch.Generator().manual_seed(0))
    whole = torch.nn.functional.interpolate(scores[None], (77, 91), mode="bilinear")[0]
    torch.testing.assert_close(torch.cat(list(enlarged(scores, (77, 91))), dim=1), whole, rtol=0, atol=1e-5)


def test_scales_are_factors_of_the_working_size() -> None:
    section = PredictSettings(scales=(0.5, 1.0))
    assert at_working_size(section, (300, 400), 640).scales == (0.5, 1.0)
    assert at_working_size(section, (300, 400), None).scales == (0.5, 1.0)
    assert at_working_size(section, (3024, 4032), 640).scales == pytest.approx((0.5 * 640 / 4032, 640 / 4032))
