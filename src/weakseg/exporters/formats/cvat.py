"""CVAT's "Segmentation mask 1.1": a zip of colour masks and the labels that the colours stand for."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from weakseg.data.images import voc_palette
from weakseg.data.labels import BACKGROUND_NAME
from weakseg.data.sample import Array, Classes
from weakseg.exporters.base import Exported, Exporter, ExportJob
from weakseg.exporters.photofiles import Ignored, copy_photo, where_photos_are
from weakseg.files import replacing, write_json

FILE, LABELS = "annotations.zip", "labels.json"
LABEL_MAP = "labelmap.txt"
SUBSET = "default"


class Cvat(Exporter):
    """What CVAT takes at "Upload annotations"; see https://docs.cvat.ai, dataset formats, segmentation mask.

    The zip holds labelmap.txt (``name:r,g,b::``), SegmentationClass/ID.png in the labels' colours, black for
    background, SegmentationObject/ID.png with a colour for each region, and ImageSets/Segmentation/default.txt. CVAT
    finds a photo by its name without suffix. ``labels.json`` is for the raw editor of a new task's labels.
    """

    about: ClassVar[str] = 'CVAT\'s "Segmentation mask 1.1"'

    def __call__(self, job: ExportJob) -> Exported:
        """Write `FILE` and `LABELS`; see `Exporter`."""
        masks = job.masks
        colours = label_colours(masks.classes)
        regions, ignored = 0, Ignored()
        with replacing(job.out / FILE) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(LABEL_MAP, _label_map(masks.classes, colours))
            archive.writestr(f"ImageSets/Segmentation/{SUBSET}.txt", "".join(f"{p.id}\n" for p in masks.photos))
            for photo in masks.checked():
                labels, numbers = photo.painted()
                archive.writestr(f"SegmentationClass/{photo.id}.png", _png(np.array(colours, np.uint8)[labels]))
                archive.writestr(f"SegmentationObject/{photo.id}.png", _png(number_colours(numbers)))
                regions += len(np.unique(numbers[numbers > 0]))
                ignored.see(photo)
                if job.photos == "copy":
                    copy_photo(photo, job.out / "images")
        write_json(job.out / LABELS, _raw_labels(masks.classes, colours))
        stay = () if job.photos == "copy" else where_photos_are(masks)
        way = (
            f'in CVAT: new task with the photos and the labels of {LABELS} (tab "Raw"), then Actions, Upload '
            f'annotations, "Segmentation mask 1.1", {FILE}',
        )
        counts = {"photos": len(masks.photos), "regions": regions}
        return Exported(counts, (FILE, LABELS), (*masks.notes, *ignored.lines(), *stay, *way))


def label_colours(classes: Classes) -> list[tuple[int, int, int]]:
    """The colour of each label, black for the background: VOC's for 1, 2, ..., which no two labels share."""
    return [(0, 0, 0), *voc_palette()[1 : len(classes) + 1]]


def number_colours(numbers: NDArray[np.int32]) -> Array:
    """VOC's colours (H, W, 3) of numbers (H, W) up to 2^24: bits 0, 1, 2 of each three fill red, green and blue."""
    found = np.zeros((*numbers.shape, 3), np.uint8)
    for step in range(8):
        for channel in range(3):
            found[..., channel] |= (((numbers >> (3 * step + channel)) & 1) << (7 - step)).astype(np.uint8)
    return found


def _label_map(classes: Classes, colours: Sequence[tuple[int, int, int]]) -> str:
    lines = ["# label:color_rgb:parts:actions"]
    pairs = zip((BACKGROUND_NAME, *classes.names), colours, strict=True)
    lines += [f"{name}:{red},{green},{blue}::" for name, (red, green, blue) in pairs]
    return "\n".join(lines) + "\n"


def _raw_labels(classes: Classes, colours: Sequence[tuple[int, int, int]]) -> list[dict[str, Any]]:
    pairs = zip(classes.names, colours[1:], strict=True)
    return [{"name": name, "color": "#{:02x}{:02x}{:02x}".format(*colour), "attributes": []} for name, colour in pairs]


def _png(pixels: Array) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()
