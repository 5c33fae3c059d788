"""evaluate: score what the other stages have made where there is ground truth."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from weakseg.data.sample import Array, ImageSet, Sample
from weakseg.evaluation.scoring import score_maps, score_masks
from weakseg.methods.base import ReadMaps
from weakseg.refine.background import BackgroundSettings

ReadMask = Callable[[Sample], Array]


def evaluate(
    train: ImageSet,
    val: ImageSet | None,
    *,
    maps: tuple[ReadMaps, BackgroundSettings] | None = None,
    pseudo_masks: Mapping[str, ReadMask] | None = None,
    predictions: ReadMask | None = None,
    names: tuple[str, str] = ("train", "val"),
) -> dict[str, Any]:
    """Score maps and pseudo masks on training photos, predictions on others.

    Args:
        train: photos with ground truth.
        val: likewise, or None.
        maps: reads the class maps of a photo of ``train``, and the background that they are scored with.
        pseudo_masks: by stage (refine, selftrain), reads its pseudo mask, values as on disk.
        predictions: reads the predicted mask of a photo of ``val``.
        names: what the two lists are called.

    Returns:
        ready for JSON, by stage: localize, refine, selftrain, predict.
    """
    found: dict[str, Any] = {}
    if maps is not None:
        scored = score_maps(train, *maps, "evaluate localize")
        found["localize"] = {"split": names[0], **scored.to_dict()}
    for stage, read in (pseudo_masks or {}).items():
        found[stage] = {"split": names[0], **score_masks(train, read, f"evaluate {stage}").to_dict()}
    if predictions is not None and val is not None:
        found["predict"] = {"split": names[1], **score_masks(val, predictions, "evaluate predict").to_dict()}
    return found
