"""Segmentation networks by name: those of this package, and what others add as entry points `weakseg.segmentation`."""

from __future__ import annotations

from typing import Any

from weakseg.backbones.backbone import BackboneSettings
from weakseg.registry import Registry
from weakseg.segmentation.base import SegmentationNetwork

SEGMENTATION_NETWORKS: Registry[type[SegmentationNetwork]] = Registry(
    "segmentation network",
    "weakseg.segmentation",
    {
        "deeplabv3plus": "weakseg.segmentation.deeplabv3plus:DeepLabV3Plus",
        "deeplabv1": "weakseg.segmentation.deeplabv1:DeepLabV1",
        "deeplabv2": "weakseg.segmentation.deeplabv2:DeepLabV2",
        "deeplabv3": "weakseg.segmentation.deeplabv3:DeepLabV3",
        "segformer": "weakseg.segmentation.segformer:Segformer",
        "upernet": "weakseg.segmentation.upernet:UPerNet",
    },
)
"""Segmentation networks: subclasses of `SegmentationNetwork`."""


def build_segmentation(
    network: str, *, backbone_name: str, n_labels: int, settings: Any = None, **options: Any
) -> SegmentationNetwork:
    """Build a segmentation network by name.

    Args:
        network: a name of ``SEGMENTATION_NETWORKS``.
        backbone_name: see `weakseg.backbones.backbone.BackboneSettings`.
        n_labels: number of classes with background.
        settings: of the network's ``Settings``; None for its defaults.
        options: other fields of `weakseg.backbones.backbone.BackboneSettings`.

    Raises:
        WeaksegError: no such network, or a backbone that does not exist or fit.
    """
    kind = SEGMENTATION_NETWORKS.get(network)
    own = kind.Settings() if settings is None else settings
    return kind.build(BackboneSettings(backbone_name, **options), n_labels, own)
