"""Plain label masks, and a list of what their values mean."""

from __future__ import annotations

from typing import ClassVar

from weakseg.data.images import write_gray
from weakseg.exporters.base import Exported, Exporter, ExportJob
from weakseg.exporters.lists import CLASSES, write_classes
from weakseg.exporters.photofiles import copy_photo, where_photos_are


class Png(Exporter):
    """``masks/ID.png``, grey, in the values that ``classes.txt`` lists; 0 is background and 255 unknown."""

    about: ClassVar[str] = "grey PNG masks and classes.txt"

    def __call__(self, job: ExportJob) -> Exported:
        """Write masks and classes; see `Exporter`."""
        masks = job.masks
        for photo in masks.checked():
            values = photo.values() if photo.objects is None else masks.classes.to_values(photo.painted()[0])
            write_gray(job.out / "masks" / f"{photo.id}.png", values)
            if job.photos == "copy":
                copy_photo(photo, job.out / "images")
        write_classes(job.out / CLASSES, masks.classes)
        stay = () if job.photos == "copy" else where_photos_are(masks)
        return Exported({"masks": len(masks.photos)}, ("masks", CLASSES), (*masks.notes, *stay))
