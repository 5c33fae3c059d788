from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from weakseg.methods.irnet.instances import Centroids, cluster_centroids, find_centroids, find_instances, split_segments

Golden = Callable[[str], dict[str, np.ndarray[Any, Any]]]
Scene = tuple[Tensor, Tensor, Tensor]


def tensors(golden: Golden, name: str) -> dict[str, Tensor]:
    return {key: torch.from_numpy(value) for key, value in golden(name).items()}


def two_squares() -> Scene:
    """Evidence, boundary and displacement of two squares of one class, side by side with a gap."""
    rows, columns = torch.meshgrid(torch.arange(20.0), torch.arange(40.0), indexing="ij")
    inside = (rows > 4) & (rows < 15) & (((columns > 4) & (columns < 17)) | ((columns > 22) & (columns < 35)))
    left = columns < 20
    displacement = torch.stack([9.5 - rows, torch.where(left, 10.5, 28.5) - columns])
    boundary = torch.zeros(20, 40)
    for ring in (inside[1:] != inside[:-1], inside[:, 1:] != inside[:, :-1]):
        boundary[: ring.shape[0], : ring.shape[1]][ring] = 1
    return inside.float()[None], boundary, displacement


def test_centroids_and_regions_as_released(golden: Golden) -> None:
    data = tensors(golden, "irn_instance")
    centroids = find_centroids(data["dp"])
    assert torch.equal(torch.stack(centroids), data["centroids"].long())
    assert torch.equal(cluster_centroids(centroids, data["dp"]), data["instance_map"])


def test_detections_as_released(golden: Golden) -> None:
    data = tensors(golden, "irn_instance")
    shape = data["mask_shape"].tolist()
    masks = np.unpackbits(data["mask"].numpy())[: np.prod(shape)].reshape(shape).astype(bool)
    found = find_instances(data["cam"], data["edge"][0], data["dp"], (15,), (shape[1], shape[2]))
    assert [instance.label for instance in found] == (data["cls"] + 1).tolist()
    np.testing.assert_allclose([instance.score for instance in found], data["score"], rtol=0, atol=1e-4)
    for instance, mask in zip(found, masks, strict=True):
        np.testing.assert_array_equal(instance.mask, mask)


def test_two_objects_of_one_class_are_told_apart() -> None:
    found = find_instances(*two_squares(), (3,), (78, 157))
    large = [instance for instance in found if instance.score > 0]
    assert [instance.label for instance in large] == [3, 3]
    left, right = (instance.mask for instance in large)
    assert left.shape == (78, 157)
    assert left[40, 42]
    assert right[40, 114]
    assert not (left & right).any()


def test_classes_do_not_overlap_and_keep_their_labels() -> None:
    evidence, boundary, displacement = two_squares()
    side = torch.arange(40) < 20
    scores = torch.cat([evidence * side, evidence * ~side * 0.8])
    found = find_instances(scores, boundary, displacement, (9, 2), (80, 160))
    assert [instance.label for instance in found if instance.score > 0] == [9, 2]
    assert torch.stack([instance.mask for instance in found]).sum(dim=0).max() == 1


@pytest.mark.parametrize("classes", [0, 2])
def test_without_evidence_there_is_nothing(classes: int) -> None:
    _, boundary, displacement = two_squares()
    assert find_instances(torch.zeros(classes, 20, 40), boundary, displacement, range(1, classes + 1), (80, 160)) == []


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1)])
def test_thin_maps(size: tuple[int, int]) -> None:
    maps = torch.ones(1, *size), torch.zeros(size), torch.randn(2, *size, generator=torch.Generator().manual_seed(0))
    assert sum(int(i.mask.sum()) for i in find_instances(*maps, (1,), size)) == size[0] * size[1]


def test_regions_cover_the_map() -> None:
    displacement = torch.randn(2, 12, 15, generator=torch.Generator().manual_seed(0)) * 4
    centroids = find_centroids(displacement)
    assert 0 <= centroids.rows.min() <= centroids.rows.max() < 12
    assert 0 <= centroids.columns.min() <= centroids.columns.max() < 15
    assert (cluster_centroids(centroids, displacement).sum(dim=0) == 1).all()


def test_ends_outside_all_centres_form_one_region() -> None:
    displacement = torch.full((2, 3, 4), 9.0)
    displacement[:, 0, 0] = displacement[:, 2, 3] = 0
    centroids = Centroids(torch.tensor([[0, 0, 1, 1]] * 3), torch.tensor([[0, 0, 2, 2]] * 3))
    regions = cluster_centroids(centroids, displacement)
    assert regions[:, 0].tolist() == [[False, False, True, True], [True, True, False, False]]


def test_small_segments_score_nothing() -> None:
    winner = torch.zeros(10, 20, dtype=torch.int64)
    winner[:2, :2] = 1
    winner[5, 5] = 1
    found = split_segments(winner, torch.full((10, 20), 0.5), (4,), min_area=0.01)
    assert [(instance.score, int(instance.mask.sum())) for instance in found] == [(0.5, 4), (0.0, 1)]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize(("place", "name"), [(0, "scores"), (1, "boundary values"), (2, "displacements")])
def test_refuses_values_that_are_not_finite(value: float, place: int, name: str) -> None:
    maps = [tensor.clone() for tensor in two_squares()]
    maps[place][..., 3, 4] = value
    with pytest.raises(ValueError, match=f"{name} are NaN or infinite"):
        find_instances(*maps, (1,), (80, 160))
