"""What the pipeline asks of a method: seeds (photo and tags to class maps) and affinities (maps to better maps)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

import torch
from annotated_types import MinLen
from torch import Tensor, nn

from weakseg.backbones.backbone import Backbone
from weakseg.data.classmaps import ClassMaps
from weakseg.data.sample import Array, Classes, ImageSet, Sample
from weakseg.methods.multiscale import merged_maps, multi_scale_maps, scale_evidence
from weakseg.ops.maps import max_normalise, strided_size
from weakseg.settings import Count, PositiveInt, Scale, Unit, settings
from weakseg.training.sampling import ExampleSource

BuildBackbone = Callable[[], Backbone]


@settings
class Views:
    """How often and how finely a photo is looked at."""

    scales: Annotated[tuple[Scale, ...], MinLen(1)] = (1.0, 0.5, 1.5, 2.0)
    """Factors of the photo's size at which it is looked at."""
    flip: bool = True
    """Also look at the mirrored photo."""
    stride: PositiveInt = 4
    """Pixels of the photo per pixel of the maps, a side."""
    full: bool = False
    """Also add the maps up at the photo's size, as IRNet's and VWE's codes do, for confident labels, backgrounds and
    scores; random walks start from the others. It takes stride^2 times their disk space. Without it they are enlarged.
    """


class SeedMethod(nn.Module, ABC):
    """Photo and tags -> evidence of the tagged classes. Without ``losses`` it needs no training.

    Attributes:
        Settings: the class of its settings, a `weakseg.settings.settings`.
        background: whether its maps have one of the background, first.
        trained: whether it learns from the tags (`CamMethod`).
    """

    Settings: ClassVar[type[Any]]
    background: ClassVar[bool] = False
    trained: ClassVar[bool] = False

    @classmethod
    @abstractmethod
    def build(cls, names: Sequence[str], settings: Any, backbone: BuildBackbone) -> Self:
        """Make it.

        Args:
            names: of the classes, without the background.
            settings: of ``Settings``.
            backbone: builds the recipe's backbone, for methods that want it.

        Raises:
            WeaksegError: settings and backbone do not fit each other.
        """

    @abstractmethod
    def class_maps(self, photo: Tensor, tags: Tensor, views: Views) -> Tensor:
        """Evidence of the tagged classes in class order, after that of the background where ``background`` holds.

        Args:
            photo: uint8 RGB (3, H, W), on the method's device.
            tags: float zeros and ones, (C,).
            views: scales, flip and stride; a method that has views of its own may ignore all but the stride.

        Returns:
            float32 (K, ⌈H / stride⌉, ⌈W / stride⌉) in [0, 1]; no map for a photo without tags.
        """

    def both_maps(self, photo: Tensor, tags: Tensor, views: Views) -> tuple[Tensor, Tensor]:
        """`class_maps`, and the same at the photo's size, (K, H, W), for ``views.full``."""
        return self.class_maps(photo, tags, views), self.class_maps(photo, tags, replace(views, stride=1))


@settings
class CamSettings:
    """What every CAM method has."""

    dropout: Unit = 0.0
    """Probability of dropping a feature channel of the coarsest level in training; the codes of AffinityNet, SEAM and
    CPN have 0.5, the others none."""
    frozen_levels: Count = 0
    """How many of the backbone's finest levels are not trained; IRNet 3 on a ResNet (up to layer2)."""
    warm_up: Unit = 0.0
    """Share of the training in which only the classification loss is used. The released codes have none; a network that
    starts far from the tags gains from it."""


class CamMethod(SeedMethod):
    """A classifier of tags with localisation evidence.

    Localisation calls `scale_maps` once per scale, resizes the results to one size, sums them, keeps the tagged
    classes (and the background, where there is one) and calls `merge`.

    Args:
        backbone: the network below.
        n_outputs: of the linear classifier: C, or C + 1 where it scores the background too.
        settings: see `CamSettings`.

    Attributes:
        guides: what `losses` wants per photo beside the image and its tags, with options, by name: "valid" (1 inside
            the photo, 0 in the crop's padding) or "superpixels" (labels from 1, 0 in the padding).
        mean: and ``std``: the normalisation of RGB in [0, 1] that the network expects.
        progress: share of the training that is done; the training loop sets it before each step.
        full_cell: maps at a photo's size are added up at the next multiple of it and cut.

    Raises:
        WeaksegError: ``frozen_levels`` is more than the backbone has.
    """

    Settings: ClassVar[type[CamSettings]] = CamSettings
    trained: ClassVar[bool] = True
    guides: Mapping[str, Mapping[str, Any]] = {}
    full_cell: ClassVar[int] = 1

    def __init__(self, backbone: Backbone, n_outputs: int, settings: CamSettings) -> None:
        super().__init__()
        backbone.freeze_levels(settings.frozen_levels)
        self.backbone = backbone
        self.mean, self.std = backbone.mean, backbone.std
        self.warm_up, self.progress = settings.warm_up, 0.0
        self.dropout = nn.Dropout2d(settings.dropout)
        self.classifier = nn.Conv2d(backbone.channels[-1], n_outputs, 1, bias=False)
        nn.init.xavier_uniform_(self.classifier.weight)

    @classmethod
    def build(cls, names: Sequence[str], settings: Any, backbone: BuildBackbone) -> Self:
        """A network for the classes; see `SeedMethod.build`."""
        return cls(backbone(), len(names), settings)

    def class_maps(self, photo: Tensor, tags: Tensor, views: Views) -> Tensor:
        """Maps over scales and flips; see `SeedMethod.class_maps` and `weakseg.methods.multiscale`."""
        return multi_scale_maps(self, photo, tags, scales=views.scales, flip=views.flip, stride=views.stride)

    def both_maps(self, photo: Tensor, tags: Tensor, views: Views) -> tuple[Tensor, Tensor]:
        """Maps over scales and flips, the same evidence added up at two sizes; see `SeedMethod.both_maps`."""
        evidence = scale_evidence(self, photo, tags, scales=views.scales, flip=views.flip)
        height, width = photo.shape[-2:]
        cell = self.full_cell
        enlarged = (-(-height // cell) * cell, -(-width // cell) * cell)
        strided = merged_maps(self, evidence, strided_size((height, width), views.stride))
        return strided, merged_maps(self, evidence, enlarged, cut=(height, width))

    @property
    def warmed_up(self) -> bool:
        """Whether the losses beside the classification are used by now."""
        return self.progress >= self.warm_up

    @abstractmethod
    def logits(self, images: Tensor) -> Tensor:
        """Normalised images (N, 3, H, W) -> one logit per tag (N, C)."""

    @abstractmethod
    def losses(self, images: Tensor, tags: Tensor, *guides: Tensor) -> dict[str, Tensor]:
        """Training losses by name, scalars to be summed; "classification" is among them.

        Args:
            images: normalised, (N, 3, H, W).
            tags: float zeros and ones, (N, C).
            guides: integer (N, H, W), in the order of ``self.guides``.
        """

    @abstractmethod
    def scale_maps(self, views: Tensor, tags: Tensor) -> Tensor:
        """Evidence at one scale, the flip merged.

        Args:
            views: a normalised image and, as a rule, its horizontal flip: (1 or 2, 3, h, w).
            tags: float zeros and ones, (C,). Rows of untagged classes may hold anything: callers leave them out.

        Returns:
            Raw evidence, (C, h', w') at the method's stride, or (C + 1, h', w') where ``background`` holds.
        """

    def merge(self, maps: Tensor) -> Tensor:
        """Evidence summed over scales (K, H, W) -> maps in [0, 1]. By default divided by maximum + 1e-5 per channel."""
        return max_normalise(maps)

    def new_parameters(self) -> list[nn.Parameter]:
        """The parameters that do not come from the backbone; all papers train them with 10 times its learning rate."""
        known = set(self.backbone.parameters())
        return [parameter for parameter in self.parameters() if parameter not in known]


ReadMaps = Callable[[Sample], ClassMaps]


class AffinityMethod(ABC):
    """A network that learns from the confident parts of class maps which pixels belong together.

    Its network is trained by the stage relate; the refinement step ``step`` uses it.

    Args:
        settings: of ``Settings``, which has the fields ``augment`` and ``train``.

    Attributes:
        Settings: the class of its settings.
        step: the name of the refinement step that walks over its affinities.
    """

    Settings: ClassVar[type[Any]]
    step: ClassVar[str]

    def __init__(self, settings: Any) -> None:
        self.settings = settings

    @abstractmethod
    def network(self, backbone: Backbone) -> nn.Module:
        """The network, a `weakseg.training.train.Trainable` with the ``mean`` and ``std`` of its input.

        Raises:
            WeaksegError: settings and backbone do not fit each other.
        """

    def labels_file(self, folder: Path, name: str) -> Path | None:
        """The file whose presence says that the labels of a photo are made; None if they are made when read."""
        return None

    def write_labels(
        self, image: Array, maps: ClassMaps, folder: Path, name: str, classes: Classes, device: torch.device
    ) -> None:
        """Make the labels of a photo and write them, ``labels_file`` last.

        Args:
            image: uint8 RGB (H, W, 3).
            maps: its class maps.
            folder: for this method's files.
            name: id of the photo.
            classes: of the data set.
            device: where to compute.
        """
        raise NotImplementedError

    @abstractmethod
    def examples(
        self, images: ImageSet, read_maps: ReadMaps, folder: Path, normalisation: tuple[Any, Any]
    ) -> ExampleSource:
        """What the network learns from.

        Args:
            images: the training photos.
            read_maps: reads the class maps of a sample.
            folder: where ``write_labels`` has written.
            normalisation: mean and standard deviation of RGB in [0, 1] that the network expects.
        """

    def finish(self, network: nn.Module, photos: Iterable[Tensor]) -> dict[str, Any]:
        """What is left to be set after the training, in place; what it gives is kept in the manifest.

        Args:
            network: trained, in eval mode.
            photos: uint8 (3, H, W) on the network's device; not read unless iterated.

        Returns:
            nothing if the network stays as it is.
        """
        return {}

    def label_bytes(self, pixels: int) -> float:
        """About how many bytes the labels of a photo take."""
        return 0.0
