"""selftrain: a segmentation network learns from pseudo masks and labels its own photos anew, held to their tags."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from weakseg.data.images import write_gray, write_mask
from weakseg.data.sample import BACKGROUND, IGNORE, Array, ImageSet, Sample
from weakseg.data.transforms import Augmentation
from weakseg.pipeline.stages.segment import segment
from weakseg.segmentation.base import SegmentationNetwork
from weakseg.segmentation.inference import PredictSettings, segment_photo
from weakseg.training.checkpoint import trained
from weakseg.training.optim import Schedule
from weakseg.training.photos import undone
from weakseg.training.progress import bar
from weakseg.training.ranks import rank_share, shared_out, told_by_first
from weakseg.training.train import WEIGHTS, Trainer, rise

ReadMask = Callable[[Sample], Array]
Output = Callable[[Sample], Path]


def selftrain(
    network: SegmentationNetwork,
    images: ImageSet,
    read_mask: ReadMask,
    masks: Output,
    confidence: Output,
    folder: Path,
    trainer: Trainer,
    *,
    augment: Augmentation,
    schedule: Schedule,
    views: PredictSettings,
    long_side: int | None,
    seed: int,
    rejected: Collection[str] = (),
    drawn: Collection[str] = (),
    learnt: ReadMask | None = None,
    unbalance: float = 0.0,
) -> dict[str, Any]:
    """Train a segmentation network into ``folder/weights.safetensors``, then write its masks of the same photos.

    A network that has seen many photos outvotes the errors of single masks, and the tags rule out its own confusions.

    Args:
        network: untrained, on a pretrained backbone.
        images: photos with tags.
        read_mask: reads the mask of a photo, uint8 (H, W) of the photo's own size, values as on disk.
        masks: where the new mask of a photo goes, a PNG in the values of the classes.
        confidence: where the probability of each pixel's label goes, a grey PNG of 0..255.
        folder: where to write the weights.
        trainer: device and log.
        augment: of photos and masks.
        schedule: how long and how fast to train.
        views: how the network looks at the photos that it labels.
        long_side: working size of the photos.
        seed: of order and augmentation.
        rejected: ids of photos that are labelled anew but not learnt from, as their masks are wrong.
        drawn: ids of photos whose mask is right and stays as it is.
        learnt: reads the mask that a photo is learnt with, 255 where it is not; by default ``read_mask``.
        unbalance: share of what rare labels gain by the network's ``balance`` that its output shall lack.

    Returns:
        steps and mean loss terms of the last steps; nothing where only the labelling was left to be done.
    """
    if told_by_first((folder / WEIGHTS).exists):  # the labelling was interrupted
        risen = rise(trainer.log, "selftrain")
        summary: dict[str, Any] = {} if risen is None else {"rose": risen}
    else:
        own: dict[str, Any] = {"augment": augment, "schedule": schedule, "seed": seed, "title": "selftrain"}
        teachers, read = images.without(rejected), learnt or read_mask
        if unbalance and network.balance:
            network.unbalance(label_counts(teachers, read), unbalance)
        summary = segment(network, teachers, read, folder, trainer, **own)
    device = trainer.fabric.device
    looks: dict[str, Any] = {"views": views, "long_side": long_side, "device": device, "workers": trainer.workers}
    looks["drawn"] = drawn
    label_anew(trained(network, folder / WEIGHTS, device), images, read_mask, masks, confidence, **looks)
    return summary


@torch.inference_mode()
def label_anew(
    network: nn.Module,
    images: ImageSet,
    read_mask: ReadMask,
    masks: Output,
    confidence: Output,
    *,
    views: PredictSettings,
    long_side: int | None,
    device: torch.device,
    workers: int = 0,
    drawn: Collection[str] = (),
) -> None:
    """Write a network's masks of photos with tags, but for those that are there.

    Only background and a photo's tags can win a pixel. A tag that wins none keeps its pixels of the mask before.

    Args:
        network: trained, in eval mode, on ``device``.
        images: photos with tags; a mask has the photo's own size, whatever the working size.
        read_mask: reads the mask of a photo before, values as on disk.
        masks: where the new one goes.
        confidence: where the probability of each pixel's label goes.
        views: how the network looks at a photo.
        long_side: working size of the photos.
        device: where to compute.
        workers: processes that load photos.
        drawn: ids of photos that keep the mask before; its pixels are as sure as can be.
    """
    classes = images.classes

    def load(sample: Sample) -> tuple[Array, Array]:
        return replace(sample, long_side=None).read_image(), classes.to_labels(read_mask(sample))

    todo = undone(images.samples, load, masks, title="selftrain: masks", workers=workers)
    for sample, (image, before) in todo:
        allowed = [0, *(np.flatnonzero(classes.multi_hot(sample.tags)) + 1).tolist()]
        if sample.id in drawn:
            labels, sure = torch.from_numpy(before), torch.ones(before.shape)
        elif allowed == [0]:
            labels, sure = torch.zeros(before.shape, dtype=torch.uint8), torch.ones(before.shape)
        else:
            found = segment_photo(network, image, views, device, long_side, allowed)
            labels, sure = keep_lost(found.labels, found.confidence, torch.from_numpy(before))
        write_gray(confidence(sample), (sure * 255).round().byte().numpy())
        # The mask comes last: its presence says that the sample is done.
        write_mask(masks(sample), classes.to_values(labels.numpy()), classes.palette)


def label_counts(images: ImageSet, read_mask: Callable[[Sample], Array]) -> Tensor:
    """How many pixels of the masks each label has, int64 (C + 1,)."""
    with bar("selftrain: labels", len(rank_share(images.samples))) as running:

        def count(sample: Sample) -> NDArray[np.int64]:
            running.advance()
            return np.bincount(images.classes.to_labels(read_mask(sample)).ravel(), minlength=256)

        counts = sum(shared_out(images.samples, count), np.zeros(256, np.int64))
    return torch.from_numpy(counts[: len(images.classes) + 1])


def without_doubtful(mask: Array, confidence: Array, share: float) -> Array:
    """A mask whose least confident pixels are not learnt from.

    Args:
        mask: uint8 (H, W), values as on disk.
        confidence: uint8 (H, W), of the mask's labels.
        share: of the pixels of each value but background that become 255, at most; equal confidences stay together.

    Returns:
        uint8 (H, W), a copy.
    """
    learnt = mask.copy()
    for value in np.unique(mask):
        if value not in (BACKGROUND, IGNORE):
            of_class = mask == value
            sure = confidence[of_class]
            cut = min(int(share * sure.size), sure.size - 1)
            learnt[of_class & (confidence < np.partition(sure, cut)[cut])] = IGNORE
    return learnt


def keep_lost(labels: Tensor, confidence: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
    """Give labels that have lost every pixel those that they had before; these are as sure as they are not.

    Args:
        labels: uint8 (H, W), new.
        confidence: float (H, W), of the new labels.
        before: uint8 (H, W), the labels before, 255 for none.

    Returns:
        labels and confidence; 1 - confidence where a lost label was kept.
    """
    lost = [label for label in before.unique().tolist() if label not in (0, 255) and not (labels == label).any()]
    kept = torch.isin(before, before.new_tensor(lost))
    return torch.where(kept, before, labels), torch.where(kept, 1 - confidence, confidence)
