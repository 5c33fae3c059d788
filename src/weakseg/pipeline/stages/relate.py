"""relate: train an affinity network on the confident parts of class maps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from weakseg.data.sample import ImageSet, Sample
from weakseg.methods.base import AffinityMethod, ReadMaps
from weakseg.ops.views import photo_tensor
from weakseg.pipeline.stages.mapped import undone_maps
from weakseg.training.checkpoint import save_weights, trained
from weakseg.training.progress import track
from weakseg.training.ranks import is_first
from weakseg.training.train import WEIGHTS, Trainer


def relate(
    method: AffinityMethod,
    network: nn.Module,
    images: ImageSet,
    read_maps: ReadMaps,
    folder: Path,
    trainer: Trainer,
    *,
    seed: int,
) -> dict[str, Any]:
    """Make the labels of every photo, then train the network into ``folder/weights.safetensors``.

    Args:
        method: with its settings.
        network: of the method, untrained, on a pretrained backbone.
        images: photos with tags.
        read_maps: reads the class maps of a photo.
        folder: where to write.
        trainer: device and log.
        seed: of order and augmentation.

    Returns:
        steps, mean loss terms of the last steps, and what the method has set afterwards.
    """
    device = trainer.fabric.device
    write_labels(method, images, read_maps, folder, device=device, workers=trainer.workers)
    net: Any = network
    examples = method.examples(images, read_maps, folder, (net.mean, net.std))
    own = method.settings
    summary = trainer.fit(network, examples, own.train, folder, seed=seed, title="relate")
    if not is_first():
        return summary
    found = method.finish(trained(network, folder / WEIGHTS, device), _photos(images, device))
    if found:
        save_weights(folder / WEIGHTS, network)  # in one step: a run that is killed before it trains no further
    return summary | found


@torch.inference_mode()
def write_labels(
    method: AffinityMethod,
    images: ImageSet,
    read_maps: ReadMaps,
    folder: Path,
    *,
    device: torch.device,
    workers: int = 0,
) -> None:
    """Make the labels that are kept on disk, but for those that are there."""
    first = next(iter(images.samples), None)
    if first is None or method.labels_file(folder, first.id) is None:
        return

    def path(sample: Sample) -> Path:
        found = method.labels_file(folder, sample.id)
        assert found is not None
        return found

    for sample, image, maps in undone_maps(images, read_maps, path, title="relate: labels", workers=workers):
        method.write_labels(image, maps, folder, sample.id, images.classes, device)


def _photos(images: ImageSet, device: torch.device) -> Iterator[Tensor]:
    for sample in track(images.samples, "relate: all photos", len(images)):
        yield photo_tensor(torch.from_numpy(sample.read_image())).to(device)
