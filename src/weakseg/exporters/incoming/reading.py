"""Tell by its content what a file or folder that came back is, and read it."""

from __future__ import annotations

import zipfile
from pathlib import Path

from weakseg.data.paths import read_text
from weakseg.data.sample import Classes
from weakseg.data.sources.cvat import INSIDE
from weakseg.errors import WeaksegError
from weakseg.exporters.incoming.coco import read_coco_masks
from weakseg.exporters.incoming.cvat import LABEL_MAP, read_cvat_masks, read_cvat_xml
from weakseg.exporters.incoming.labelstudio import read_labelstudio_masks
from weakseg.exporters.incoming.pictures import read_pictures
from weakseg.exporters.incoming.returned import Returns

_KNOWN = (
    "COCO's JSON, Label Studio's JSON, CVAT's XML or zip for images, the zip of CVAT's \"Segmentation mask 1.1\", "
    "a VOC folder, or a folder of PNG masks with classes.txt"
)


def read_returns(path: Path, classes: Classes) -> Returns:
    """Read what came back.

    Args:
        path: a file or folder.
        classes: of the data, for masks whose values no file explains.

    Raises:
        WeaksegError: there is no such file, or it is nothing that can be read.
    """
    if not path.exists():
        raise WeaksegError(f"{path}: no such file or folder; it can be {_KNOWN}")
    if path.is_dir():
        return read_cvat_masks(path, path) if (path / LABEL_MAP).is_file() else read_pictures(path, classes)
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            inside = archive.namelist()
        if LABEL_MAP in inside:
            return read_cvat_masks(path, zipfile.Path(path))
        if INSIDE in inside:
            return read_cvat_xml(path)
        raise WeaksegError(f"{path}: a zip without {LABEL_MAP} or {INSIDE}; unpack it, or give {_KNOWN}")
    if path.suffix.lower() == ".xml":
        return read_cvat_xml(path)
    if path.suffix.lower() == ".json":
        return read_labelstudio_masks(path) if read_text(path).lstrip().startswith("[") else read_coco_masks(path)
    raise WeaksegError(f"{path}: not known by its suffix; it can be {_KNOWN}")
