"""CPN: a photo and the two halves of a complementary pair must add up (docs/methods/cpn.md).

Zhang, Gu, Zhang and Dai, Complementary Patch for Weakly Supervised Semantic Segmentation, ICCV 2021.

Of a pair one image keeps the patches that the other hides. The sum of its maps, each weighted with the share λ of the
photo that it shows, tells more than the map of the whole photo, so the whole is drawn towards the sum (TCP), and what
one half does not explain must be what the revised maps of the other show (CPCR).

Published (table 2, mIoU of the maps on VOC train at the best threshold; grid and super-pixels differ by 0.4):

| | options | |
|---|---|---|
| baseline | context=none, tcp=false, cpcr=false | 47.84 |
| + TCP + PCM | context=pcm, cpcr=false | 51.08 |
| + CPCR | context=pcm, hard_share=1 | 55.71 |
| + mining of hard examples | context=pcm | 56.58 |
| + PRCM | | 57.43 |

The arithmetic is that of the released code, on any backbone. Its final maps are halved, so that its thresholds of
0.20 to 0.59 are 0.40 to 1.18 of the maps in [0, 1] that are made here. Other than there, super-pixels are those of the
whole photo, made once, in place of each normalised crop's; and as with SEAM levels may differ in size, only the tagged
classes are enlarged, and maps may be compared at their own size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import torch
from annotated_types import MinLen
from torch import Tensor

from weakseg.backbones.backbone import Backbone
from weakseg.methods.cpn.patches import PairRule, Share
from weakseg.methods.seam.consistency import TaggedChannels, View, normalised, strongest, with_own_background
from weakseg.methods.seam.pcm import Context, ContextCam, ContextSettings
from weakseg.settings import Positive, PositiveInt, Unit, settings

Pairs = Literal["superpixel", "grid"]


@settings
class CpnSettings(ContextSettings):
    """Of `Cpn`, each part by a switch. The released code has ``dropout`` 0.5 and one frozen level.

    With context "none" the terms "cpcr", "tcp_revised" and "minimum" fall away.
    """

    pairs: Pairs = "superpixel"
    """What is hidden: super-pixels, which come as a guide, or the cells of a grid."""
    segments: PositiveInt = 300
    """Super-pixels per photo; 300 in the released code, per crop, 200 in the paper."""
    compactness: Positive = 10.0
    """Of the super-pixels (SLIC): the weight of the place beside the colour."""
    sizes: Annotated[tuple[PositiveInt, ...], MinLen(1)] = (224, 448)
    """Sides of a grid's cells in pixels, one is drawn per photo. The released code has 224 and 448, of which 448 hides
    all of its crop or nothing; the paper's best are 56 and 112."""
    hide: Unit = 0.5
    """Probability of a patch to be hidden."""
    replacement: bool = True
    """Draw super-pixels as the released code does, which hides 39 % at ``hide`` 0.5; without, each is hidden or not by
    itself, as the paper says and as grids always are."""
    share: Share | None = None
    """What λ counts: pixels or patches; by default pixels of super-pixels and patches of a grid, as released."""
    tcp: bool = True
    """Use TCP, the difference of the whole's maps and revised maps to the weighted sum of the pair's."""
    detach: bool = False
    """Cut the gradient of the pair's revised maps in TCP, as the paper says; the released code cuts only that of its
    raw maps."""
    cpcr: bool = True
    """Use CPCR, the difference of what one half does not explain to the other's revised maps."""
    context: Context = "prcm"
    """How maps are revised; CPN's own is "prcm"."""


class Cpn(ContextCam):
    """CPN.

    Args:
        backbone: see `ContextCam`; the published one is WR38 at stride 8.
        n_classes: C.
        settings: see `CpnSettings`.

    Raises:
        WeaksegError: as `ContextCam`.
        ValueError: cells of a grid that no photo can have.
    """

    Settings = CpnSettings

    def __init__(self, backbone: Backbone, n_classes: int, settings: CpnSettings | None = None) -> None:
        own = settings or CpnSettings()
        super().__init__(backbone, n_classes, own)
        self.tcp, self.detach, self.cpcr = own.tcp, own.detach, own.cpcr
        grid = own.pairs == "grid"
        self.rule = PairRule(
            own.sizes if grid else None,
            own.hide,
            own.replacement and not grid,
            own.share or ("patch" if grid else "pixel"),
        )
        self.guides = {}
        if not grid and (own.tcp or own.cpcr):
            self.guides = {"superpixels": {"segments": own.segments, "compactness": own.compactness}}

    def losses(self, images: Tensor, tags: Tensor, *guides: Tensor) -> dict[str, Tensor]:
        """The terms "classification", "minimum", "tcp", "tcp_revised" and "cpcr"; see `CamMethod.losses`.

        Photos and pairs go through the network as one batch: batch normalisation is as a rule frozen, and what their
        gradients need is held until the end anyway.
        """
        if not self.warmed_up:
            return self.plain_losses(images, tags)
        if not (self.tcp or self.cpcr):
            return self.terms([self.view(images)], images.new_ones(len(images)), tags)
        keep, share = self.rule.draw(images, *guides)
        views = self.view(torch.cat([images, images * keep, images * ~keep])).split(3)
        return self.terms(views, share, tags)

    def terms(self, views: Sequence[View], share: Tensor, tags: Tensor) -> dict[str, Tensor]:
        """The terms of photos alone, or of photos and both halves of their pairs.

        Args:
            views: the photos, the halves that show ``share`` of them, and the other halves; or the photos.
            share: (N,).
            tags: (N, C).
        """
        channels = TaggedChannels(tags)
        picked = [channels.picked(view.revised, view.size) for view in views if view.revised is not None]
        found = self.common_terms(views, picked, tags)
        if len(views) == 1:
            return found
        shares = [part[:, None, None, None] for part in (torch.ones_like(share), share, 1 - share)]
        raw = [channels.picked(view.maps, view.size) for view in views]
        maps = [normalised(part) * weight for part, weight in zip(raw, shares, strict=True)]
        if self.tcp:
            found["tcp"] = channels.difference(maps[0], (maps[1] + maps[2]).detach())
        if not picked:
            return found
        revised = [normalised(part) * weight for part, weight in zip(picked, shares, strict=True)]
        if self.tcp:
            pair = revised[1] + revised[2]
            found["tcp_revised"] = channels.difference(revised[0], pair.detach() if self.detach else pair)
        if self.cpcr:
            found["cpcr"] = self._cross(channels, maps, revised)
        return found

    def _cross(self, channels: TaggedChannels, maps: Sequence[Tensor], revised: Sequence[Tensor]) -> Tensor:
        """What each half leaves unexplained of the whole, against the revised maps of the other half."""
        whole, *halves = (with_own_background(part.detach()) for part in maps)
        shown, hidden = (with_own_background(part) for part in revised[1:])
        left = [strongest(whole - half) for half in halves]
        first = channels.hard_difference(left[0], hidden, self.hard_share)
        return first + channels.hard_difference(left[1], shown, self.hard_share)
