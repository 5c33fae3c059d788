"""Tasks for Label Studio with the masks as brush strokes that people correct."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from weakseg.data.sample import Classes
from weakseg.exporters.base import Exported, Exporter, ExportJob, MaskedPhoto, MaskSet, Region, Tally
from weakseg.exporters.formats.brush import encode_brush
from weakseg.exporters.lists import write_lines
from weakseg.exporters.photofiles import Ignored, copy_photo
from weakseg.files import replacing

FILE, CONFIG = "tasks.json", "config.xml"
BRUSH, CHOICES, IMAGE = "mask", "tags", "image"
LOCAL = "/data/local-files/?d="


class LabelStudio(Exporter):
    """``tasks.json`` to import and ``config.xml`` for the labelling interface; see https://labelstud.io/guide/predictions.

    A prediction of a task holds a brush region per class or object, and the photo's tags as choices, so that both can
    be corrected. ``data.weakseg_id`` tells which photo it is of when the annotations come back.
    """

    about: ClassVar[str] = "Label Studio's tasks with brush masks as pre-annotations"

    def __call__(self, job: ExportJob) -> Exported:
        """Write `FILE` and `CONFIG`; see `Exporter`."""
        masks, tally, ignored = job.masks, Tally({"tasks": 0, "regions": 0}), Ignored()
        copied = job.photos == "copy" or not _all_files(masks)
        root = job.out / "images" if copied else _common_folder(masks)
        tasks = []
        for number, photo in enumerate(masks.checked(), start=1):
            if copied or not isinstance(photo.sample.image, Path):
                name = copy_photo(photo, root)
            else:
                name = os.path.relpath(photo.sample.image.resolve(), root)
            regions = photo.regions()
            address = f"{job.url.rstrip('/')}/{quote(name)}" if job.url else f"{LOCAL}{quote(f'{root.name}/{name}')}"
            tasks.append(_task(number, photo, address, regions, f"weakseg {masks.name}"))
            ignored.see(photo)
            tally.add("tasks")
            tally.add("regions", len(regions))
        with replacing(job.out / FILE) as temporary:
            temporary.write_text(json.dumps(tasks, ensure_ascii=False), encoding="utf-8")
        write_lines(job.out / CONFIG, _config(masks.classes))
        notes = (*masks.notes, *ignored.lines(), *_served(job, root, copied))
        return Exported(tally.counts, (FILE, CONFIG), notes)


def _task(number: int, photo: MaskedPhoto, address: str, regions: list[Region], version: str) -> dict[str, Any]:
    height, width = photo.size()
    about = {"original_width": width, "original_height": height, "image_rotation": 0, "to_name": IMAGE}
    names = photo.classes.names
    result: list[dict[str, Any]] = []
    for count, region in enumerate(regions):
        value = {"format": "rle", "rle": encode_brush(region.mask), "brushlabels": [names[region.label - 1]]}
        one = {"id": f"r{number}-{count}", "type": "brushlabels", "from_name": BRUSH, "value": value, **about}
        result.append(one if region.score is None else one | {"score": region.score})
    if photo.sample.tags:
        chosen = {"choices": list(photo.sample.tags)}
        result.append({"id": f"t{number}", "type": "choices", "from_name": CHOICES, "to_name": IMAGE, "value": chosen})
    prediction = {"model_version": version, "result": result}
    return {"id": number, "data": {"image": address, "weakseg_id": photo.id}, "predictions": [prediction]}


def _config(classes: Classes) -> list[str]:
    """The labelling interface: a brush label per class in the colour of its mask value, and the tags as choices."""
    colours = ["#{:02x}{:02x}{:02x}".format(*classes.palette[value]) for value in classes.values]
    pairs = zip(classes.names, colours, strict=True)
    return [
        "<View>",
        f'  <Image name="{IMAGE}" value="$image" zoom="true" zoomControl="true"/>',
        f'  <BrushLabels name="{BRUSH}" toName="{IMAGE}">',
        *(f'    <Label value={quoteattr(name)} background="{colour}"/>' for name, colour in pairs),
        "  </BrushLabels>",
        f'  <Choices name="{CHOICES}" toName="{IMAGE}" choice="multiple" showInline="true">',
        *(f"    <Choice value={quoteattr(name)}/>" for name in classes.names),
        "  </Choices>",
        "</View>",
    ]


def _all_files(masks: MaskSet) -> bool:
    return all(isinstance(photo.sample.image, Path) for photo in masks.photos)


def _common_folder(masks: MaskSet) -> Path:
    """The folder that all photos are below."""
    folders = [str(p.sample.image.resolve().parent) for p in masks.photos if isinstance(p.sample.image, Path)]
    return Path(os.path.commonpath(folders))


def _served(job: ExportJob, root: Path, copied: bool) -> tuple[str, ...]:
    """Where Label Studio finds the photos."""
    place = "the folder images here" if copied else str(root)
    above = "the folder of this export" if copied else str(root.parent)
    first = "the photos were drawn and are written to images" if copied and job.photos != "copy" else ""
    if job.url:
        served = f"Label Studio loads the photos from {job.url}, which must serve {place}"
    else:
        served = (
            "start Label Studio with LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true and "
            f"LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT={above}, add {place} as local storage without syncing it (the "
            "tasks are in the file), or give the address of the photos with --url"
        )
    way = f"in Label Studio: paste {CONFIG} as labelling interface (Code), then import {FILE}"
    return (*([first] if first else []), served, way)
