"""A package beside weakseg, with one toy of every kind that entry points can add."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from weakseg.backbones.backbone import Backbone, BackboneSettings
from weakseg.data.classmaps import ClassMaps
from weakseg.data.examples import LabelledExamples
from weakseg.data.images import voc_palette
from weakseg.data.sample import Array, Classes, ImageSet, Sample, Source
from weakseg.data.transforms import Augmentation
from weakseg.exporters.base import Exported, Exporter, ExportJob
from weakseg.methods.base import AffinityMethod, BuildBackbone, ReadMaps, SeedMethod, Views
from weakseg.ops.maps import resize_maps, strided_size
from weakseg.refine.background import BackgroundSettings, add_background
from weakseg.refine.base import RefinementStep
from weakseg.segmentation.base import SegmentationNetwork
from weakseg.settings import PositiveInt, settings
from weakseg.training.optim import Schedule
from weakseg.training.sampling import ExampleSource

COLOURS = {"red": (220, 30, 30), "green": (30, 200, 30), "blue": (30, 30, 220)}


@dataclass(frozen=True)
class Square:
    """A grey picture of 48 x 64 with a coloured square, or its mask; runs tell them apart by their reprs."""

    index: int
    masked: bool

    def __call__(self) -> Array:
        number, top, left = self.index % len(COLOURS), 4 + self.index % 9, 6 + 3 * (self.index % 7)
        square = (slice(top, top + 24), slice(left, left + 30))
        if self.masked:
            values = np.zeros((48, 64), np.uint8)
            values[square] = number + 1
            return values
        picture = np.full((48, 64, 3), 120, np.uint8)
        picture[square] = list(COLOURS.values())[number]
        return picture


def open_toys(options: str) -> Source:
    """``toys:N``: N pictures with a square of the colour that the tag names, and as many to judge by."""
    names, count = list(COLOURS), int(options)

    def sample(split: str, index: int) -> Sample:
        number = index + (count if split == "val" else 0)
        return Sample(f"{split}{index}", Square(number, False), (names[number % 3],), Square(number, True))

    splits = {split: [sample(split, index) for index in range(count)] for split in ("train", "val")}
    return Source(f"toys:{options}", Classes(tuple(names), (1, 2, 3), voc_palette()), splits)


@settings
class ColoursSettings:
    """Of `Colours`."""

    width: PositiveInt = 80
    """Largest difference to a class's colour at which there is some evidence, in grey levels."""


class Colours(SeedMethod):
    """Seeds without any training: evidence is likeness to the colour that a class is called after."""

    Settings: ClassVar[type[Any]] = ColoursSettings

    def __init__(self, names: Sequence[str], settings: ColoursSettings) -> None:
        super().__init__()
        own = [COLOURS.get(name, (255, 255, 255)) for name in names]
        self.register_buffer("colours", torch.tensor(own, dtype=torch.float32))
        self.width = settings.width

    @classmethod
    def build(cls, names: Sequence[str], settings: Any, backbone: BuildBackbone) -> Colours:
        return cls(names, settings)

    def class_maps(self, photo: Tensor, tags: Tensor, views: Views) -> Tensor:
        wanted = self.colours[tags > 0]
        distance = (photo.float()[None] - wanted[:, :, None, None]).abs().mean(dim=1)
        size = strided_size((photo.shape[1], photo.shape[2]), views.stride)
        return resize_maps((1 - distance / self.width).clamp(min=0), size)


@settings
class NeighboursSettings:
    """Of `Neighbours`."""

    augment: Augmentation = Augmentation(crop=32)
    """Of the training photos."""
    train: Schedule = Schedule(epochs=1, batch_size=4, lr=0.01)
    """How long and how fast to train."""


class Edges(nn.Module):
    """Normalised images (N, 3, H, W) -> how much of an edge each pixel is (N, 1, H, W)."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.mean, self.std = backbone.mean, backbone.std
        self.convolution = nn.Conv2d(3, 1, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        return self.convolution(images)

    def losses(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        known = (labels != 255)[:, None].float()
        target = (labels[:, None] == 0).float()
        return {"edges": (F.binary_cross_entropy_with_logits(self(images), target, reduction="none") * known).mean()}

    def new_parameters(self) -> list[nn.Parameter]:
        return list(self.parameters())


class Neighbours(AffinityMethod):
    """An affinity method of a single convolution."""

    Settings: ClassVar[type[Any]] = NeighboursSettings
    step: ClassVar[str] = "toy_blur"

    def network(self, backbone: Backbone) -> Edges:
        return Edges(backbone)

    def examples(
        self, images: ImageSet, read_maps: ReadMaps, folder: Path, normalisation: tuple[Any, Any]
    ) -> ExampleSource:
        def labels(sample: Sample, size: tuple[int, int]) -> Array:
            found = add_background(read_maps(sample), BackgroundSettings())
            return np.array([*found.classes], np.uint8)[found.scores.argmax(dim=0).numpy()]

        return LabelledExamples(images, labels, self.settings.augment, *normalisation)


@settings
class BlurSettings:
    """Of `Blur`."""

    side: PositiveInt = 3
    """Of the square that scores are averaged over, in pixels, odd."""


class Blur(RefinementStep):
    """Average scores over squares where the network of `Neighbours` sees no edge."""

    Settings: ClassVar[type[Any]] = BlurSettings
    affinity: ClassVar[str | None] = "toy-neighbours"

    def __call__(self, image: Array, maps: ClassMaps) -> ClassMaps:
        photo = torch.from_numpy(image).permute(2, 0, 1).float()[None].to(self.device) / 255
        flat = 1 - torch.sigmoid(self.network(photo))[0]
        scores = resize_maps(maps.scores, maps.size).to(self.device)
        side = self.settings.side
        mean = F.avg_pool2d(scores[None], side, stride=1, padding=side // 2, count_include_pad=False)[0]
        return replace(maps, scores=torch.lerp(scores, mean, flat).cpu())


@settings
class PixelsSettings:
    """Of `Pixels`."""

    width: PositiveInt = 16
    """Of the hidden layer."""


class Pixels(SegmentationNetwork):
    """A segmentation network that looks at colours alone; the backbone is of no use to it."""

    Settings: ClassVar[type[Any]] = PixelsSettings
    batch_statistics: ClassVar[bool] = False
    mean, std = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)

    def __init__(self, n_labels: int, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, width, 1), nn.ReLU(), nn.Conv2d(width, n_labels, 1))

    @classmethod
    def build(cls, backbone: BackboneSettings, n_labels: int, settings: Any) -> Pixels:
        return cls(n_labels, settings.width)

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images)


class CountsExporter(Exporter):
    """An exporter from outside: how many pixels of each class a photo has, as a table."""

    about: ClassVar[str] = "a table of pixels"

    def __call__(self, job: ExportJob) -> Exported:
        rows = [(photo.id, np.bincount(photo.labels().ravel(), minlength=2)) for photo in job.masks.checked()]
        text = "".join(f"{name},{','.join(map(str, counts))}\n" for name, counts in rows)
        (job.out / "pixels.csv").write_text(text, encoding="utf-8")
        return Exported({"photos": len(rows)}, ("pixels.csv",))
