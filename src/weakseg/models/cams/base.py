"""What every CAM method is: a network trained on tags that says where it saw them."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

from weakseg.models.backbones import Backbone
from weakseg.ops.maps import max_normalise


class CamMethod(nn.Module, ABC):
    """A classifier of tags with localisation evidence.

    Localisation calls `scale_maps` once per scale, resizes the results to one size, sums them, keeps the tagged
    classes and calls `merge`.

    Attributes:
        backbone: the network below.
        mean: and ``std``: the normalisation of RGB in [0, 1] that it expects.
    """

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = backbone
        self.mean, self.std = backbone.mean, backbone.std

    @abstractmethod
    def logits(self, images: Tensor) -> Tensor:
        """Normalised images (N, 3, H, W) -> one logit per tag (N, C)."""

    @abstractmethod
    def losses(self, images: Tensor, tags: Tensor) -> dict[str, Tensor]:
        """Training losses by name, scalars to be summed.

        Args:
            images: normalised, (N, 3, H, W).
            tags: float zeros and ones, (N, C).
        """

    @abstractmethod
    def scale_maps(self, views: Tensor, tags: Tensor) -> Tensor:
        """Evidence at one scale, the flip merged.

        Args:
            views: a normalised image and, as a rule, its horizontal flip: (1 or 2, 3, h, w).
            tags: float zeros and ones, (C,). Rows of untagged classes may hold anything: callers leave them out.

        Returns:
            Raw evidence, (C, h', w') at the method's stride.
        """

    def merge(self, maps: Tensor) -> Tensor:
        """Evidence summed over scales (K, H, W) -> maps in [0, 1]. By default divided by maximum + 1e-5 per class."""
        return max_normalise(maps)

    def new_parameters(self) -> list[nn.Parameter]:
        """The parameters that do not come from the backbone; they train with 10 times its learning rate (SPEC 1.3)."""
        known = set(self.backbone.parameters())
        return [parameter for parameter in self.parameters() if parameter not in known]
