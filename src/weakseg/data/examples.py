"""Training examples: a photo, augmented, with what a network learns from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision import tv_tensors

from weakseg.data.sample import Array, ImageSet, Sample
from weakseg.data.transforms import RGB, Augmentation, build_transform, to_tensor

ReadGuide = Callable[[Sample, Array], NDArray[np.integer[Any]]]
ReadLabels = Callable[[Sample, tuple[int, int]], Array]


class TaggedExamples:
    """(image (3, crop, crop), tags (C,), guides (crop, crop) int64 ...): for the classification network."""

    def __init__(
        self, images: ImageSet, augmentation: Augmentation, mean: RGB, std: RGB, guides: Sequence[ReadGuide] = ()
    ) -> None:
        """Draw from ``images``.

        Args:
            images: photos with tags.
            augmentation: joint, of the photo and its guides.
            mean: of the network's input.
            std: of the network's input.
            guides: each makes an integer map (H, W), positive everywhere, of a sample and its photo.
        """
        self._images, self._guides = images, guides
        self._transform = build_transform(augmentation, mean, std, mask_fill=0)

    def __len__(self) -> int:
        return len(self._images)

    def example(self, index: int) -> tuple[Tensor, ...]:
        """One augmented photo, its multi-hot tags, and its guides, which are 0 outside the photo."""
        sample = self._images.samples[index]
        photo = sample.read_image()
        guides = [tv_tensors.Mask(torch.from_numpy(guide(sample, photo).astype(np.int32))) for guide in self._guides]
        image, *turned = self._transform([to_tensor(photo), *guides])
        tags = torch.from_numpy(self._images.classes.multi_hot(sample.tags))
        return image.as_subclass(Tensor), tags, *(guide.as_subclass(Tensor).long() for guide in turned)


class LabelledExamples:
    """(image (3, crop, crop), labels (crop, crop) int64): for the segmentation network."""

    def __init__(
        self, images: ImageSet, read_labels: ReadLabels, augmentation: Augmentation, mean: RGB, std: RGB
    ) -> None:
        """Draw from ``images``; ``read_labels`` gives labels 0..C, 255 of a sample at its photo's size (H, W)."""
        self._images, self._read_labels = images, read_labels
        self._transform = build_transform(augmentation, mean, std, mask_fill=255)

    def __len__(self) -> int:
        return len(self._images)

    def example(self, index: int) -> tuple[Tensor, Tensor]:
        """One augmented photo and its mask; outside the photo the mask is 255."""
        sample = self._images.samples[index]
        photo = sample.read_image()
        found = self._read_labels(sample, (photo.shape[0], photo.shape[1]))
        mask = tv_tensors.Mask(torch.from_numpy(np.ascontiguousarray(found)))
        image, labels = self._transform(to_tensor(photo), mask)
        return image.as_subclass(Tensor), labels.as_subclass(Tensor).long()
