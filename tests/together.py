"""What several processes do in the tests of more than one device, and one process does to compare."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cam_variants import BACKBONE, build_variant, guide
from weakseg.backbones.backbone import build_backbone
from weakseg.methods.affinitynet.network import AffinityNet
from weakseg.methods.base import CamMethod
from weakseg.methods.irnet.network import IRNet
from weakseg.methods.vwe.codebooks import MemoryWords
from weakseg.segmentation.networks import build_segmentation
from weakseg.training.device import join_fabric
from weakseg.training.log import MetricsLog
from weakseg.training.optim import Schedule
from weakseg.training.photos import undone
from weakseg.training.ranks import rank, sharing
from weakseg.training.train import fit

SIDE, PHOTOS, CLASSES = 64, 7, 4
SCHEDULE = Schedule(epochs=20, batch_size=5, lr=0.01, momentum=0.9, clip=5.0)
"""A step of five photos: three for one process, two for the other; twenty steps."""


def cam(method: str, **options: Any) -> CamMethod:
    """A CAM network that draws nothing at random, so that its result can be the same whoever has which photo."""
    model = build_variant((method, options), CLASSES, "test_resnet")
    words = getattr(model, "words", None)
    if isinstance(words, MemoryWords):
        words.codebook.normal_()
        words.started.fill_(True)
    return model


def affinity(build: Callable[..., nn.Module], **options: Any) -> nn.Module:
    """An affinity network."""
    torch.manual_seed(0)
    return build(build_backbone("test_resnet", **BACKBONE), radius=3, **options)


def segmentation(balance: float) -> nn.Module:
    """A segmentation network without dropout, whose batch normalisation stays as it is."""
    torch.manual_seed(0)
    network: Any = build_segmentation("deeplabv3plus", backbone_name="test_resnet", n_labels=CLASSES + 1, **BACKBONE)
    network.balance = balance
    for layer in network.modules():
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.eval()
            layer.train = lambda mode=True, layer=layer: layer
    return network


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "cam": partial(cam, "cam"),
    "seam": partial(cam, "seam"),
    "cpn": partial(cam, "cpn", hide=0.0),
    "vwe": partial(cam, "vwe"),
    "vwl-l": partial(cam, "vwe", decorrelation=1.0),
    "vwl-m": partial(cam, "vwe", codebook="memory", rate=0.1),
    "sipe": partial(cam, "sipe"),
    "ae-sipe": partial(cam, "ae-sipe"),
    "late sipe": partial(cam, "sipe", warm_up=0.5),
    "affinitynet": partial(affinity, AffinityNet, levels=(2, 3), widths=(4, 8)),
    "irnet": partial(affinity, IRNet),
    "deeplabv3plus": partial(segmentation, 0.0),
    "balanced": partial(segmentation, 0.5),
}
"""By name: every loss there is, and a network that is not used whole from the first step on."""


class Examples:
    """Photos of a few boxes; each has other numbers of background, labels and pixels to ignore, and noise upon it."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def __len__(self) -> int:
        return PHOTOS

    def example(self, index: int) -> tuple[Tensor, ...]:
        """As the network's losses take it."""
        labels = torch.zeros(SIDE, SIDE, dtype=torch.int64)
        labels[: 4 + 8 * index] = 255
        labels[40:, : 12 + 6 * index] = 1 + index % CLASSES
        image = labels.clamp(max=CLASSES).float().expand(3, -1, -1) / CLASSES + torch.randn(3, SIDE, SIDE) / 4
        if isinstance(self._model, CamMethod):
            tags = torch.tensor([float(index % CLASSES == c or (index == 3 and c == 0)) for c in range(CLASSES)])
            return image, tags, *(guide(name, 1, SIDE, SIDE)[0] for name in self._model.guides)
        if isinstance(self._model, AffinityNet):
            return image, labels[::8, ::8]
        return image, labels


def train_all(folder: Path, names: list[str], devices: int) -> None:
    """Train networks, each in a folder of its name."""
    torch.set_num_threads(1)
    fabric = join_fabric("cpu", devices, 1, "32-true", threads=1)
    with sharing(fabric):
        for name in names:
            model: Any = NETWORKS[name]()

            def pace(share: float, model: Any = model) -> None:
                model.progress = share

            own, log = folder / name, MetricsLog(folder / name / "log.jsonl")
            options: dict[str, Any] = {"fabric": fabric, "seed": 3, "title": name, "log": log, "pace": pace}
            fit(model, Examples(model), SCHEDULE, own, **options)


def list_photos(folder: Path) -> None:
    """Write for each photo that is not there which process has had it."""
    with sharing(join_fabric("cpu", 2, 1, "32-true", threads=1)):
        photos = [f"dog{number}" for number in range(8)]
        for name, _ in undone(photos, str, folder.joinpath, title="list"):
            (folder / name).write_text(str(rank()))


def fail_in_one(error: Exception) -> None:
    """Raise in the second process, which the first waits for."""

    def load(name: str) -> None:
        if name == "second":
            raise error

    with sharing(join_fabric("cpu", 2, 1, "32-true", threads=1)):
        for _ in undone(["first", "second"], load, Path, title="fail"):
            pass
