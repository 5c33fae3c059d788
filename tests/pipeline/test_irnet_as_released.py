"""Photos through the published recipe of IRNet, to confident labels and boundaries, beside the authors' code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from golden_nets import fill, key_of_irn_boundaries, key_of_irn_cam
from weakseg.data.classmaps import ClassMaps, load_maps
from weakseg.data.images import read_mask, voc_palette
from weakseg.data.labels import VOC_NAMES
from weakseg.data.sample import Classes, ImageSet, Sample
from weakseg.methods.irnet.network import IRNet
from weakseg.ops.views import photo_tensor
from weakseg.pipeline.networks import affinity_method, affinity_network, seed_method
from weakseg.pipeline.stages.localize import localize
from weakseg.pipeline.stages.relate import write_labels
from weakseg.recipes.loading import load_recipe

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Released:
    """What the authors' code made of a photo, and the photo in a data set of VOC's classes."""

    name: str
    vectors: dict[str, NDArray[Any]]

    def __getitem__(self, kind: str) -> Tensor:
        return torch.from_numpy(self.vectors[f"{self.name}_{kind}"])

    @property
    def images(self) -> ImageSet:
        tags = tuple(VOC_NAMES[key] for key in self["keys"])
        sample = Sample(self.name, partial(self.vectors.__getitem__, f"{self.name}_img"), tags)
        return ImageSet(Classes(VOC_NAMES, tuple(range(1, 21)), voc_palette()), [sample])


@pytest.fixture(scope="module", params=["chelsea", pytest.param("astronaut", marks=pytest.mark.slow)])
def released(request: pytest.FixtureRequest, golden: Callable[[str], dict[str, NDArray[Any]]]) -> Released:
    return Released(request.param, golden("irn_whole"))


@pytest.fixture(scope="module")
def maps(released: Released, tmp_path_factory: pytest.TempPathFactory) -> ClassMaps:
    """What localize writes of the photo."""
    recipe = load_recipe("irnet")
    method = seed_method(recipe, VOC_NAMES, pretrained=False).eval()
    fill(method, key_of_irn_cam)
    file = tmp_path_factory.mktemp("maps") / "one.safetensors"
    localize(method, released.images, lambda _: file, views=recipe.localize, device=CPU)
    return load_maps(file)


@pytest.fixture(scope="module")
def boundaries() -> IRNet:
    """The network of relate, on the canvas of the recipe."""
    network = affinity_network(load_recipe("irnet"), pretrained=False).eval()
    assert isinstance(network, IRNet)
    fill(network, key_of_irn_boundaries)
    return network


def test_maps_of_both_sizes(released: Released, maps: ClassMaps) -> None:
    assert maps.classes == tuple(int(key) + 1 for key in released["keys"])
    # Scaled photos are rounded to whole grey levels, here and there one level apart; files are of half precision.
    torch.testing.assert_close(maps.scores, released["cam"], rtol=0, atol=2e-3)
    torch.testing.assert_close(maps.full_scores(), released["high_res"].float(), rtol=0, atol=2e-3)


@pytest.mark.parametrize(("full", "least", "most"), [(True, 0.999, 1.0), (False, 0.9, 0.995)])
def test_confident_labels(
    released: Released, maps: ClassMaps, tmp_path: Path, full: bool, least: float, most: float
) -> None:
    """Of the maps at full resolution they are the authors'; of enlarged ones they are others."""
    read = maps if full else ClassMaps(maps.classes, maps.scores, maps.size)
    write_labels(affinity_method(load_recipe("irnet")), released.images, lambda _: read, tmp_path, device=CPU)
    labels = read_mask(tmp_path / "labels" / f"{released.name}.png")
    agreement = float((torch.from_numpy(labels) == released["ir_label"]).float().mean())
    assert least <= agreement <= most


def test_boundaries_on_both_canvases(released: Released, boundaries: IRNet, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the recipe's they are the authors'; group normalisation sees the padding, so on the small recipes' not."""
    photo = photo_tensor(released["img"])
    boundary, displacement = boundaries.maps(photo)
    torch.testing.assert_close(boundary, released["edge"], rtol=1e-4, atol=5e-5)
    torch.testing.assert_close(displacement, released["dp"], rtol=1e-3, atol=1e-3)
    monkeypatch.setattr(boundaries, "canvas", load_recipe("irnet", ["small"]).relate.of("irnet").canvas)
    boundary, displacement = boundaries.maps(photo)
    assert (boundary.shape, displacement.shape) == (released["edge"].shape, released["dp"].shape)
    assert (boundary - released["edge"]).abs().max() > 0.03
