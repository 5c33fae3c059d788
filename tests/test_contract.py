"""One contract for every network of the registries: build, losses, backward, inference, save and load."""

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import nn

from weakseg.engine.checkpoint import load_weights, save_weights
from weakseg.engine.device import build_fabric
from weakseg.engine.log import MetricsLog
from weakseg.engine.train import Schedule, fit
from weakseg.errors import WeaksegError
from weakseg.models.affinitynet import AffinityNet
from weakseg.models.backbones import build_backbone
from weakseg.models.cams import CAM_METHODS, build_cam
from weakseg.models.segmentation import SEGMENTATION_NETWORKS, build_segmentation
from weakseg.ops.maps import strided_size

CLASSES, SIDE = 4, 64


@dataclass(frozen=True)
class Case:
    """A network: how to build it, what it learns from, and what it answers for images of a size."""

    kind: str
    name: str
    backbone: str

    def build(self, seed=0):
        torch.manual_seed(seed)
        options: dict[str, Any] = {"output_stride": 16, "dilation": False, "batch_norm": "frozen", "weights": "none"}
        if self.kind == "segmentation":
            return build_segmentation(self.name, backbone_name=self.backbone, n_labels=CLASSES + 1, **options)
        backbone = build_backbone(self.backbone, **options)
        if self.kind == "cam":
            return build_cam(self.name, backbone, CLASSES)
        return AffinityNet(backbone, radius=3)

    def targets(self, model, count, side=SIDE):
        """What ``losses`` takes beside the images."""
        generator = torch.Generator().manual_seed(1)
        if self.kind == "cam":
            tags = torch.randint(0, 2, (count, CLASSES), generator=generator).float()
            return tags, *(guide(name, count, side) for name in model.guides)
        cells = side if self.kind == "segmentation" else side // 8
        labels = torch.randint(0, CLASSES + 1, (count, cells, cells), generator=generator)
        labels[:, :2] = 255
        return (labels,)

    def answer(self, model, images):
        return model.logits(images) if self.kind == "cam" else model(images)

    def answer_shape(self, model, height, width):
        if self.kind == "cam":
            return (CLASSES,)
        if self.kind == "segmentation":
            return (CLASSES + 1, height, width)
        channels = sum(layer.out_channels for layer in model.head.reduce)
        return (channels, *strided_size((height, width), 8))


def guide(name, count, side):
    """A guide of photos that leave the two lowest rows of the crop empty: 1, or super-pixels of 8 x 8."""
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    labels = torch.ones(side, side, dtype=torch.int64)
    if name == "superpixels":
        labels = rows // 8 * (side // 8) + columns // 8 + 1
    return torch.where(rows < side - 2, labels, 0).expand(count, side, side)


BACKBONES = ("test_resnet", "test_efficientnet")
CASES = [
    Case(kind, name, backbone)
    for kind, names in (("cam", CAM_METHODS), ("affinity", ["affinitynet"]), ("segmentation", SEGMENTATION_NETWORKS))
    for name in names
    for backbone in BACKBONES
]


@pytest.fixture(params=CASES, ids=lambda case: f"{case.kind}-{case.name}-{case.backbone}", scope="module")
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
    terms = model.losses(photos(2), *case.targets(model, 2))
    assert terms
    assert all(term.ndim == 0 and torch.isfinite(term) and term >= 0 for term in terms.values())
    sum(terms.values()).backward()
    new = model.new_parameters()
    assert new
    assert all(parameter.grad is not None and torch.isfinite(parameter.grad).all() for parameter in new)
    old = set(model.backbone.parameters())
    assert not old & set(new)
    assert old | set(new) == set(model.parameters())
    moved = [parameter for parameter in old if parameter.grad is not None and parameter.grad.any()]
    assert len(moved) > 3
    assert all(parameter.requires_grad for parameter in moved)


def seeded_losses(model, images, targets, seed):
    torch.manual_seed(seed)
    return model.losses(images, *targets)


def test_losses_do_not_depend_on_the_order_of_the_images(case):
    model = case.build().eval()
    images, targets = photos(3), case.targets(model, 3)
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
        answer = case.answer(model, images)
        assert answer.shape == (2, *case.answer_shape(model, *size))
        assert torch.isfinite(answer).all()
        assert torch.equal(answer, case.answer(model, images))
        torch.testing.assert_close(case.answer(model, images[1:]), answer[1:], rtol=1e-3, atol=1e-4)


def test_weights_are_saved_and_loaded(case, tmp_path):
    model = case.build(0).eval()
    save_weights(tmp_path / "weights.safetensors", model)
    other = case.build(1).eval()
    images = photos(1)
    with torch.inference_mode():
        expected = case.answer(model, images)
        assert not torch.equal(case.answer(other, images), expected)
        load_weights(tmp_path / "weights.safetensors", other)
        assert torch.equal(case.answer(other, images), expected)


def test_weights_of_another_network_are_refused(case, tmp_path):
    save_weights(tmp_path / "weights.safetensors", nn.Linear(2, 2))
    with pytest.raises(WeaksegError, match=r"weights\.safetensors: cannot load"):
        load_weights(tmp_path / "weights.safetensors", case.build())


class Examples:
    """Four fixed examples."""

    def __init__(self, case):
        self.images, self.targets = photos(4), case.targets(case.build(), 4)

    def __len__(self):
        return 4

    def example(self, index):
        return self.images[index], *(target[index] for target in self.targets)


def total(model, examples):
    """The loss, always of the same draws: of many, as CPN's loss depends on what is hidden."""
    draws = [seeded_losses(model, examples.images, examples.targets, seed) for seed in range(10)]
    return sum(float(term.detach()) for terms in draws for term in terms.values()) / len(draws)


def test_the_training_loop_takes_it_and_the_loss_falls(case, tmp_path):
    model, examples = case.build(), Examples(case)
    before = total(model, examples)
    schedule = Schedule(epochs=60, batch_size=4, lr=0.003, momentum=0.9)
    log = MetricsLog(tmp_path / "log.jsonl")
    fit(model, examples, schedule, tmp_path, fabric=build_fabric("cpu"), seed=0, title="contract", log=log)
    trained = case.build(1)
    load_weights(tmp_path / "weights.safetensors", trained)
    after = total(trained.train(), examples)
    assert after < before
