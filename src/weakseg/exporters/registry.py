"""Exporters by name; others add theirs by entry points "weakseg.exporters"."""

from __future__ import annotations

from weakseg.exporters.base import Exporter
from weakseg.registry import Registry

EXPORTERS: Registry[type[Exporter]] = Registry(
    "format",
    "weakseg.exporters",
    {
        "coco": "weakseg.exporters.formats.coco:Coco",
        "voc": "weakseg.exporters.formats.voc:Voc",
        "png": "weakseg.exporters.formats.png:Png",
        "cvat": "weakseg.exporters.formats.cvat:Cvat",
        "label-studio": "weakseg.exporters.formats.labelstudio:LabelStudio",
        "yolo": "weakseg.exporters.formats.yolo:Yolo",
        "onnx": "weakseg.exporters.formats.onnx:Onnx",
    },
)
"""Exporters by the word behind ``--to``."""
