"""The folders of PASCAL VOC's segmentation task."""

from __future__ import annotations

import csv
from typing import ClassVar

from weakseg.data.images import write_mask
from weakseg.data.sample import Classes
from weakseg.errors import WeaksegError
from weakseg.exporters.base import Exported, Exporter, ExportJob
from weakseg.exporters.lists import CLASSES, flat_names, renamed_line, write_classes, write_lines
from weakseg.exporters.photofiles import copy_photo, where_photos_are
from weakseg.files import replacing


class Voc(Exporter):
    """SegmentationClass/ID.png in palette colours, SegmentationObject where objects are known, ImageSets/Segmentation.

    Values are those of the run's classes, VOC's for VOC's names; 255 is unknown, as VOC's borders are. With photos in
    JPEGImages the folder is a data source of weakseg, with the tags in tags.csv.
    """

    about: ClassVar[str] = "palette PNG masks in the folders of PASCAL VOC"

    def __call__(self, job: ExportJob) -> Exported:
        """Write the folders; see `Exporter`."""
        masks = job.masks
        names = flat_names(masks)
        rows = []
        for photo, name in zip(masks.checked(), names, strict=True):
            if photo.objects is None:
                labels = photo.labels()
            else:
                labels, numbers = photo.painted()
                if numbers.max() > 254:
                    raise WeaksegError(f"{photo.id}: {numbers.max()} objects; VOC's masks hold 254, export to coco")
                write_mask(
                    job.out / "SegmentationObject" / f"{name}.png", numbers.astype("uint8"), masks.classes.palette
                )
            values = masks.classes.to_values(labels)
            write_mask(job.out / "SegmentationClass" / f"{name}.png", values, masks.classes.palette)
            if job.photos == "copy":
                copy_photo(photo, job.out / "JPEGImages", name)
            rows.append((name, photo.sample.tags))
        write_lines(job.out / "ImageSets" / "Segmentation" / f"{masks.split}.txt", names)
        write_classes(job.out / CLASSES, masks.classes)
        _write_tags(job, rows, masks.classes)
        stay = () if job.photos == "copy" else where_photos_are(masks)
        notes = (*masks.notes, *renamed_line(masks), *stay)
        return Exported({"masks": len(names)}, ("SegmentationClass", CLASSES), notes)


def _write_tags(job: ExportJob, rows: list[tuple[str, tuple[str, ...]]], classes: Classes) -> None:
    """The tags, where photos have any: without the table weakseg reads them from the masks."""
    if not any(tags for _, tags in rows):
        return
    with replacing(job.out / "tags.csv") as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("image", "tags"))
        writer.writerows((name, ";".join(tags) + (";" if len(tags) == 1 else "")) for name, tags in rows)
