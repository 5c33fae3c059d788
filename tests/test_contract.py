"""One contract for every network of the registries: build, losses, backward, inference, save and load."""

from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import nn

from cam_variants import BACKBONE, VARIANTS, build_variant, guides, variant_id
from weakseg.backbones.backbone import build_backbone
from weakseg.errors import WeaksegError
from weakseg.methods.affinitynet.network import AffinityNet
from weakseg.ops.maps import strided_size
from weakseg.segmentation.networks import SEGMENTATION_NETWORKS, build_segmentation
from weakseg.training.checkpoint import load_weights, save_weights
from weakseg.training.device import build_fabric
from weakseg.training.log import MetricsLog
from weakseg.training.train import Schedule, fit

CLASSES, SIDE = 4, 64


@dataclass(frozen=True)
class Case:
    """A network: how to build it, what it learns from, and what it answers for images of a size."""

    kind: str
    name: str
    backbone: str
    options: dict[str, Any] = field(default_factory=dict)

    def __str__(self):
        return f"{self.kind}-{variant_id((self.name, self.options))}-{self.backbone}"

    def build(self, seed=0):
        if self.kind == "cam":
            return build_variant((self.name, self.options), CLASSES, self.backbone, seed)
        torch.manual_seed(seed)
        if self.kind == "segmentation":
            own = SEGMENTATION_NETWORKS.get(self.name).Settings(**self.options)
            settings = {"n_labels": CLASSES + 1, "settings": own, **BACKBONE}
            return build_segmentation(self.name, backbone_name=self.backbone, **settings)
        return AffinityNet(build_backbone(self.backbone, **BACKBONE), radius=3)

    def targets(self, model, images):
        """What ``losses`` takes beside the images."""
        count, side, generator = len(images), images.shape[-1], torch.Generator().manual_seed(1)
        if self.kind == "cam":
            tags = torch.randint(0, 2, (count, CLASSES), generator=generator).float()
            return tags, *guides(model, images)
        cells = side if self.kind == "segmentation" else side // 8
        labels = torch.randint(0, CLASSES + 1, (count, cells, cells), generator=generator)
        labels[:, :2] = 255
        return (labels,)

    def answers(self, model, images):
        """All that it says of images, each with the images in front: of CAMs the logits and, as the logits show
        neither context modules nor side branches nor words, the maps.
        """
        if self.kind != "cam":
            return [model(images)]
        views = torch.stack([images, images.flip(-1)], dim=1)
        return [model.logits(images), torch.stack([model.scale_maps(pair, torch.ones(CLASSES)) for pair in views])]

    def answer_shapes(self, model, height, width):
        """Of one image; the size of maps, None, is the method's affair."""
        if self.kind == "cam":
            return [(CLASSES,), (CLASSES + model.background, None, None)]
        if self.kind == "segmentation":
            return [(CLASSES + 1, height, width)]
        channels = sum(layer.out_channels for layer in model.head.reduce)
        return [(channels, *strided_size((height, width), 8))]


BACKBONES = ("test_resnet", "test_efficientnet")
DECODERS = ("deeplabv3plus", "deeplabv3", "segformer", "upernet")
NARROW = {"deeplabv1": {"width": 32}, **{name: {"decoder_channels": 32} for name in DECODERS}}
"""Of segmentation networks, to save time."""
NETWORKS = [
    *(("cam", *variant) for variant in VARIANTS),
    ("affinity", "affinitynet", {}),
    *(("segmentation", name, NARROW.get(name, {})) for name in SEGMENTATION_NETWORKS.names()),
]
CASES = [
    Case(kind, name, backbone, options)
    for kind, name, options in NETWORKS
    for backbone in (BACKBONES if kind != "segmentation" or name == "deeplabv3plus" else BACKBONES[:1])
]


@pytest.fixture(params=CASES, ids=str, scope="module")
def case(request):
    return request.param


def photos(count, height=SIDE, width=SIDE):
    return torch.randn(count, 3, height, width, generator=torch.Generator().manual_seed(2))


def test_a_seed_decides_the_weights(case):
    first, again, other = (case.build(seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_it_says_how_images_are_normalised(case):
    model = case.build()
    assert len(model.mean) == len(model.std) == 3
    assert all(0 < value < 1 for value in (*model.mean, *model.std))


def test_losses_are_scalars_that_reach_new_and_old_parameters(case):
    model = case.build().train()
    terms = model.losses(photos(2), *case.targets(model, photos(2)))
    assert terms
    assert all(term.ndim == 0 and torch.isfinite(term) and term >= 0 for term in terms.values())
    sum(terms.values()).backward()
    new = model.new_parameters()
    assert new
    assert all(parameter.grad is not None and torch.isfinite(parameter.grad).all() for parameter in new)
    assert all(parameter.grad.any() for parameter in new)
    old = set(model.backbone.parameters()) if hasattr(model, "backbone") else set()
    assert not old & set(new)
    assert old | set(new) == set(model.parameters())
    moved = [parameter for parameter in old if parameter.grad is not None and parameter.grad.any()]
    assert len(moved) > 3 or not old
    assert all(parameter.requires_grad for parameter in moved)


def seeded_losses(model, images, targets, seed):
    torch.manual_seed(seed)
    return model.losses(images, *targets)


def test_losses_do_not_depend_on_the_order_of_the_images(case):
    model = case.build().eval()
    images, targets = photos(3), case.targets(model, photos(3))
    terms, again = seeded_losses(model, images, targets, 0), seeded_losses(model, images, targets, 1)
    assert terms.keys() == again.keys()
    if any(not torch.equal(terms[name], again[name]) for name in terms):
        pytest.skip("it draws at random for each image")
    turned = model.losses(images.flip(0), *(target.flip(0) for target in targets))
    for name in terms:
        torch.testing.assert_close(terms[name], turned[name])


@pytest.mark.parametrize("size", [(64, 64), (33, 70), (100, 41)])
def test_inference_takes_any_size_and_each_image_alone(case, size):
    model = case.build().eval()
    images = photos(2, *size)
    with torch.inference_mode():
        answers, again = case.answers(model, images), case.answers(model, images)
        alone = case.answers(model, images[1:])
    shapes = case.answer_shapes(model, *size)
    for shape, answer, same, last in zip(shapes, answers, again, alone, strict=True):
        assert all(side in (None, found) for side, found in zip((2, *shape), answer.shape, strict=True))
        assert torch.isfinite(answer).all()
        assert torch.equal(answer, same)
        torch.testing.assert_close(last, answer[1:], rtol=1e-3, atol=1e-4)


@torch.no_grad()
def grow_old(model, batch):
    """Move every number of a network, as a long training does; memories fill in a step."""
    model.train().losses(*batch)
    for value in model.state_dict().values():
        value.add_(torch.rand_like(value) / 10) if value.is_floating_point() else value.fill_(7)


def everything(case, model, batch):
    """What it answers, and its losses in training: these show what is for training only."""
    with torch.no_grad():
        answers = case.answers(model.eval(), batch[0])
        return [*answers, *seeded_losses(model.train(), batch[0], batch[1:], seed=0).values()]


def test_weights_are_saved_and_loaded(case, tmp_path):
    model, other = case.build(0), case.build(1)
    batch = photos(2), *case.targets(model, photos(2))
    grow_old(model, batch)
    saved = {name: value.clone() for name, value in model.state_dict().items()}
    save_weights(tmp_path / "weights.safetensors", model)
    assert not any(torch.equal(value, saved[name]) for name, value in other.state_dict().items())
    load_weights(tmp_path / "weights.safetensors", other)
    assert all(torch.equal(value, saved[name]) for name, value in other.state_dict().items())
    expected, found, untrained = (everything(case, network, batch) for network in (model, other, case.build(1)))
    assert all(torch.isfinite(value).all() for value in expected)
    assert all(torch.equal(*pair) for pair in zip(expected, found, strict=True))
    assert not any(torch.equal(*pair) for pair in zip(expected, untrained, strict=True))


def test_weights_of_another_network_are_refused(case, tmp_path):
    save_weights(tmp_path / "weights.safetensors", nn.Linear(2, 2))
    with pytest.raises(WeaksegError, match=r"weights\.safetensors: cannot load"):
        load_weights(tmp_path / "weights.safetensors", case.build())


class Examples:
    """Four fixed examples."""

    def __init__(self, case):
        self.images, self.targets = photos(4), case.targets(case.build(), photos(4))

    def __len__(self):
        return 4

    def example(self, index):
        return self.images[index], *(target[index] for target in self.targets)


@torch.no_grad()
def total(model, examples):
    return sum(float(term) for term in seeded_losses(model, examples.images, examples.targets, seed=0).values())


# The CAM methods have theirs in tests/models/test_cam_contract.py, on scenes.
# Of the segmentation networks those with losses of their own are enough.
@pytest.mark.parametrize(
    "case",
    [
        case
        for case in CASES
        if case.kind == "affinity" or (case.kind == "segmentation" and case.name in ("deeplabv3plus", "deeplabv2"))
    ],
    ids=str,
)
def test_the_training_loop_takes_it_and_the_loss_falls(case, tmp_path):
    model, examples = case.build(), Examples(case)
    before = total(model, examples)
    schedule = Schedule(epochs=30, batch_size=4, lr=0.003, momentum=0.9)
    log = MetricsLog(tmp_path / "log.jsonl")
    fit(model, examples, schedule, tmp_path, fabric=build_fabric("cpu"), seed=0, title="contract", log=log)
    trained = case.build(1)
    load_weights(tmp_path / "weights.safetensors", trained)
    assert total(trained.train(), examples) < before
