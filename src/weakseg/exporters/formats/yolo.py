"""Ultralytics' segmentation data set: polygons, one text file per photo."""

from __future__ import annotations

from typing import ClassVar

import yaml

from weakseg.exporters.base import Exported, Exporter, ExportJob, MaskedPhoto, Tally
from weakseg.exporters.formats.outlines import outlines
from weakseg.exporters.lists import flat_names, renamed_line, write_lines
from weakseg.exporters.photofiles import copy_photo, where_photos_are
from weakseg.files import replacing

FILE = "data.yaml"
_INSIDE = 0.25
"""Of a pixel, added to whole coordinates: readers that round and readers that cut off find the same pixel."""


class Yolo(Exporter):
    """``labels/SPLIT/ID.txt``, ``images/SPLIT`` and ``data.yaml``; see https://docs.ultralytics.com/datasets/segment.

    A line is a connected part of a class, or of an object: the class from 0, and the outline in shares of width and
    height. The photos are copied, as the format wants them beside the labels.
    """

    about: ClassVar[str] = "YOLO's polygons and data.yaml"

    def __call__(self, job: ExportJob) -> Exported:
        """Write labels, photos and `FILE`; see `Exporter`."""
        masks, tally = job.masks, Tally({"photos": 0, "polygons": 0, "bridged holes": 0})
        for photo, name in zip(masks.checked(), flat_names(masks), strict=True):
            lines, holes = label_lines(photo)
            if job.photos != "stay":
                copy_photo(photo, job.out / "images" / masks.split, name)
            write_lines(job.out / "labels" / masks.split / f"{name}.txt", lines)
            tally.add("photos")
            tally.add("polygons", len(lines))
            tally.add("bridged holes", holes)
        places = {"train": f"images/{masks.split}", "val": f"images/{masks.split}"}
        content = places | {"nc": len(masks.classes), "names": dict(enumerate(masks.classes.names))}
        with replacing(job.out / FILE) as temporary:
            temporary.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")
        notes = [
            *masks.notes,
            *renamed_line(masks),
            f"{FILE} names {masks.split} for val as well; point it at photos with true masks",
        ]
        if tally.counts["bridged holes"]:
            notes.append(
                f"YOLO knows no holes: {tally.counts['bridged holes']} are joined to the outline by a bridge that is "
                "walked there and back, which readers that fill by the even-odd rule (OpenCV) leave free"
            )
        stay = (*where_photos_are(masks), f"put them into images/{masks.split}") if job.photos == "stay" else ()
        return Exported(tally.counts, (FILE,), (*notes, *stay))


def label_lines(photo: MaskedPhoto) -> tuple[list[str], int]:
    """The lines of a photo, and how many holes were bridged."""
    height, width = photo.size()
    lines, holes = [], 0
    for region in photo.regions():
        rings, bridged = outlines(region.mask)
        holes += bridged
        for ring in rings:
            points = ring if len(ring) >= 3 else ring[[0, -1, 0]]  # a polygon has three points, even of one pixel
            shares = (points + _INSIDE) / (width, height)
            lines.append(f"{region.label - 1} " + " ".join(f"{share:.7g}" for share in shares.ravel()))
    return lines, holes
