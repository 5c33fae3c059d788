"""Fixtures of this folder: a run and predictions with masks that are hard to export."""

from hard_masks import made, predicted, with_objects

__all__ = ["made", "predicted", "with_objects"]
