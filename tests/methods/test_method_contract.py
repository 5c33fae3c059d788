"""One contract for every seed method, affinity method and refinement step there is, those of entry points included."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from weakseg.backbones.backbone import BackboneSettings
from weakseg.data.classmaps import ClassMaps
from weakseg.data.images import voc_palette
from weakseg.data.sample import Classes, ImageSet, Sample
from weakseg.methods.base import SeedMethod, Views
from weakseg.methods.registry import AFFINITIES, SEEDS
from weakseg.recipes.loading import load_recipe
from weakseg.refine.registry import REFINEMENTS
from weakseg.settings import field_help, plain

NAMES = ("cat", "cow", "dog")
BACKBONE = BackboneSettings("test_resnet", output_stride=16, dilation=False, weights="none")
CPU = torch.device("cpu")


def build(name: str) -> SeedMethod:
    torch.manual_seed(0)
    kind = SEEDS.get(name)
    return kind.build(NAMES, kind.Settings(), BACKBONE.build).eval()


def picture(height: int = 64, width: int = 96) -> Any:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)


def maps_of(*labels: int, size: tuple[int, int] = (64, 96)) -> ClassMaps:
    return ClassMaps(labels, torch.rand(len(labels), *size, generator=torch.Generator().manual_seed(0)), size)


@pytest.mark.parametrize("name", SEEDS.names())
@pytest.mark.parametrize("tags", [(0, 0, 0), (1, 0, 1)])
def test_seeds_are_added_up_at_two_sizes(name: str, tags: tuple[int, ...]) -> None:
    """At the photo's size they are those of stride 1, as its sides are multiples of what IRNet's code goes by."""
    method = build(name)
    photo = torch.from_numpy(picture(48, 80)).permute(2, 0, 1)
    views = Views(scales=(1.0, 0.5), stride=4, full=True)
    with torch.inference_mode():
        given = photo, torch.tensor(tags).float()
        strided, full = method.both_maps(*given, views)
        assert torch.equal(strided, method.class_maps(*given, views))
        assert torch.equal(full, method.class_maps(*given, replace(views, stride=1)))
        assert full.shape[1:] == (48, 80)
        assert method.both_maps(photo[:, :41, :67], given[1], views)[1].shape == (len(full), 41, 67)


@pytest.mark.parametrize("name", SEEDS.names())
@pytest.mark.parametrize("tags", [(0, 1, 0), (1, 1, 1)])
def test_seeds_are_maps_of_the_tagged_classes(name: str, tags: tuple[int, ...]) -> None:
    method = build(name)
    photo = torch.from_numpy(picture()).permute(2, 0, 1)
    with torch.inference_mode():
        found = method.class_maps(photo, torch.tensor(tags).float(), Views(scales=(1.0, 0.5), stride=4))
    assert found.shape == (sum(tags) + method.background, 16, 24)
    assert found.dtype == torch.float32
    assert 0 <= found.min() <= found.max() <= 1


@pytest.mark.parametrize("name", SEEDS.names())
def test_a_photo_without_tags_has_no_map(name: str) -> None:
    photo = torch.from_numpy(picture()).permute(2, 0, 1)
    with torch.inference_mode():
        assert len(build(name).class_maps(photo, torch.zeros(3), Views())) == 0


@pytest.mark.parametrize("name", AFFINITIES.names())
def test_an_affinity_method_learns_from_what_it_has_written(name: str, tmp_path: Path) -> None:
    kind = AFFINITIES.get(name)
    small = {"augment": {"crop": 128}} if name != "toy-neighbours" else {}
    method = kind(kind.Settings(**small))
    torch.manual_seed(0)
    network: Any = method.network(BACKBONE.build())
    classes = Classes(NAMES, (1, 2, 3), voc_palette())
    sample = Sample("p", picture, ("cat", "dog"))
    images, maps = ImageSet(classes, [sample]), maps_of(1, 3)
    path = method.labels_file(tmp_path, "p")
    if path is not None:
        method.write_labels(picture(), maps, tmp_path, "p", classes, CPU)
        assert path.is_file()
    batch = method.examples(images, lambda _: maps, tmp_path, (network.mean, network.std)).example(0)
    terms = network.train().losses(*(part[None] for part in batch))
    assert all(term.ndim == 0 and torch.isfinite(term) for term in terms.values())
    sum(terms.values()).backward()
    assert any(value.grad is not None and value.grad.any() for value in network.new_parameters())
    assert method.label_bytes(10_000) >= 0
    assert REFINEMENTS.get(method.step).affinity == name


@pytest.mark.parametrize("name", REFINEMENTS.names())
@pytest.mark.parametrize("labels", [(0, 2), (0, 1, 2, 3)])
def test_a_step_gives_maps_of_the_same_labels(name: str, labels: tuple[int, ...]) -> None:
    kind = REFINEMENTS.get(name)
    network = None
    if kind.affinity is not None:
        torch.manual_seed(0)
        affinity = AFFINITIES.get(kind.affinity)
        network = affinity(affinity.Settings()).network(BACKBONE.build()).eval()
    with torch.inference_mode():
        found = kind(kind.Settings(), CPU, network)(picture(), maps_of(*labels))
    assert found.classes == labels
    assert found.size == (64, 96)
    assert found.scores.shape == (len(labels), 64, 96)
    assert torch.isfinite(found.scores).all()


@pytest.mark.parametrize(
    "kind",
    [kind.Settings for registry in (SEEDS, AFFINITIES, REFINEMENTS) for kind in registry.all().values()],
    ids=lambda kind: kind.__name__,
)
def test_every_setting_is_explained_and_read_back(kind: Any) -> None:
    assert all(len(text) > 8 for text in field_help(kind).values()), field_help(kind)
    assert kind(**plain(kind())) == kind()


@pytest.mark.parametrize("recipe", ["affinitynet", "irnet", "vwe"])
def test_the_sections_of_all_methods_are_in_every_recipe(recipe: str) -> None:
    found = load_recipe(recipe)
    assert [found.relate.of(name) is not None for name in AFFINITIES.names()] == [True] * len(AFFINITIES.names())
    assert [found.refine.of(name) is not None for name in REFINEMENTS.names()] == [True] * len(REFINEMENTS.names())
