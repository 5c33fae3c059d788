"""Training examples of AffinityNet: a photo and its affinity labels, augmented together."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor
from torchvision import tv_tensors

from weakseg.data.sample import ImageSet, Sample
from weakseg.data.transforms import RGB, Augmentation, build_transform, to_tensor
from weakseg.methods.affinitynet.labels import affinity_seeds

ReadSeeds = Callable[[Sample], tuple[Tensor, Tensor, Sequence[int]]]


class AffinityExamples:
    """(image (3, crop, crop), labels (crop/stride, crop/stride) int64): for the affinity network."""

    def __init__(
        self, images: ImageSet, read_seeds: ReadSeeds, augmentation: Augmentation, mean: RGB, std: RGB, *, stride: int
    ) -> None:
        """Draw from ``images``.

        Args:
            images: photos.
            read_seeds: a sample's scores (K+1, H, W) at low and at high alpha, background first, and the K labels.
            augmentation: joint; its crop must be a multiple of ``stride``.
            mean: of the network's input.
            std: of the network's input.
            stride: of the affinity map.
        """
        self._images, self._read_seeds, self._stride = images, read_seeds, stride
        self._transform = build_transform(augmentation, mean, std, mask_fill=0)

    def __len__(self) -> int:
        return len(self._images)

    def example(self, index: int) -> tuple[Tensor, Tensor]:
        """One augmented photo and its affinity labels: 0 background, c + 1 class c, 255 unknown."""
        sample = self._images.samples[index]
        low, high, classes = self._read_seeds(sample)
        image, low, high = self._transform(to_tensor(sample.read_image()), tv_tensors.Mask(low), tv_tensors.Mask(high))
        low, high = (scores.as_subclass(Tensor) for scores in (low, high))
        return image.as_subclass(Tensor), affinity_seeds(low, high, classes, pool=self._stride).long()
