from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torchvision import tv_tensors

from weakseg.data.transforms import (
    Augmentation,
    RandomFactor,
    RandomLongSide,
    build_transform,
    random_crop,
    resize_mask_at_centres,
    to_tensor,
)

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.5)


def numbered(height, width):
    """An image whose pixels all differ, and a mask that repeats its first channel."""
    pixels = np.arange(1, height * width + 1)
    image = np.stack([pixels % 250 + 1, pixels // 250 + 1, pixels * 7 % 250 + 1], axis=-1)
    tensor = to_tensor(image.reshape(height, width, 3).astype(np.uint8))
    return tensor, tv_tensors.Mask(tensor.as_subclass(torch.Tensor)[0].clone())


def placements(array, side):
    """Every crop of the released code: inside a larger image, or a smaller image inside the crop."""
    height, width = array.shape[:2]
    found = {}
    for y in range(abs(height - side) + 1):
        for x in range(abs(width - side) + 1):
            rows = (slice(y, y + side), slice(0, side)) if height >= side else (slice(0, height), slice(y, y + height))
            columns = (slice(x, x + side), slice(0, side)) if width >= side else (slice(0, width), slice(x, x + width))
            canvas = np.zeros((side, side, array.shape[2]), array.dtype)
            canvas[rows[1], columns[1]] = array[rows[0], columns[0]]
            found[canvas.tobytes()] = (y, x)
    return found


def test_crops_are_the_placements_of_the_released_code(golden):
    vectors = golden("psa_crops")
    array = vectors["arr"]
    allowed = placements(array, 40)
    assert len(allowed) == 11 * 11
    for crop in vectors["random_crops"]:
        assert crop.astype(array.dtype).tobytes() in allowed
    for box, crop in zip(vectors["boxes"].astype(int), vectors["random_crops"], strict=True):
        to_top, to_bottom, to_left, to_right, top, bottom, left, right = box
        assert (crop[to_top:to_bottom, to_left:to_right] == array[top:bottom, left:right]).all()
    image, crop = tv_tensors.Image(torch.from_numpy(array).permute(2, 0, 1)), random_crop(40, mask_fill=255)
    torch.manual_seed(0)
    draws = Counter(allowed[crop(image).permute(1, 2, 0).numpy().tobytes()] for _ in range(2420))
    assert len(draws) == len(allowed)
    # Uniform: 20 expected at each place. The bound is 5 standard deviations of chi-square with 120 degrees of freedom.
    assert sum((count - 20) ** 2 / 20 for count in draws.values()) < 120 + 5 * (2 * 120) ** 0.5


@pytest.mark.parametrize("size", [(40, 40), (10, 60), (60, 10), (3, 3), (41, 39), (1, 1)])
def test_every_crop_has_its_size_and_pads_masks_with_their_fill(size):
    image, mask = numbered(*size)
    crop = random_crop(40, mask_fill=255)
    allowed = placements(image.permute(1, 2, 0).numpy(), 40)
    for seed in range(20):
        torch.manual_seed(seed)
        cut, labels = crop(image, mask)
        assert cut.shape == (3, 40, 40)
        assert cut.permute(1, 2, 0).numpy().tobytes() in allowed
        outside = (cut == 0).all(dim=0)
        assert (labels[outside] == 255).all()
        assert torch.equal(labels[~outside], cut.as_subclass(torch.Tensor)[0][~outside])


def test_long_sides_give_the_sizes_of_the_released_code(golden):
    image = to_tensor(np.zeros((100, 160, 3), np.uint8))
    for width, height in golden("psa_crops")["resize_long_sizes"].astype(int):
        assert RandomLongSide(int(width), int(width))(image).shape == (3, height, width)


@given(st.integers(1, 700), st.integers(1, 700), st.integers(1, 700))
def test_the_long_side_is_exact_and_the_short_one_rounded(height, width, side):
    transform = RandomLongSide(side, side)
    params = transform.make_params([tv_tensors.Image(torch.empty(3, height, width, dtype=torch.uint8))])
    assert max(params["size"]) == side
    assert abs(min(params["size"]) - side * min(height, width) / max(height, width)) <= 0.5 or min(params["size"]) == 1


def test_long_sides_are_drawn_from_the_whole_range():
    transform = RandomLongSide(10, 13)
    torch.manual_seed(0)
    drawn = Counter(round(transform.draw(20, 5) * 20) for _ in range(200))
    assert sorted(drawn) == [10, 11, 12, 13]
    assert min(drawn.values()) > 25


def test_factors_are_drawn_from_the_whole_range():
    transform = RandomFactor(0.5, 2.0)
    torch.manual_seed(0)
    drawn = [transform.draw(1, 1) for _ in range(300)]
    assert 0.5 <= min(drawn) < 0.55
    assert 1.95 < max(drawn) <= 2.0
    assert abs(np.mean(drawn) - 1.25) < 0.1


def test_masks_are_resized_without_new_values():
    image, _ = numbered(20, 30)
    mask = tv_tensors.Mask(torch.arange(20)[:, None].repeat(1, 30) // 10 * 7)
    for seed in range(5):
        torch.manual_seed(seed)
        bigger, labels = RandomFactor(0.4, 3.0)(image, mask)
        assert labels.shape == bigger.shape[1:]
        assert set(labels.unique().tolist()) == {0, 7}


@pytest.mark.parametrize("pad", ["mean", "black"])
def test_what_surrounds_a_small_photo(pad):
    image, mask = numbered(20, 30)
    transform = build_transform(Augmentation(crop=64, flip=0, pad=pad), MEAN, STD, mask_fill=255)
    cut, labels = transform(image, mask)
    outside = labels == 255
    assert outside.sum() == 64 * 64 - 20 * 30
    expected = torch.zeros(3) if pad == "mean" else -torch.tensor(MEAN) / torch.tensor(STD)
    torch.testing.assert_close(cut[:, outside], expected[:, None].expand(3, int(outside.sum())))
    inside = cut[:, ~outside] * torch.tensor(STD)[:, None] + torch.tensor(MEAN)[:, None]
    assert torch.equal((inside * 255).round().byte(), image.as_subclass(torch.Tensor).flatten(1))


@pytest.mark.parametrize(
    "augmentation",
    [
        Augmentation(crop=64, long_side=(30, 90), flip=0.5, jitter=(0.3, 0.3, 0.3, 0.1)),
        Augmentation(crop=64, scale=(0.5, 1.5), flip=1.0, pad="black"),
        Augmentation(crop=32, flip=0.0),
    ],
)
def test_a_transform_gives_crops_and_draws_from_the_seed_alone(augmentation):
    transform = build_transform(augmentation, MEAN, STD)
    image, mask = numbered(40, 50)
    before = image.clone()
    results = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        cut, labels = transform(image, mask)
        assert cut.shape == (3, augmentation.crop, augmentation.crop)
        assert cut.dtype == torch.float32
        assert labels.shape == cut.shape[1:]
        results.append(cut)
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])
    assert torch.equal(image, before)


def test_flips_move_image_and_mask_together_at_their_rate():
    transform = build_transform(Augmentation(crop=32, flip=0.25), (0, 0, 0), (1, 1, 1))
    image, mask = numbered(32, 32)
    torch.manual_seed(0)
    flipped = 0
    for _ in range(200):
        cut, labels = transform(image, mask)
        assert torch.equal((cut[0] * 255).round().long(), labels.long())
        flipped += not torch.equal(labels, mask)
    assert 30 <= flipped <= 70


def test_jitter_changes_colours_and_leaves_masks():
    transform = build_transform(Augmentation(crop=32, flip=0, jitter=(0.3, 0.3, 0.3, 0.1)), (0, 0, 0), (1, 1, 1))
    image, mask = numbered(32, 32)
    cut, labels = transform(image, mask)
    assert torch.equal(labels, mask)
    assert 0 < (cut - image / 255).abs().mean() < 0.3
    assert 0 <= cut.min() <= cut.max() <= 1


@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 450), st.integers(1, 450))
def test_labels_are_taken_at_the_centres_that_pil_takes(height, width, rows, columns):
    labels = np.arange(height * width, dtype=np.int64).reshape(height, width) % 251
    found = resize_mask_at_centres(tv_tensors.Mask(torch.from_numpy(labels)), (rows, columns))
    expected = Image.fromarray(labels.astype(np.uint8)).resize((columns, rows), Image.Resampling.NEAREST)
    assert isinstance(found, tv_tensors.Mask)
    assert found.dtype == torch.int64
    np.testing.assert_array_equal(found, np.asarray(expected))


def test_labels_at_corners_lie_half_a_pixel_beside_those_at_centres():
    image, labels = to_tensor(np.zeros((8, 8, 3), np.uint8)), tv_tensors.Mask(torch.arange(8).expand(8, 8))
    found = {}
    for nearest in ("corner", "centre"):
        changes = Augmentation(crop=32, scale=(0.25, 0.25), flip=0.0, nearest=nearest)
        torch.manual_seed(0)
        _, mask = build_transform(changes, MEAN, STD)(image, labels)
        found[nearest] = mask[mask != 255].tolist()
    assert found == {"corner": [0, 4, 0, 4], "centre": [2, 6, 2, 6]}
