"""What every CAM method is: a network trained on tags that says where it saw them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, TypedDict

from torch import Tensor, nn

from weakseg.backbones.backbone import Backbone
from weakseg.ops.maps import max_normalise


class CamOptions(TypedDict, total=False):
    """Keyword arguments that every CAM method hands on to `CamMethod`, which explains them."""

    dropout: float
    frozen_levels: int
    warm_up: float


class CamMethod(nn.Module, ABC):
    """A classifier of tags with localisation evidence.

    Localisation calls `scale_maps` once per scale, resizes the results to one size, sums them, keeps the tagged
    classes (and the background, where there is one) and calls `merge`.

    Args:
        backbone: the network below.
        n_outputs: of the linear classifier: C, or C + 1 where it scores the background too.
        dropout: probability of dropping a feature channel of the coarsest level in training; the codes of AffinityNet,
            SEAM and CPN have 0.5, the others none.
        frozen_levels: how many of the backbone's finest levels are not trained; IRNet 3 on a ResNet (up to layer2).
        warm_up: share of the training, 0 to 1, in which only the classification loss is used. The released codes have
            none; a network that starts far from the tags gains from it.

    Attributes:
        background: whether `scale_maps` gives a map of the background first.
        guides: what `losses` wants per photo beside the image and its tags, with options, by name: "valid" (1 inside
            the photo, 0 in the crop's padding) or "superpixels" (labels from 1, 0 in the padding).
        mean: and ``std``: the normalisation of RGB in [0, 1] that the network expects.
        progress: share of the training that is done; the training loop sets it before each step.

    Raises:
        WeaksegError: ``frozen_levels`` is more than the backbone has.
    """

    background: ClassVar[bool] = False
    guides: Mapping[str, Mapping[str, Any]] = {}

    def __init__(
        self,
        backbone: Backbone,
        n_outputs: int,
        *,
        dropout: float = 0.0,
        frozen_levels: int = 0,
        warm_up: float = 0.0,
    ) -> None:
        super().__init__()
        if not 0 <= warm_up <= 1:
            raise ValueError(f"warm_up is a share of the training, 0 to 1, not {warm_up}")
        backbone.freeze_levels(frozen_levels)
        self.backbone = backbone
        self.mean, self.std = backbone.mean, backbone.std
        self.warm_up, self.progress = warm_up, 0.0
        self.dropout = nn.Dropout2d(dropout)
        self.classifier = nn.Conv2d(backbone.channels[-1], n_outputs, 1, bias=False)
        nn.init.xavier_uniform_(self.classifier.weight)

    @property
    def warmed_up(self) -> bool:
        """Whether the losses beside the classification are used by now."""
        return self.progress >= self.warm_up

    @abstractmethod
    def logits(self, images: Tensor) -> Tensor:
        """Normalised images (N, 3, H, W) -> one logit per tag (N, C)."""

    @abstractmethod
    def losses(self, images: Tensor, tags: Tensor, *guides: Tensor) -> dict[str, Tensor]:
        """Training losses by name, scalars to be summed; "classification" is among them.

        Args:
            images: normalised, (N, 3, H, W).
            tags: float zeros and ones, (N, C).
            guides: integer (N, H, W), in the order of ``self.guides``.
        """

    @abstractmethod
    def scale_maps(self, views: Tensor, tags: Tensor) -> Tensor:
        """Evidence at one scale, the flip merged.

        Args:
            views: a normalised image and, as a rule, its horizontal flip: (1 or 2, 3, h, w).
            tags: float zeros and ones, (C,). Rows of untagged classes may hold anything: callers leave them out.

        Returns:
            Raw evidence, (C, h', w') at the method's stride, or (C + 1, h', w') where ``background`` holds.
        """

    def merge(self, maps: Tensor) -> Tensor:
        """Evidence summed over scales (K, H, W) -> maps in [0, 1]. By default divided by maximum + 1e-5 per channel."""
        return max_normalise(maps)

    def new_parameters(self) -> list[nn.Parameter]:
        """The parameters that do not come from the backbone; they train with 10 times its learning rate (SPEC 1.3)."""
        known = set(self.backbone.parameters())
        return [parameter for parameter in self.parameters() if parameter not in known]
