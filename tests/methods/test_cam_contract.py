"""One contract for every CAM method and its variants: any number of classes, no tags, any size, true gradients."""

import copy
import math
from dataclasses import replace

import pytest
import torch

from cam_variants import VARIANTS, build_variant, guide, guides, variant_id
from costs import LargestTensors
from weakseg.data.examples import TaggedExamples
from weakseg.data.sample import ImageSet
from weakseg.data.source import open_source
from weakseg.data.transforms import Augmentation
from weakseg.methods.multiscale import multi_scale_maps
from weakseg.training.checkpoint import load_weights, save_weights
from weakseg.training.device import build_fabric
from weakseg.training.log import MetricsLog
from weakseg.training.optim import Schedule
from weakseg.training.train import fit


@pytest.fixture(params=VARIANTS, ids=variant_id)
def variant(request):
    return request.param


@pytest.fixture(params=["test_resnet", "test_vit"])
def backbone(request):
    return request.param


def build(variant, n_classes=4, backbone="test_resnet", **more):
    return build_variant(variant, n_classes, backbone, **more)


def losses(model, images, tags):
    return model.losses(images, tags, *guides(model, images))


def check_learning(model, n_classes, size):
    """Losses and gradients of three photos: of one tag, of all tags and of none."""
    tags = torch.zeros(3, n_classes)
    tags[0, -1] = tags[1] = 1
    images = torch.randn(3, 3, *size)
    terms = losses(model.train(), images, tags)
    assert "classification" in terms
    assert all(term.ndim == 0 and torch.isfinite(term) for term in terms.values())
    sum(terms.values()).backward()
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    assert all(torch.isfinite(gradient).all() for gradient in gradients)
    assert any(parameter.grad is not None and parameter.grad.any() for parameter in model.backbone.parameters())
    with torch.inference_mode():
        assert model.logits(images).shape == tags.shape


def random_photo(height, width):
    return torch.randint(0, 256, (3, height, width), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def maps_of(model, photo, tags, **options):
    with torch.inference_mode():
        return multi_scale_maps(model.eval(), photo, tags, **({"scales": (1.0, 0.5), "stride": 4} | options))


def check_maps(maps, model, tags):
    """Of a photo of 50 x 71."""
    tagged = int(sum(tags))
    assert maps.shape == (tagged + model.background if tagged else 0, 13, 18)
    assert torch.isfinite(maps).all()
    if tagged:
        assert 0 <= maps.min() <= maps.max() <= 1


@pytest.mark.parametrize("n_classes", [1, 80])
@pytest.mark.parametrize("size", [(64, 64), (72, 104)])
def test_any_number_of_classes_and_photos_without_tags(variant, backbone, n_classes, size, tmp_path):
    model, photo = build(variant, n_classes, backbone), random_photo(50, 71)
    check_learning(model, n_classes, size)
    every, none = torch.ones(n_classes), torch.zeros(n_classes)
    maps = maps_of(model, photo, every)
    check_maps(maps, model, every)
    check_maps(maps_of(model, photo, none), model, none)
    save_weights(tmp_path / "weights.safetensors", model)
    other = build(variant, n_classes, backbone, seed=1)
    assert not torch.equal(maps_of(other, photo, every), maps)
    load_weights(tmp_path / "weights.safetensors", other)
    assert torch.equal(maps_of(other, photo, every), maps)


@pytest.mark.parametrize("name", sorted({name for name, _ in VARIANTS}))
def test_every_method_runs_on_a_convnext(name):
    model, tags = build((name, {}), backbone="test_convnext"), torch.tensor([0, 1, 0, 1])
    check_learning(model, 4, (64, 64))
    check_maps(maps_of(model, random_photo(50, 71), tags), model, tags)


@pytest.mark.parametrize("tags", [(0, 1, 0, 1), (1, 1, 1, 1), (0, 0, 0, 0), (0, 0, 1, 0)])
@pytest.mark.parametrize("flip", [False, True])
def test_maps_are_of_the_tagged_classes_and_within_the_unit_range(variant, tags, flip):
    model = build(variant)
    check_maps(maps_of(model, random_photo(50, 71), torch.tensor(tags).float(), flip=flip), model, tags)


@pytest.mark.parametrize("size", [(9, 11), (33, 150), (128, 16)])
def test_photos_of_any_size(variant, backbone, size):
    maps = maps_of(build(variant, backbone=backbone), random_photo(*size), torch.ones(4))
    assert torch.isfinite(maps).all()


def test_maps_of_a_mirrored_photo_are_mirrored(variant):
    model, photo, tags = build(variant), random_photo(64, 64), torch.ones(4)
    maps, mirrored = (maps_of(model, view, tags, scales=(1.0,)) for view in (photo, photo.flip(-1)))
    torch.testing.assert_close(mirrored, maps.flip(-1), rtol=1e-3, atol=1e-3)


def test_while_it_warms_up_only_the_classification_is_learned(variant):
    model = build(variant, warm_up=0.5).train()
    images, tags = torch.randn(2, 3, 64, 64), torch.ones(2, 4)
    warm = losses(model, images, tags)
    model.progress = 0.5
    terms = losses(model, images, tags)
    assert set(warm) == {"classification"}
    assert variant[0] == "cam" or set(warm) < set(terms)


@pytest.mark.parametrize("name", ["sipe", "ae-sipe"])
def test_training_never_holds_the_similarities_of_all_pixels_for_all_classes(name):
    """The released SIPE makes a tensor of photos x classes x pixels x pixels: what grows fastest with each."""
    n_classes, side = 80, 256
    model = build((name, {}), n_classes)
    pixels = model.hierarchy(model.backbone(torch.zeros(1, 3, side, side)))[0, 0].numel()
    with LargestTensors() as largest:
        terms = losses(model.train(), torch.randn(1, 3, side, side), torch.ones(1, n_classes))
        sum(terms.values()).backward()
    assert set(terms) == {"classification", "consistency"}
    assert largest.bytes < n_classes * pixels**2 * 4


@pytest.fixture(scope="module")
def four_scenes():
    """Drawn once, not in every step."""
    source = open_source("scenes:8,seed=1")
    samples = list(source.image_set("train").samples)[:4]
    drawn = [sample.read_image() for sample in samples]
    samples = [replace(sample, image=lambda image=image: image) for sample, image in zip(samples, drawn, strict=True)]
    return ImageSet(source.classes, samples)


def scenes_for(model, four_scenes):
    read = [lambda sample, photo, name=name: guide(name, 1, *photo.shape[:2])[0].numpy() for name in model.guides]
    augmentation = Augmentation(crop=64, long_side=(64, 64), flip=0)
    return TaggedExamples(four_scenes, augmentation, model.mean, model.std, read)


def test_a_small_step_along_the_gradient_lowers_the_classification_loss(variant, backbone, four_scenes):
    """Holds by the definition of the gradient, at some step size; other terms have targets that move with the step."""
    model = build(variant, len(four_scenes.classes), backbone).eval()
    examples = scenes_for(model, four_scenes)
    batch = [torch.stack(part) for part in zip(*(examples.example(index) for index in range(4)), strict=True)]

    def loss(network):
        torch.manual_seed(0)
        return network.losses(*batch)["classification"]

    first = loss(model)
    moved = [parameter for parameter in model.parameters() if parameter.requires_grad]
    gradients = torch.autograd.grad(first, moved, allow_unused=True)
    slope = sum(float(gradient.pow(2).sum()) for gradient in gradients if gradient is not None)
    assert slope > 0
    for halving in range(16):
        step = 0.02 * float(first) / slope / 2**halving  # expected to lower the loss by 2 %, 1 %, ...
        other = copy.deepcopy(model)
        there = [parameter for parameter in other.parameters() if parameter.requires_grad]
        with torch.no_grad():
            for parameter, gradient in zip(there, gradients, strict=True):
                if gradient is not None:
                    parameter -= step * gradient
            if float(loss(other)) < float(first):
                return
    pytest.fail("no step along the gradient lowers the loss")


def test_training_on_four_scenes_moves_the_network(variant, backbone, four_scenes, tmp_path):
    model = build(variant, len(four_scenes.classes), backbone)
    before = {name: value.clone() for name, value in model.named_parameters() if value.requires_grad}
    schedule = Schedule(epochs=3, batch_size=4, lr=0.001, momentum=0.9, clip=1.0)
    examples, log = scenes_for(model, four_scenes), MetricsLog(tmp_path / "log.jsonl")
    fit(model, examples, schedule, tmp_path, fabric=build_fabric("cpu"), seed=0, title="contract", log=log)
    losses = [row["loss"] for row in log.rows()]
    assert losses
    assert all(math.isfinite(value) for value in losses)
    after = dict(model.named_parameters())
    assert not torch.equal(before["classifier.weight"], after["classifier.weight"])
