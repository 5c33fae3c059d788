"""What a network had learnt before a run beyond the classes of ImageNet: that is more supervision than tags."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import timm

from weakseg.pipeline.networks import backbone_of, checkpoint_of
from weakseg.recipes.recipe import Recipe
from weakseg.recipes.stages import StageName

MORE = re.compile(
    r"in12k|in21k|in22k|inw21k|ig1b|jft|yfcc\w*|laion\w*|openai|datacomp\w*|dfn\w*|webli|cc12m|lvd\w*|sat493m|merged2b|"
    r"\w*clip\d*|sa1b|swsl|ssl|wsl|swag|seer|m30m|m38m|bamboo|refcoco|ocrvqa|docci|dinov3|radio"
)
"""Words in the tags of timm's weights that name more than ImageNet's 1000 classes."""
MASKS = re.compile(r"coco|voc|ade20k|ade|cityscapes|lvis|sbd|seg\w*|mask\w*|deeplab\w*", re.IGNORECASE)
"""Words in a file's name that speak of masks or boxes."""


def more_than_imagenet(recipe: Recipe, stage: StageName) -> str | None:
    """What the first weights of a stage's network have learnt from beyond ImageNet's 1000 classes; None for no more.

    The tag of timm's weights tells, or the name of a file: its content tells nothing about that.
    """
    checkpoint = checkpoint_of(recipe, stage)
    if stage == "segment" and checkpoint is not None:
        return f"{checkpoint} is a trained segmentation network: masks that it has learnt from are not known here"
    backbone = backbone_of(recipe, stage)
    if checkpoint is not None or backbone.weights in ("packaged", "none"):
        return None
    if backbone.weights == "hub":
        config: Any = timm.get_pretrained_cfg(backbone.name, allow_unregistered=True)
        tag = "" if config is None else str(config.tag or "")
        words = tag.split("_")
        beyond = bool(tag) and ("in1k" not in words or any(MORE.fullmatch(word) for word in words))
        return f"{backbone.name}: weights {tag} of timm, of more than ImageNet's 1000 classes" if beyond else None
    words = re.split(r"[^A-Za-z0-9]+", Path(backbone.weights).stem)
    if any(MASKS.fullmatch(word) for word in words):
        return f"{backbone.weights} is called after masks or boxes: it may have learnt from them"
    return None


def pretraining_lines(manifest: dict[str, Any]) -> list[str]:
    """One line for each stage of a run whose network had learnt from more than ImageNet's classes."""
    return [
        f"{stage}: {entry['more_than_imagenet']}; that is more supervision than tags, and scores are to be told with it"
        for stage, entry in (manifest.get("weights") or {}).items()
        if entry.get("more_than_imagenet")
    ]
