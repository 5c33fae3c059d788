"""Exporters by name; others add theirs by entry points "weakseg.exporters"."""

from __future__ import annotations

from weakseg.export.base import Exporter
from weakseg.registry import Registry

EXPORTERS: Registry[type[Exporter]] = Registry(
    "format",
    "weakseg.exporters",
    {
        "coco": "weakseg.export.coco:Coco",
        "voc": "weakseg.export.voc:Voc",
        "png": "weakseg.export.png:Png",
        "cvat": "weakseg.export.cvat:Cvat",
        "label-studio": "weakseg.export.labelstudio:LabelStudio",
        "yolo": "weakseg.export.yolo:Yolo",
        "onnx": "weakseg.export.onnx:Onnx",
    },
)
"""Exporters by the word behind ``--to``."""
