from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from weakseg.methods.cpn.patches import PairRule, complementary_pair, draw_hidden, grid_patches

Golden = Callable[[str], dict[str, NDArray[Any]]]


def kept(packed: NDArray[np.uint8], side: int) -> Tensor:
    return torch.from_numpy(np.unpackbits(packed).reshape(side, side).astype(bool))


@pytest.mark.parametrize("seed", range(4))
def test_grids_hide_what_the_released_code_hides_of_the_same_draws(seed: int, golden: Golden) -> None:
    data, draw = golden("cpn_patches"), random.Random(seed)
    patches = grid_patches((448, 448), (224, 448)[draw.randint(0, 1)])
    draws = [draw.random() for _ in range(int(patches.max()))]
    hidden = torch.tensor([label for label, value in enumerate(draws, start=1) if value <= 0.5], dtype=torch.int64)
    pair = complementary_pair(patches, hidden, "patch")
    assert torch.equal(pair.keep, kept(data[f"grid{seed}_mask"], 448))
    assert float(pair.share) == data[f"grid{seed}_lambda"][0]


@pytest.mark.parametrize("seed", range(2))
def test_super_pixels_are_hidden_as_in_the_released_code(seed: int, golden: Golden) -> None:
    data = golden("cpn_patches")
    patches = torch.from_numpy(data["slic"].astype(np.int64))
    count = int(data["n_sp"])
    draws = np.random.RandomState(seed).randint(0, count, int(0.5 * (count + 1)))
    if seed == 0:
        assert np.array_equal(draws, data["sp_draws"])
    pair = complementary_pair(patches, torch.from_numpy(draws), "pixel")
    assert torch.equal(pair.keep, kept(data[f"sp{seed}_keep"], 112))
    assert float(pair.share) == pytest.approx(data[f"sp{seed}_lambda"][0])


def test_draws_with_replacement_are_as_many_and_hide_as_much_as_released(golden: Golden) -> None:
    data = golden("cpn_patches")
    patches = torch.from_numpy(data["slic"].astype(np.int64))
    torch.manual_seed(0)
    drawn = [draw_hidden(patches, 0.5, replacement=True) for _ in range(50)]
    assert all(len(hidden) == len(data["sp_draws"]) for hidden in drawn)
    shares = [float(complementary_pair(patches, hidden, "pixel").share) for hidden in drawn]
    assert np.mean(shares) == pytest.approx(np.exp(-0.5), abs=0.02)
    assert min(shares) <= data["sp0_lambda"][0] <= max(shares)


@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 40))
def test_cells_of_a_grid_are_squares_numbered_by_row(height: int, width: int, side: int) -> None:
    patches = grid_patches((height, width), side)
    columns = -(-width // side)
    for row in range(0, height, side):
        for column in range(0, width, side):
            cell = patches[row : row + side, column : column + side]
            assert (cell == row // side * columns + column // side + 1).all()


@given(st.integers(0, 99), st.floats(0, 1), st.booleans(), st.sampled_from(["pixel", "patch"]))
def test_a_pair_keeps_whole_patches_and_all_that_is_no_photo(
    seed: int, probability: float, replacement: bool, share: Any
) -> None:
    torch.manual_seed(seed)
    patches = torch.randint(0, 6, (7, 8)) * 3  # labels with gaps, as of a crop
    hidden = draw_hidden(patches, probability, replacement=replacement)
    pair = complementary_pair(patches, hidden, share)
    assert set(hidden.tolist()) <= set(patches.unique().tolist()) - {0}
    assert torch.equal(pair.keep, ~torch.isin(patches, hidden))
    photo = patches > 0
    labels = patches.unique()[patches.unique() > 0]
    expected = pair.keep[photo].float().mean() if share == "pixel" else 1 - len(hidden.unique()) / len(labels)
    assert float(pair.share) == pytest.approx(float(expected))
    if not replacement:
        assert probability > 0 or not len(hidden)
        assert probability < 1 or pair.share == 0


@pytest.mark.parametrize("replacement", [False, True])
def test_a_crop_without_photo_is_kept(replacement: bool) -> None:
    patches = torch.zeros(3, 4, dtype=torch.int64)
    pair = complementary_pair(patches, draw_hidden(patches, 1.0, replacement=replacement), "pixel")
    assert pair.keep.all()
    assert pair.share == 1


def test_every_image_has_its_own_pair_and_a_seed_decides_them() -> None:
    images = torch.zeros(6, 3, 32, 48)
    rule = PairRule((8, 16), 0.5, False, "patch")
    torch.manual_seed(0)
    first = rule.draw(images)
    torch.manual_seed(0)
    again = rule.draw(images)
    assert first.keep.shape == (6, 1, 32, 48)
    assert first.share.shape == (6,)
    assert torch.equal(first.keep, again.keep)
    assert torch.equal(first.share, again.share)
    assert len({keep.numpy().tobytes() for keep in first.keep}) > 1
    given_patches = rule.draw(images, grid_patches((32, 48), 4).expand(6, -1, -1))
    assert given_patches.keep.view(6, 8, 4, 12, 4).float().std((2, 4)).max() == 0


@pytest.mark.parametrize(("sizes", "hide"), [((), 0.5), ((0, 8), 0.5), ((8,), 1.1), (None, -0.1)])
def test_rules_out_of_range_are_refused(sizes: tuple[int, ...] | None, hide: float) -> None:
    with pytest.raises(ValueError, match=r"sizes are|hide is"):
        PairRule(sizes, hide, False, "pixel")
