"""What a refinement step is: from the class maps of a photo to better ones."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import nn

from weakseg.data.classmaps import ClassMaps
from weakseg.data.sample import Array

Refine = Callable[[Array, ClassMaps], ClassMaps]
"""A photo, uint8 RGB (H, W, 3), and its class maps -> class maps."""


class RefinementStep(ABC):
    """A step that a recipe can name under ``refine.steps``.

    Args:
        settings: of ``Settings``.
        device: where to compute.
        network: the trained affinity network in eval mode, where ``affinity`` names one.

    Attributes:
        Settings: the class of its settings, a `weakseg.settings.settings`.
        affinity: the affinity method whose network it walks over; None if it needs none.
    """

    Settings: ClassVar[type[Any]]
    affinity: ClassVar[str | None] = None

    def __init__(self, settings: Any, device: torch.device, network: nn.Module | None = None) -> None:
        self.settings, self.device, self.network = settings, device, network

    @abstractmethod
    def __call__(self, image: Array, maps: ClassMaps) -> ClassMaps:
        """Refine the maps of a photo, uint8 RGB (H, W, 3)."""
