"""The Python face: open data, run a recipe, read what came out, use the trained network."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from weakseg.data.classmaps import ClassMaps, load_maps
from weakseg.data.images import read_mask
from weakseg.data.sample import Array, Classes
from weakseg.data.source import Source, open_source
from weakseg.errors import WeaksegError
from weakseg.files import read_json
from weakseg.pipeline.networks import segmentation_network, segmentation_weights
from weakseg.pipeline.rundir.run import Run
from weakseg.recipes.recipe import Recipe
from weakseg.report.run import run_and_draw
from weakseg.segmentation.inference import segment_photo
from weakseg.training.checkpoint import trained
from weakseg.training.device import build_fabric


def open_data(spec: str | Path) -> Source:
    """Open a data source.

    Args:
        spec: "voc:PATH", "csv:FILE", "folders:PATH", "coco:PATH", "scenes:N" and others, or a path alone.

    Returns:
        ``classes``, ``splits`` (samples by list), and ``warnings``: what looks like a slip.

    Raises:
        WeaksegError: no such source, or what stands there is not of that kind.
    """
    if not isinstance(spec, (str, Path)):
        raise WeaksegError(f"a data source is a text such as 'csv:photos.csv', or a path, not {spec!r}")
    return open_source(str(spec))


def run(recipe: Recipe, data: str | Path | Source, out: str | Path, *, overwrite: bool = False) -> FinishedRun:
    """Run a recipe; the same call goes on after an interruption, and costs little where all is done.

    Args:
        recipe: of ``weakseg.load_recipe``.
        data: of `open_data`, or the string that it takes.
        out: directory of the run.
        overwrite: start afresh, whatever run ``out`` holds.

    Raises:
        WeaksegError: data or settings that cannot be used; the message names the way out.
    """
    if not isinstance(recipe, Recipe):
        raise WeaksegError(f"run: the recipe must come from weakseg.load_recipe, not {recipe!r}")
    source = data if isinstance(data, Source) else open_data(data)
    run_and_draw(recipe, source, Path(out), overwrite=overwrite)
    return open_run(out)


def open_run(folder: str | Path) -> FinishedRun:
    """Open the directory of a run. Raises WeaksegError if there is no finished run."""
    found = FinishedRun(Path(folder))
    if found.manifest.get("finished") is None:
        raise WeaksegError(f"{folder}: the run is not finished; the command that began it goes on with it")
    return found


def load_segmenter(folder: str | Path, device: str = "cpu") -> Segmenter:
    """The trained segmentation network of a run, ready for photos.

    Args:
        folder: directory of a run with a segment stage.
        device: "cpu", "cuda", "mps" or "auto".

    Raises:
        WeaksegError: no run or no such network there, or no such device here.
    """
    opened = Run(Path(folder))
    recipe = opened.read_recipe()
    weights = segmentation_weights(opened, recipe)
    classes = opened.read_classes()
    try:
        placed = build_fabric(device, threads=recipe.hardware.threads).device
    except WeaksegError as error:
        raise WeaksegError(f"load_segmenter: there is no device {device!r} here; take 'cpu' or 'auto'") from error
    network = trained(segmentation_network(recipe, len(classes), pretrained=False), weights, placed)
    return Segmenter(network, recipe, classes, placed)


class Segmentation(NamedTuple):
    """A photo's mask.

    Attributes:
        labels: uint8 (H, W), 0 background, c + 1 the class ``names[c]`` of the segmenter.
        confidence: float32 (H, W) in [0, 1], the probability that the network gives to each label.
    """

    labels: Array
    confidence: NDArray[np.float32]


@dataclass(frozen=True)
class Segmenter:
    """A trained segmentation network; call it with a photo.

    Attributes:
        network: the torch module, in eval mode.
        recipe: that it was trained by; its section ``predict`` says how it looks at photos.
        classes: of its labels.
        device: where it is.
    """

    network: nn.Module
    recipe: Recipe
    classes: Classes
    device: torch.device

    @property
    def names(self) -> tuple[str, ...]:
        """The classes of labels 1, 2, ...; 0 is the background."""
        return self.classes.names

    @torch.inference_mode()
    def __call__(self, image: Array) -> Segmentation:
        """Segment a photo, uint8 RGB (H, W, 3) of any size.

        Raises:
            WeaksegError: an array of another shape or type.
        """
        fits = isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3
        if not fits or not image.size:
            given = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
            raise WeaksegError(f"a photo is a numpy array uint8 (H, W, 3) of red, green and blue, not {given}")
        own = self.recipe
        found = segment_photo(self.network, image, own.predict, self.device, own.data.long_side)
        return Segmentation(found.labels.numpy(), found.confidence.numpy())


@dataclass(frozen=True)
class FinishedRun:
    """What a run has made, read when asked for.

    Attributes:
        folder: its directory.
    """

    folder: Path

    @cached_property
    def recipe(self) -> Recipe:
        """The recipe that it ran."""
        return Run(self.folder).read_recipe()

    @cached_property
    def classes(self) -> Classes:
        """Names, mask values and colours of the classes."""
        return Run(self.folder).read_classes()

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """Versions, lists, machine, times, warnings, and a summary of every stage."""
        return Run(self.folder).read_manifest()

    @property
    def scores(self) -> dict[str, Any]:
        """By stage (localize, refine, selftrain, predict): list, number of photos, ``scores`` (mIoU, IoU by class).

        Empty without ground truth.
        """
        found: dict[str, Any] | None = read_json(self.folder / "metrics.json")
        return found or {}

    def class_maps(self, name: str) -> ClassMaps:
        """The class maps of a training photo by its id. Raises WeaksegError if there are none."""
        return load_maps(self._file("localize/maps", name, ".safetensors"))

    def pseudo_mask(self, name: str) -> Array:
        """The pseudo mask of a training photo by its id: uint8 (H, W), 0 background, c + 1 class c. Raises as above."""
        return self.classes.to_labels(
            read_mask(self._file(f"{(self.recipe.mask_stages or ['refine'])[-1]}/masks", name, ".png"))
        )

    def prediction(self, name: str) -> Array:
        """The network's mask of a photo of the validation list, as `pseudo_mask`."""
        return self.classes.to_labels(read_mask(self._file("predict/masks", name, ".png")))

    def _file(self, kind: str, name: str, suffix: str) -> Path:
        path = self.folder / kind / f"{name}{suffix}"
        if not path.is_file():
            raise WeaksegError(f"{path}: no such file; ids are those of the data source, as `weakseg data` knows them")
        return path
