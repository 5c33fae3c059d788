"""One contract for every CAM method and its variants: any number of classes, no tags, any size, a falling loss."""

import json

import pytest
import torch

from weakseg.data.examples import TaggedExamples
from weakseg.data.sample import ImageSet
from weakseg.data.source import open_source
from weakseg.data.transforms import Augmentation
from weakseg.engine.device import build_fabric
from weakseg.engine.log import MetricsLog
from weakseg.engine.optim import Schedule
from weakseg.engine.train import fit
from weakseg.models.backbones import build_backbone
from weakseg.models.cams import CAM_METHODS, build_cam
from weakseg.models.cams.multiscale import multi_scale_maps

VARIANTS = [
    *((name, {}) for name in CAM_METHODS),
    ("vwe", {"codebook": "memory"}),
    ("vwe", {"decorrelation": 1.0, "fuse": "max"}),
    ("cpn", {"pairs": "grid", "sizes": (16, 32)}),
    ("seam", {"context": "prcm"}),
]
"""Methods with options; the options of the papers' ablations are checked with their studies."""


@pytest.fixture(params=VARIANTS, ids=lambda variant: "-".join([variant[0], *map(str, variant[1].values())]))
def variant(request):
    return request.param


def build(variant, n_classes=4, backbone="test_resnet", seed=0):
    torch.manual_seed(seed)
    name, options = variant
    network = build_backbone(backbone, output_stride=16, dilation=False, batch_norm="frozen", weights="none")
    return build_cam(name, network, n_classes, **options)


def guide(name, count, height, width):
    """A guide of photos that leave two rows and a column of the crop empty."""
    labels = torch.ones(height, width, dtype=torch.int64)
    if name == "superpixels":
        labels = torch.arange(height)[:, None] // 8 * 100 + torch.arange(width) // 8 + 1
    labels[-2:], labels[:, :1] = 0, 0
    return labels.expand(count, height, width)


def losses(model, images, tags):
    count, _, height, width = images.shape
    return model.losses(images, tags, *(guide(name, count, height, width) for name in model.guides))


def random_photo(height, width):
    return torch.randint(0, 256, (3, height, width), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def maps_of(model, photo, tags, **options):
    with torch.inference_mode():
        return multi_scale_maps(model.eval(), photo, tags, **({"scales": (1.0, 0.5), "stride": 4} | options))


@pytest.mark.parametrize("n_classes", [1, 80])
@pytest.mark.parametrize("size", [(64, 64), (72, 104)])
def test_any_number_of_classes_and_photos_without_tags(variant, n_classes, size):
    model = build(variant, n_classes).train()
    images = torch.randn(3, 3, *size)
    tags = torch.zeros(3, n_classes)
    tags[0, -1] = tags[1] = 1  # one tag, all tags, none
    terms = losses(model, images, tags)
    assert "classification" in terms
    assert all(term.ndim == 0 and torch.isfinite(term) for term in terms.values())
    sum(terms.values()).backward()
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    assert all(torch.isfinite(gradient).all() for gradient in gradients)
    maps = maps_of(model, random_photo(50, 71), tags[0])
    assert maps.shape == (1 + model.background, 13, 18)


@pytest.mark.parametrize("tags", [(0, 1, 0, 1), (1, 1, 1, 1), (0, 0, 0, 0), (0, 0, 1, 0)])
@pytest.mark.parametrize("flip", [False, True])
def test_maps_are_of_the_tagged_classes_and_within_the_unit_range(variant, tags, flip):
    model = build(variant)
    maps = maps_of(model, random_photo(50, 71), torch.tensor(tags).float(), flip=flip)
    assert maps.shape == ((sum(tags) + model.background) if sum(tags) else 0, 13, 18)
    assert torch.isfinite(maps).all()
    if sum(tags):
        assert 0 <= maps.min() <= maps.max() <= 1


@pytest.mark.parametrize("size", [(9, 11), (33, 150), (128, 16)])
def test_photos_of_any_size(variant, size):
    maps = maps_of(build(variant), random_photo(*size), torch.ones(4))
    assert torch.isfinite(maps).all()


def test_maps_of_a_mirrored_photo_are_mirrored(variant):
    model, photo, tags = build(variant), random_photo(64, 64), torch.ones(4)
    maps, mirrored = (maps_of(model, view, tags, scales=(1.0,)) for view in (photo, photo.flip(-1)))
    torch.testing.assert_close(mirrored, maps.flip(-1), rtol=1e-3, atol=1e-3)


def test_while_it_warms_up_only_the_classification_is_learned(variant):
    name, options = variant
    model = build((name, {**options, "warm_up": 0.5})).train()
    images, tags = torch.randn(2, 3, 64, 64), torch.ones(2, 4)
    warm = losses(model, images, tags)
    model.progress = 0.5
    terms = losses(model, images, tags)
    assert "classification" in warm
    assert set(warm) <= set(terms)
    assert name == "cam" or set(warm) < set(terms)


@pytest.mark.parametrize("backbone", ["test_resnet", "test_vit"])
def test_thirty_steps_on_four_scenes_lower_the_loss(variant, backbone, tmp_path):
    source = open_source("scenes:8,seed=1")
    images = source.image_set("train")
    images = ImageSet(images.classes, list(images.samples)[:4])
    model = build(variant, len(images.classes), backbone)
    guides = [lambda sample, photo, name=name: guide(name, 1, *photo.shape[:2])[0].numpy() for name in model.guides]
    examples = TaggedExamples(images, Augmentation(crop=96, flip=0), model.mean, model.std, guides)
    log = tmp_path / "log.jsonl"
    fit(
        model,
        examples,
        Schedule(epochs=30, batch_size=4, lr=0.03, momentum=0.9),
        tmp_path,
        fabric=build_fabric("cpu"),
        seed=0,
        title="contract",
        log=MetricsLog(log),
    )
    means = [json.loads(line)["loss"] for line in log.read_text().splitlines()]
    assert len(means) == 3
    assert means[-1] < means[0]
