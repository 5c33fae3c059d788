from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from costs import LargestTensors, processor_seconds
from weakseg.methods.affinitynet.affinity import PairLabels, affinity_loss, feature_affinity, pair_labels, pair_mask
from weakseg.ops import pair_distance
from weakseg.ops.pairs import stencil_to_pairs

Golden = Callable[[str], dict[str, np.ndarray[Any, Any]]]


def test_pair_labels_as_released(golden: Golden) -> None:
    data = golden("psa_affinity_label")
    found = pair_labels(torch.from_numpy(data["label20"])[None], 5, border="crop")
    for kind, name in zip(found, ("bg20", "fg20", "neg20"), strict=True):
        np.testing.assert_array_equal(stencil_to_pairs(kind[0], 5), data[name])


def test_pair_labels_of_a_training_map(golden: Golden) -> None:
    data = golden("psa_affinity_label")
    found = pair_labels(torch.from_numpy(data["label56"])[None], 5, border="crop")
    for kind, name, count in zip(found, ("bg56", "fg56", "neg56"), data["counts56"], strict=True):
        packed = np.packbits(stencil_to_pairs(kind[0], 5).numpy().ravel())
        np.testing.assert_array_equal(packed, data[name])
        assert kind.sum() == count


def test_loss_and_gradient_as_released(golden: Golden) -> None:
    data = {key: torch.from_numpy(value) for key, value in golden("psa_aff_loss").items()}
    affinity = data["aff"].requires_grad_()
    loss = affinity_loss(affinity, PairLabels(data["bg_label"] > 0, data["fg_label"] > 0, data["neg_label"] > 0))
    loss.total.backward()
    expected = (data["loss"], data["bg_loss"], data["fg_loss"], data["neg_loss"])
    for term, value in zip(loss, expected, strict=True):
        torch.testing.assert_close(term, value, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(affinity.grad, data["grad"], rtol=1e-5, atol=1e-6)


def test_all_pairs_of_a_label_map_include_those_of_crop() -> None:
    labels = torch.randint(0, 3, (2, 12, 14), generator=torch.Generator().manual_seed(0))
    labels[:, 3:5] = 255
    for every, some in zip(pair_labels(labels, 5), pair_labels(labels, 5, border="crop"), strict=True):
        assert torch.equal(every & pair_mask((12, 14), 5, "crop"), some)
        assert not (every & ~pair_mask((12, 14), 5)).any()


def test_loss_without_any_label() -> None:
    features = torch.rand(2, 3, 6, 7, requires_grad=True)
    loss = affinity_loss(feature_affinity(features, 3), pair_labels(torch.full((2, 6, 7), 255), 3)).total
    loss.backward()
    assert loss == 0
    assert features.grad is not None
    assert torch.equal(features.grad, torch.zeros_like(features))


def test_sum_and_mean_differ_by_the_channels() -> None:
    features = torch.rand(1, 4, 6, 7) / 4
    mean, total = feature_affinity(features, 3), feature_affinity(features, 3, reduction="sum")
    exists = pair_mask((6, 7), 3)[None]
    torch.testing.assert_close(mean[exists] ** 4, total[exists])
    assert not mean[~exists].any()
    with pytest.raises(ValueError, match="unknown reduction 'max'; available: mean, sum"):
        feature_affinity(features, 3, reduction="max")  # type: ignore[arg-type]


def test_loss_teaches_the_labels() -> None:
    """Descent on free features makes the affinities agree with the labels."""
    labels = torch.zeros(1, 8, 9, dtype=torch.uint8)
    labels[:, 2:6, 3:] = 4
    pairs = pair_labels(labels, 3)
    features = torch.rand(1, 6, 8, 9, generator=torch.Generator().manual_seed(0)).requires_grad_()
    optimiser = torch.optim.Adam([features], lr=0.1)
    for _ in range(60):
        optimiser.zero_grad()
        affinity_loss(feature_affinity(features, 3), pairs).total.backward()
        optimiser.step()
    affinity = feature_affinity(features.detach(), 3)
    assert affinity[pairs.background | pairs.foreground].mean() > 0.8
    assert affinity[pairs.different].mean() < 0.2


def training_step(labels: torch.Tensor, channels: int, radius: int) -> Callable[[], None]:
    """Loss and gradient of random features (N, channels, h, w) for labels (N, h, w)."""
    batch, height, width = labels.shape
    features = torch.randn(batch, channels, height, width, generator=torch.Generator().manual_seed(0)).requires_grad_()

    def step() -> None:
        loss = affinity_loss(
            feature_affinity(features, radius, border="crop"), pair_labels(labels, radius, border="crop")
        )
        loss.total.backward()

    return step


def patchy_labels(side: int) -> torch.Tensor:
    drawn = torch.randint(0, 3, (2, side // 4, side // 4), generator=torch.Generator().manual_seed(1))
    return drawn.repeat_interleave(4, dim=1).repeat_interleave(4, dim=2)


@pytest.mark.parametrize("loops", [True, False])
def test_training_makes_no_index_tensor_and_no_features_per_pair(loops: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is larger than one number per pair; integers are at most those of the labels."""
    if not loops:  # what runs on a GPU
        monkeypatch.setattr(pair_distance, "_distances_cpu", pair_distance.distances)
        monkeypatch.setattr(pair_distance, "_distances_backward_cpu", pair_distance.distances_backward)
    labels = patchy_labels(24)
    step = training_step(labels, 64, 10)
    with LargestTensors() as largest:
        step()
    assert largest.bytes <= 4 * 2 * 152 * 24 * 24
    assert largest.indices <= labels.numel()


def test_training_time_grows_no_faster_than_the_pairs() -> None:
    """With as many channels as the network has."""
    labels = patchy_labels(32)
    steps = [training_step(labels, 448, radius) for radius in (5, 10)]
    near, far = processor_seconds(steps)
    pairs = [pair_mask((32, 32), radius, "crop").sum().item() for radius in (5, 10)]
    assert far / near <= 1.5 * pairs[1] / pairs[0]


def test_crop_needs_a_large_map() -> None:
    with pytest.raises(ValueError, match="4 x 9"):
        feature_affinity(torch.rand(1, 2, 4, 9), 5, border="crop")
