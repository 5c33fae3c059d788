from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from weakseg.methods.seam.consistency import (
    TaggedChannels,
    View,
    lowest_activation,
    normalised,
    resized,
    resized_mean,
    strongest,
    strongest_class,
    with_own_background,
)

Golden = Callable[[str], dict[str, NDArray[Any]]]
sides = st.integers(1, 9)


def tensors(golden: Golden, name: str) -> dict[str, Tensor]:
    return {key: torch.from_numpy(value) for key, value in golden(name).items()}


def test_maps_are_normalised_as_in_seam(golden: Golden) -> None:
    """The file's numpy3 divides by the maximum alone: left out on purpose, neither losses nor merged maps do so."""
    data = tensors(golden, "seam_max_norm")
    torch.testing.assert_close(normalised(data["p4"]), data["torch4"], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(normalised(data["p3"][None])[0], data["torch3"], rtol=1e-5, atol=1e-6)


def test_the_strongest_are_those_of_seam_and_of_cpn(golden: Golden) -> None:
    seam, cpn = tensors(golden, "seam_losses"), tensors(golden, "cpn_losses")
    assert torch.equal(strongest_class(seam["max_onehot_in"]), seam["max_onehot_out"])
    assert torch.equal(strongest(cpn["mo_in"]), cpn["mo_out"])


def test_the_lowest_activation_is_that_of_seam(golden: Golden) -> None:
    data = tensors(golden, "seam_losses")
    for number, size in (("1", (40, 40)), ("2", (12, 12))):
        picked = TaggedChannels(data["label"]).picked(data[f"rv{number}"], size)
        torch.testing.assert_close(lowest_activation(picked), data[f"rvmin{number}"], rtol=1e-5, atol=1e-6)
    # Of all 21 channels, each taken for a class: a background, which does not count, goes before them.
    every = F.pad(data["cam1"], (0, 0, 0, 0, 1, 0), value=9.0)
    torch.testing.assert_close(lowest_activation(every), data["adaptive_min"], rtol=1e-5, atol=1e-6)


@given(sides, sides, sides, sides)
def test_the_mean_of_resized_maps_needs_no_resizing(height: int, width: int, rows: int, columns: int) -> None:
    maps = torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(0))
    expected = resized(maps, (rows, columns)).mean((2, 3))
    torch.testing.assert_close(resized_mean(maps, (rows, columns)), expected, rtol=1e-4, atol=1e-5)


@settings(deadline=None)
@given(st.lists(st.lists(st.booleans(), min_size=5, max_size=5), min_size=1, max_size=3), st.floats(0.01, 1))
def test_tagged_channels_tell_as_much_as_all(rows: list[list[bool]], share: float) -> None:
    """The same values as from all channels, those of untagged classes multiplied by 0."""
    tags = torch.tensor(rows).float()
    generator = torch.Generator().manual_seed(0)
    maps, others = (torch.randn(len(rows), 6, 4, 3, generator=generator) for _ in range(2))
    switch = torch.cat([torch.ones(len(rows), 1), tags], dim=1)[:, :, None, None]
    size = (5, 7)
    channels = TaggedChannels(tags)
    few = [normalised(channels.picked(given, size)) for given in (maps, others)]
    many = [normalised(resized(given, size) * switch) for given in (maps, others)]
    unexplained = [strongest(with_own_background(first) - with_own_background(second)) for first, second in (few, many)]
    for left in (few, [unexplained[0], few[1]]):
        right = many if left is few else [unexplained[1], many[1]]
        distances = (right[0] - right[1]).abs()
        kept = max(1, int(share * distances[0].numel()))
        hard = distances.flatten(1).topk(kept).values.mean()
        torch.testing.assert_close(channels.difference(*left), distances[:, 1:].mean())
        torch.testing.assert_close(channels.hard_difference(*left, share), hard)
    torch.testing.assert_close(lowest_activation(few[0]), lowest_activation(many[0]))


def test_views_of_one_batch_come_apart() -> None:
    batch = View(torch.arange(6.0).view(6, 1, 1, 1), None, (4, 4))
    parts = batch.split(3)
    assert [part.maps.flatten().tolist() for part in parts] == [[0, 1], [2, 3], [4, 5]]
    assert all(part.revised is None and part.size == (4, 4) for part in parts)
    revised = View(batch.maps, -batch.maps, (4, 4)).split(2)
    assert [part.revised.flatten().tolist() for part in revised] == [[0, -1, -2], [-3, -4, -5]]
