"""IRNet from class maps to a trained network (Ahn, Cho and Kwak, CVPR 2019).

Confident labels of every photo come first, by two backgrounds and a dense CRF. From these the network learns boundaries
and displacements to objects' centres; after the training it is told the mean displacement, which it then subtracts.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn

from weakseg.backbones.backbone import Backbone
from weakseg.data.classmaps import ClassMaps
from weakseg.data.examples import LabelledExamples
from weakseg.data.images import read_mask, write_mask
from weakseg.data.sample import Array, Classes, ImageSet
from weakseg.data.transforms import Augmentation
from weakseg.methods.base import AffinityMethod, ReadMaps
from weakseg.methods.irnet.labels import ir_label
from weakseg.methods.irnet.network import STRIDE, Canvas, IRNet
from weakseg.ops.densecrf.crf import PRESETS, dense_crf, unary_from_labels
from weakseg.ops.pairs import check_crop
from weakseg.refine.background import BackgroundSettings, add_background
from weakseg.refine.steps import Certainty, Preset
from weakseg.settings import Range, settings
from weakseg.training.optim import Schedule
from weakseg.training.sampling import ExampleSource


@settings
class IRNetSettings:
    """IRNet: boundaries between pixels of different classes, and displacements to objects' centres."""

    foreground: BackgroundSettings = BackgroundSettings(threshold=0.30)
    """A rule that makes much background: what wins against it is certainly of its class."""
    background: BackgroundSettings = BackgroundSettings(threshold=0.05)
    """A rule that makes little background: where it wins is certainly background."""
    crf: Preset | None = None
    """Preset of the dense CRF on the labels of both; null for none."""
    certainty: Certainty = 0.7
    """Probability that a label is right, from which the dense CRF starts."""
    radius: Range = 10
    """Pairs are closer than this many map pixels (4 photo pixels each)."""
    displacement: bool = True
    """Also learn displacements to the centres of objects; only the stage instances reads them."""
    canvas: Canvas = "photo"
    """What a photo is laid on after the training, with padding at the right and the bottom: a square of so many pixels,
    512 in the released code, which a longer side exceeds; or "photo": the photo alone. Group normalisation sees the
    padding: take the size of crops that were padded as much in training."""
    augment: Augmentation = Augmentation()
    """Random changes of the training photos."""
    train: Schedule = Schedule()
    """How long and how fast to train; ``lr`` is of the boundary branch, ``new_lr_factor`` times it of the
    displacement."""

    def __post_init__(self) -> None:
        check_crop(self.augment.crop, STRIDE, self.radius)


class IRNetMethod(AffinityMethod):
    """Confident labels, and the network that learns from them."""

    Settings: ClassVar[type[Any]] = IRNetSettings
    step: ClassVar[str] = "boundary_walk"
    settings: IRNetSettings

    def network(self, backbone: Backbone) -> IRNet:
        """See `IRNet`."""
        own = self.settings
        return IRNet(backbone, radius=own.radius, displacement=own.displacement, canvas=own.canvas)

    def labels_file(self, folder: Path, name: str) -> Path | None:
        """The mask of confident labels."""
        return folder / "labels" / f"{name}.png"

    def write_labels(
        self, image: Array, maps: ClassMaps, folder: Path, name: str, classes: Classes, device: torch.device
    ) -> None:
        """What is certainly a class or background; see `weakseg.methods.irnet.labels.ir_label`."""
        own = self.settings

        def refine(photo: Tensor, labels: Tensor, n_labels: int) -> Tensor:
            if own.crf is None:
                return labels
            unary = unary_from_labels(labels.to(device), n_labels, own.certainty)
            return dense_crf(photo, unary, PRESETS[own.crf]).argmax(dim=0).cpu()

        strict, lenient = add_background(maps, own.foreground), add_background(maps, own.background)
        labels = ir_label(torch.from_numpy(image), strict.scores, lenient.scores, strict.classes[1:], refine)
        path = self.labels_file(folder, name)
        assert path is not None
        write_mask(path, classes.to_values(labels.numpy()), classes.palette)

    def examples(
        self, images: ImageSet, read_maps: ReadMaps, folder: Path, normalisation: tuple[Any, Any]
    ) -> ExampleSource:
        """Photos with their confident labels."""
        classes = images.classes
        return LabelledExamples(
            images,
            lambda sample, _: classes.to_labels(read_mask(folder / "labels" / f"{sample.id}.png")),
            self.settings.augment,
            *normalisation,
        )

    def finish(self, network: nn.Module, photos: Iterable[Tensor]) -> dict[str, Any]:
        """Measure the mean displacement over all training photos, which the network then subtracts."""
        model = cast(IRNet, network)
        if model.displacement is None:
            return {}
        model.calibrate(photos)
        return {"mean_shift": [float(value) for value in model.mean_shift]}

    def label_bytes(self, pixels: int) -> float:
        """One mask."""
        return 0.1 * pixels
