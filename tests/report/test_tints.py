"""Masks, maps and colours drawn over photos."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weakseg.data.images import resize_mask, voc_palette
from weakseg.report.tints import fitted, heat, masked, mosaic, other_colours

PALETTE = voc_palette()
COLOURS = st.tuples(*[st.integers(0, 255)] * 3)


def distance(one, two):
    return np.linalg.norm(np.subtract(one, two))


@pytest.mark.parametrize("count", [1, 20, 60])
def test_objects_have_no_class_s_colour(count):
    classes = [PALETTE[value] for value in range(1, count + 1)]
    free = other_colours(classes, 24)
    assert len(set(free)) == 24
    assert min(distance(one, two) for one in free for two in [*classes, (0, 0, 0), (255, 255, 255)]) > 25


@given(st.lists(COLOURS, max_size=30))
def test_the_first_colours_are_as_far_from_the_classes_as_any(taken):
    first, second = other_colours(taken, 2)
    far = [min((distance(colour, other) for other in taken), default=999) for colour in (first, second)]
    assert first != second
    assert far[0] > 0 or not taken


def test_areas_have_their_colour_and_an_outline():
    photo = np.full((20, 30, 3), (200, 40, 0), np.uint8)
    mask = np.zeros((20, 30), np.uint8)
    mask[4:16, 5:20] = 8
    mask[:2] = 255
    drawn = masked(photo, mask, PALETTE)
    assert (drawn[18, 25] == 80).all()  # the photo's grey
    assert tuple(drawn[4, 10]) == PALETTE[8]
    assert tuple(drawn[10, 10]) == tuple(np.rint(0.4 * 80 + 0.6 * np.array(PALETTE[8])))
    assert (drawn[0] == np.rint(0.4 * 80 + 0.6 * 255)).all()


def test_masks_of_any_size_keep_their_values():
    mask = np.kron(np.array([[0, 12], [255, 8]], np.uint8), np.ones((50, 40), np.uint8))
    assert (resize_mask(mask, (2, 2)) == [[0, 12], [255, 8]]).all()
    assert masked(np.zeros((10, 8, 3), np.uint8), mask, PALETTE).shape == (10, 8, 3)


def test_photos_shrink_and_never_grow():
    assert fitted(np.zeros((400, 200, 3), np.uint8), (180, 240)).shape == (180, 90, 3)
    assert fitted(np.zeros((30, 20, 3), np.uint8), (180, 240)).shape == (30, 20, 3)


def test_heat_is_warm_where_the_map_is_strong():
    drawn = heat(np.full((2, 2, 3), 100, np.uint8), np.array([[0, 1], [0, 0]], np.float32))
    assert tuple(drawn[0, 1]) == (255, 230, 0)
    assert tuple(drawn[0, 0]) == (70, 70, 70)


@pytest.mark.parametrize("count", [2, 3, 5, 18])
def test_a_mosaic_shows_every_picture(count):
    pictures = [np.full((180, 240, 3), 10 * number, np.uint8) for number in range(count)]
    found = mosaic(pictures)
    assert {10 * number for number in range(count)} <= set(np.unique(found).tolist())
    assert found.shape[0] <= 180
    assert found.shape[1] <= 240
