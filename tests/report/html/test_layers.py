"""Layers over a photo as small pictures."""

import base64
import io

import numpy as np
import pytest
import torch
from PIL import Image

from weakseg.data.classmaps import ClassMaps
from weakseg.data.images import voc_palette
from weakseg.data.sample import Classes
from weakseg.report.html.layers import SIZES, STEPS, encoded, map_layer, mask_layer

CLASSES = Classes(("cat", "cow", "dog"), (8, 10, 12), voc_palette())


def picture(uri):
    kind, content = uri.split(";base64,")
    image = Image.open(io.BytesIO(base64.b64decode(content)))
    assert kind == f"data:image/{image.format.lower()}"
    return image


def test_masks_have_the_data_s_colours_and_a_clear_background():
    labels = np.kron(np.uint8([[0, 1], [3, 255]]), np.ones((20, 30), np.uint8))
    found = picture(encoded(np.zeros((40, 60, 3), np.uint8), {"mask": mask_layer(labels, CLASSES)}, 10_000)["mask"])
    pixels = np.asarray(found.convert("RGBA"))
    assert found.mode == "P"
    assert pixels[0, 0, 3] == 0
    assert tuple(pixels[0, 59]) == (*voc_palette()[8], 255)
    assert tuple(pixels[39, 0]) == (*voc_palette()[12], 255)
    assert tuple(pixels[39, 59]) == (255, 255, 255, 255)


def test_a_map_is_as_opaque_as_its_strongest_class_is_strong():
    scores = torch.zeros(3, 2, 3)
    scores[1, 0, 0], scores[2, 0, 0] = 0.25, 1.0  # of cow and dog, as the background's channel comes first
    scores[0] = 1.0
    scores[1, 1, 2] = 0.5
    layer = map_layer(ClassMaps((0, 2, 3), scores, (2, 3)), CLASSES, (2, 3))
    seen = [[layer.colours[index] for index in row] for row in layer.indices]
    assert seen[0][0] == (*voc_palette()[12], 255)
    assert seen[1][2] == (*voc_palette()[10], round(255 * 0.5))
    assert seen[0][1][3] == 0


@pytest.mark.parametrize("count", [1, 21, 100, 253])
def test_maps_of_any_number_of_classes_fit_into_a_palette(count):
    classes = Classes(tuple(map(str, range(count))), tuple(range(1, count + 1)), voc_palette())
    scores = torch.rand(count, 5, 6, generator=torch.Generator().manual_seed(0))
    layer = map_layer(ClassMaps(tuple(range(1, count + 1)), scores, (5, 6)), classes, (5, 6))
    assert layer.indices.max() < len(layer.colours) <= 255
    assert len(layer.colours) <= 1 + count * STEPS
    strongest = scores.argmax(dim=0).numpy()
    for row, column in np.ndindex(5, 6):
        colour = layer.colours[layer.indices[row, column]]
        assert colour[3] == 0 or colour[:3] == voc_palette()[strongest[row, column] + 1]


def test_a_photo_without_tags_has_a_clear_map():
    layer = map_layer(ClassMaps((), torch.zeros(0, 2, 3), (20, 30)), CLASSES, (8, 12))
    assert layer.indices.shape == (8, 12)
    assert [colour[3] for colour in layer.colours] == [0]


@pytest.mark.parametrize("room", [1_000_000, 60_000, 25_000, 12_000])
def test_files_are_as_large_as_the_room_allows(room):
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 256, (600, 800, 3), dtype=np.uint8)
    layers = {name: mask_layer(rng.integers(0, 4, (600, 800), dtype=np.uint8), CLASSES) for name in "abc"}
    found = encoded(photo, layers, room)
    sizes = {picture(uri).size for uri in found.values()}
    assert set(found) == {"photo", *layers}
    assert sum(map(len, found.values())) <= room
    assert len(sizes) == 1
    assert max(sizes.pop()) == SIZES[0] or room < 1_000_000


def test_less_room_makes_smaller_pictures_and_no_room_the_smallest():
    photo = np.random.default_rng(0).integers(0, 256, (600, 800, 3), dtype=np.uint8)
    sides = [max(picture(encoded(photo, {}, room)["photo"]).size) for room in (500_000, 40_000, 10_000, 1)]
    assert sides == sorted(sides, reverse=True)
    assert (sides[0], sides[-1]) == (SIZES[0], SIZES[-1])


def test_a_small_photo_is_not_made_larger():
    assert picture(encoded(np.zeros((30, 20, 3), np.uint8), {}, 10_000)["photo"]).size == (20, 30)
