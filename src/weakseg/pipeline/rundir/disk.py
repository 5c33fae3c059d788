"""How much disk a run needs, said before it starts."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from weakseg.data.images import working_size
from weakseg.data.sample import ImageSet
from weakseg.errors import WeaksegError
from weakseg.ops.maps import strided_size
from weakseg.pipeline.networks import affinity_method, builders
from weakseg.pipeline.stage import Context
from weakseg.recipes.recipe import Recipe

LOOKED_AT = 50  # photos of a list whose sizes stand for all
# Bytes per pixel, rather more than seen on photos: PNGs of masks and confidence.
MASK, CONFIDENCE = 0.1, 1.0


@dataclass(frozen=True)
class DiskNeed:
    """How much disk a run needs.

    Attributes:
        folder: of the run, which may not be there yet.
        needed: bytes of all that its stages write.
        held: bytes of what it holds already.
        free: bytes that are free there.
    """

    folder: Path
    needed: int
    held: int
    free: int

    def line(self) -> str:
        """In words."""
        return f"disk: about {size_text(self.needed)} for this run, {size_text(self.free)} free"

    def check(self) -> None:
        """Raise WeaksegError if less is free than the run needs beyond what it holds."""
        if self.needed - self.held > self.free:
            raise WeaksegError(
                f"{self.folder}: the run needs about {size_text(self.needed)} of disk, {size_text(self.free)} are free;"
                " give --out on a larger disk, fewer photos, a higher localize.stride or localize.full=false"
            )


def disk_need(context: Context) -> DiskNeed:
    """About how much disk a run is going to need; its folder need not be there."""
    folder = context.run.folder
    there = next(path for path in (folder, *folder.absolute().parents) if path.is_dir())
    return DiskNeed(folder, needed_bytes(context), held_bytes(folder), shutil.disk_usage(there).free)


def needed_bytes(context: Context) -> int:
    """About how many bytes the recipe's stages write: maps, seeds, masks, networks and checkpoints."""
    recipe, stages, train = context.recipe, context.recipe.stages, context.train
    tags = sum(len(sample.tags) for sample in train.samples) / max(1, len(train))
    per_photo = 0.0
    sizes = _sizes(train)
    for size in sizes:
        height, width = working_size(size, recipe.data.long_side)
        rows, columns = strided_size((height, width), recipe.localize.stride)
        cells = rows * columns + (height * width if recipe.localize.full else 0)
        per_photo += 2 * (tags + 1) * cells if "localize" in stages else 0
        per_photo += affinity_method(recipe).label_bytes(height * width) if "relate" in stages else 0
        per_photo += len(recipe.mask_stages) * (MASK + CONFIDENCE) * size[0] * size[1]
    total = len(train) * per_photo / max(1, len(sizes))
    if "predict" in stages and context.val is not None:
        sizes = _sizes(context.val)
        pixels = sum(height * width for height, width in sizes) / max(1, len(sizes))
        total += len(context.val) * MASK * pixels
    return round(total) + weight_bytes(recipe, train.classes.names)


def weight_bytes(recipe: Recipe, names: Sequence[str]) -> int:
    """Bytes of the networks that a recipe trains, each with a checkpoint of weights and momentum while it learns."""
    found = 0
    for build in builders(recipe, names, pretrained=False).values():
        with torch.device("meta"):
            network = build()
        found += sum(value.numel() * value.element_size() for value in network.state_dict().values())
    return 3 * found


def held_bytes(folder: Path) -> int:
    """Bytes of the files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def size_text(count: float) -> str:
    """Bytes in words.

    Example:
        >>> size_text(3_210_000), size_text(7.04e9)
        ('3 MB', '7.0 GB')
    """
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{max(1, round(count / 1e6))} MB"


def _sizes(images: ImageSet) -> Sequence[tuple[int, int]]:
    step = max(1, len(images) // LOOKED_AT)
    return [images.samples[index].photo_size() for index in range(0, len(images), step)][:LOOKED_AT]
