"""Class maps as the codes of the papers write them, by numpy and torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from weakseg.data.classmaps import ClassMaps, save_maps
from weakseg.data.givenmaps import read_given_maps
from weakseg.data.images import voc_palette
from weakseg.data.labels import VOC_NAMES
from weakseg.data.sample import Classes
from weakseg.errors import WeaksegError

VOC = Classes(VOC_NAMES, tuple(range(1, 21)), voc_palette())
ANIMALS = Classes(("cat", "cow", "dog"), (8, 10, 12), voc_palette())
TAGS = ("dog", "cat")
SIZE = (30, 41)
COARSE = (8, 11)
CAT, DOG = 7, 11  # numbers from 0
RANDOM = np.random.default_rng(0)


def maps(count: int, size: tuple[int, int] = SIZE) -> Any:
    return RANDOM.random((count, *size), dtype=np.float32)


def read(folder: Path, content: Any, classes: Classes = VOC, tags: tuple[str, ...] = TAGS, **options: Any) -> ClassMaps:
    np.save(folder / "x.npy", content, allow_pickle=True)
    return read_given_maps(folder / "x.npy", tags, classes, SIZE, **options)


def check(found: ClassMaps, labels: tuple[int, ...], scores: Any) -> None:
    assert found.classes == labels
    assert found.size == SIZE
    np.testing.assert_array_equal(found.scores.numpy(), scores)


def test_maps_by_class_of_psa_seam_and_cpn(tmp_path: Path) -> None:
    cat, dog = maps(2)
    check(read(tmp_path, {CAT: cat, DOG: dog}), (8, 12), [cat, dog])
    check(read(tmp_path, {DOG: dog, CAT: cat}, ANIMALS), (1, 3), [cat, dog])
    check(read(tmp_path, {np.int64(CAT): cat.astype(np.float16), DOG: dog}), (8, 12), [cat.astype(np.float16), dog])


def test_scores_of_psas_crf_have_the_background_as_0(tmp_path: Path) -> None:
    background, cat, dog = maps(3)
    check(read(tmp_path, {0: background, CAT + 1: cat, DOG + 1: dog}), (0, 8, 12), [background, cat, dog])


@pytest.mark.parametrize("tags", [("aeroplane",), ("aeroplane", "bicycle"), ("bicycle",), ("aeroplane", "bird")])
def test_0_is_the_first_class_or_the_background_as_the_tags_tell(tmp_path: Path, tags: tuple[str, ...]) -> None:
    numbers = [VOC_NAMES.index(tag) for tag in tags]
    scores = maps(len(tags) + 1)
    labels = tuple(number + 1 for number in numbers)
    check(read(tmp_path, dict(zip(numbers, scores[1:], strict=True)), tags=tags), labels, scores[1:])
    check(read(tmp_path, dict(zip((0, *labels), scores, strict=True)), tags=tags), (0, *labels), scores)


def test_tags_that_differ_from_the_maps(tmp_path: Path) -> None:
    with pytest.raises(WeaksegError, match=r"x\.npy: classes \[3\] fit the photo's tags neither .*do the tags"):
        read(tmp_path, {3: maps(1)[0]})
    with pytest.raises(WeaksegError, match=r"no map of dog, which the photo is tagged with"):
        read(tmp_path, {"keys": np.array([CAT]), "cam": maps(1, COARSE), "high_res": maps(1)})


@pytest.mark.parametrize("kind", [torch.tensor, np.array], ids=["irn", "vwe"])
def test_keys_cam_and_high_res_of_irnet_and_vwe(tmp_path: Path, kind: Any) -> None:
    coarse, fine = maps(3, COARSE), maps(3)
    content = {"keys": kind([2, CAT, DOG]), "cam": kind(coarse), "high_res": fine}
    check(read(tmp_path, content), (8, 12), coarse[1:])
    check(read(tmp_path, content, fine=True), (8, 12), fine[1:])
    check(read(tmp_path, content, ANIMALS), (1, 3), coarse[1:])
    del content["cam"]
    check(read(tmp_path, content), (8, 12), fine[1:])


def test_sipe_counts_the_background(tmp_path: Path) -> None:
    scores = maps(3)
    content = {"keys": np.array([0, CAT + 1, DOG + 1]), "IS_CAM": scores}
    check(read(tmp_path, content), (0, 8, 12), scores)


def test_photos_without_tags_have_no_maps(tmp_path: Path) -> None:
    for content in ({}, {"keys": np.zeros(0, int), "cam": maps(0, COARSE)}, {CAT: maps(1)[0]}):
        assert read(tmp_path, content, tags=()).classes == ()


def test_weaksegs_own(tmp_path: Path) -> None:
    scores = torch.rand(3, *COARSE).half().float()
    save_maps(tmp_path / "x.safetensors", ClassMaps((0, 8, 12), scores, SIZE))
    check(read_given_maps(tmp_path / "x.safetensors", ("cat",), VOC, SIZE), (0, 8), scores[:2])


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (maps(2), "no class maps; known are a dict of maps by class"),
        ({"a": 1}, "a dict with a; known are"),
        ({"keys": np.array([CAT, DOG])}, "neither cam, high_res nor IS_CAM"),
        ({"keys": np.array([CAT]), "cam": maps(2)}, "1 keys, but 2 maps in cam"),
        ({CAT: maps(1)[0], DOG: maps(1, COARSE)[0]}, "maps must be numbers of one size"),
        ({CAT: maps(1, (41, 30))[0], DOG: maps(1, (41, 30))[0]}, "maps of 30x41 do not fit a photo of 41x30"),
        ({CAT: 255 * maps(1)[0], DOG: maps(1)[0]}, r"scores go from .* normalised to 0\.\.1"),
        ({CAT: maps(1)[0] * np.float32("nan"), DOG: maps(1)[0]}, "scores go from nan"),
    ],
    ids=str,
)
def test_files_that_are_none(tmp_path: Path, content: Any, match: str) -> None:
    with pytest.raises(WeaksegError, match=match):
        read(tmp_path, content)
