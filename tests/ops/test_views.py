import csv

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from weakseg.ops.views import photo_tensor, scaled_size, scaled_view, with_flip

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@pytest.fixture
def photo():
    return torch.randint(0, 256, (3, 20, 30), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_sizes_are_those_of_the_released_code(golden_folder):
    text = (golden_folder / "msf_sizes.csv").read_text().lstrip("# ")
    rows = list(csv.DictReader(text.splitlines()))
    assert len(rows) == 16
    for row in rows:
        size = scaled_size((int(row["h"]), int(row["w"])), float(row["scale"]))
        assert size == (int(row["psa_h"]), int(row["psa_w"])) == (int(row["irn_h"]), int(row["irn_w"])), row


@given(st.integers(1, 5000), st.integers(1, 5000), st.floats(0.01, 4))
def test_a_size_is_never_nothing(height, width, factor):
    scaled = scaled_size((height, width), factor)
    assert min(scaled) >= 1
    assert scaled_size((width, height), factor) == scaled[::-1]
    assert all(abs(new - old * factor) <= 0.5 or new == 1 for new, old in zip(scaled, (height, width), strict=True))


def test_normalisation_is_that_of_the_released_code(golden):
    vectors = golden("psa_normalize")
    view = scaled_view(photo_tensor(torch.from_numpy(vectors["img"])), 1.0, MEAN, STD)
    assert view.dtype == torch.float32
    np.testing.assert_allclose(view.permute(1, 2, 0).numpy(), vectors["resnet38"], rtol=1e-5, atol=1e-6)


def test_scale_one_does_not_resample(photo):
    view = scaled_view(photo, 1.0, (0, 0, 0), (1, 1, 1))
    assert torch.equal((view * 255).round().byte(), photo)


@pytest.mark.parametrize("factor", [0.25, 0.5, 1.5, 2.0])
def test_a_scaled_view_has_the_scaled_size_and_the_same_mean(photo, factor):
    view = scaled_view(photo, factor, MEAN, STD)
    assert view.shape == (3, *scaled_size((20, 30), factor))
    whole = scaled_view(photo, 1.0, MEAN, STD)
    torch.testing.assert_close(view.mean((1, 2)), whole.mean((1, 2)), atol=0.1, rtol=0)


def test_a_flat_photo_stays_flat_at_any_scale():
    photo = torch.full((3, 9, 7), 200, dtype=torch.uint8)
    for factor in (0.3, 1.0, 2.7):
        assert (scaled_view(photo, factor, (0, 0, 0), (1, 1, 1)) == 200 / 255).all()


def test_the_second_view_is_the_mirror_image(photo):
    view = scaled_view(photo, 1.0, MEAN, STD)
    pair = with_flip(view)
    assert pair.shape == (2, 3, 20, 30)
    assert torch.equal(pair[0], view)
    assert torch.equal(pair[1].flip(-1), view)
    assert pair.is_contiguous(memory_format=torch.channels_last)


def test_photos_become_channels_first():
    image = torch.arange(24, dtype=torch.uint8).reshape(2, 4, 3)
    tensor = photo_tensor(image)
    assert tensor.shape == (3, 2, 4)
    assert tensor[2, 1, 3] == image[1, 3, 2]
    assert tensor.is_contiguous()
