"""weakseg: from image-level tags to pixel masks and a trained segmentation network.

Example:
    A run, its scores, a mask and a map of it, and its network on a photo of one's own:

        import weakseg

        photos = weakseg.open_data("csv:photos.csv")
        recipe = weakseg.load_recipe("affinitynet", ["small"], ["seed=3"])
        finished = weakseg.run(recipe, photos, "runs/photos")
        print(finished.scores["refine"]["scores"]["miou_present"])
        mask, maps = finished.pseudo_mask("cat1"), finished.class_maps("cat1")
        segment = weakseg.load_segmenter("runs/photos")
        found = segment("new.jpg")  # or an array, a PIL image, a torch tensor; segment.predict takes many
        print(found.areas, found.labels, found.confidence)
        weakseg.export(finished, to="coco")
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from weakseg.api.runs import export, open_data, open_run, run
    from weakseg.api.segmenter import Segmentation, Segmenter, load_segmenter
    from weakseg.data.classmaps import ClassMaps
    from weakseg.errors import WeaksegError
    from weakseg.recipes.loading import load_recipe
    from weakseg.report.finished import FinishedRun

__version__ = "0.1.0"

# What is imported when it is asked for: torch takes seconds, and `import weakseg` none.
_HOMES = {
    "ClassMaps": "weakseg.data.classmaps",
    "FinishedRun": "weakseg.report.finished",
    "Segmentation": "weakseg.api.segmenter",
    "Segmenter": "weakseg.api.segmenter",
    "WeaksegError": "weakseg.errors",
    "export": "weakseg.api.runs",
    "load_recipe": "weakseg.recipes.loading",
    "load_segmenter": "weakseg.api.segmenter",
    "open_data": "weakseg.api.runs",
    "open_run": "weakseg.api.runs",
    "run": "weakseg.api.runs",
}

__all__ = [
    "ClassMaps",
    "FinishedRun",
    "Segmentation",
    "Segmenter",
    "WeaksegError",
    "__version__",
    "export",
    "load_recipe",
    "load_segmenter",
    "open_data",
    "open_run",
    "run",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'weakseg' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
