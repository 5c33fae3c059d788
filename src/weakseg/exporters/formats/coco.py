"""COCO's JSON with run-length masks, which keep every pixel and every hole."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from weakseg import __version__
from weakseg.data.instances import coco_mask
from weakseg.exporters.base import Exported, Exporter, ExportJob, Tally
from weakseg.exporters.photofiles import Ignored, copy_photo, where_photos_are
from weakseg.files import replacing

FILE = "annotations.json"


class Coco(Exporter):
    """One file that pycocotools reads; see https://cocodataset.org/#format-data.

    Masks are compressed run lengths with ``iscrowd`` 0: a region is one class, or one object. A category's id is its
    value in mask files. ``file_name`` is the photo's path below its data set's folder, ``sample_id`` weakseg's id.
    """

    about: ClassVar[str] = "COCO's JSON, masks as run lengths"

    def __call__(self, job: ExportJob) -> Exported:
        """Write `FILE`; see `Exporter`."""
        masks, tally = job.masks, Tally({"photos": 0, "annotations": 0})
        ignored = Ignored()
        images: list[dict[str, Any]] = []
        annotations: list[dict[str, Any]] = []
        for number, photo in enumerate(masks.checked(), start=1):
            name = copy_photo(photo, job.out / "images") if job.photos == "copy" else photo.file_name
            height, width = photo.size()
            images.append({"id": number, "file_name": name, "width": width, "height": height, "sample_id": photo.id})
            for region in photo.regions():
                identity = {"id": len(annotations) + 1, "image_id": number}
                category = {"category_id": masks.classes.values[region.label - 1]}
                score = {} if region.score is None else {"score": region.score}
                annotations.append(identity | category | coco_mask(region.mask) | score)
            ignored.see(photo)
            tally.add("photos")
        tally.counts["annotations"] = len(annotations)
        pairs = zip(masks.classes.values, masks.classes.names, strict=True)
        content = {
            "info": {"description": f"{masks.title}, {masks.name}", "version": f"weakseg {__version__}"},
            "images": images,
            "categories": [{"id": value, "name": name, "supercategory": ""} for value, name in pairs],
            "annotations": annotations,
        }
        with replacing(job.out / FILE) as temporary:
            temporary.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
        stay = () if job.photos == "copy" else where_photos_are(masks)
        return Exported(tally.counts, (FILE,), (*masks.notes, *ignored.lines(), *stay))
