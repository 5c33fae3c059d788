"""PAMR and the dense CRF as refinement steps."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, ClassVar

import torch
from annotated_types import Ge, Lt, MinLen
from pydantic import AfterValidator

from weakseg.data.classmaps import ClassMaps
from weakseg.data.sample import Array
from weakseg.ops.densecrf.crf import PRESETS, dense_crf, unary_from_labels, unary_from_scores
from weakseg.ops.pamr import DILATIONS, Kernel, pamr
from weakseg.ops.views import photo_tensor
from weakseg.refine.base import RefinementStep
from weakseg.settings import PositiveInt, settings


def _known_preset(name: str) -> str:
    if name not in PRESETS:
        raise ValueError(f"unknown dense CRF preset {name!r}; available: {', '.join(PRESETS)}")
    return name


Preset = Annotated[str, AfterValidator(_known_preset)]
"""A name of `weakseg.ops.densecrf.crf.PRESETS`."""
Certainty = Annotated[float, Ge(0.5), Lt(1)]
"""The probability that a label is right, from which a dense CRF starts."""


@settings
class PamrSettings:
    """Pixel-adaptive mask refinement (Araslanov and Roth 2020; AE-SIPE)."""

    iterations: PositiveInt = 10
    """How often every score becomes the mean of its neighbours."""
    dilations: Annotated[tuple[PositiveInt, ...], MinLen(1)] = DILATIONS
    """Distances of the neighbours in pixels, 8 at each."""
    kernel: Kernel = "exponential"
    """How weights fall with the distance of colours: "exponential" as released, or AE-SIPE's "gaussian"."""


class Pamr(RefinementStep):
    """Pixel-adaptive mask refinement at full resolution."""

    Settings: ClassVar[type[Any]] = PamrSettings

    def __call__(self, image: Array, maps: ClassMaps) -> ClassMaps:
        """See `weakseg.ops.pamr.pamr`."""
        own = self.settings
        photo = photo_tensor(torch.from_numpy(image)).to(self.device).float()[None] / 255
        scores = maps.scores.to(self.device)[None]
        found = pamr(photo, scores, iterations=own.iterations, dilations=own.dilations, kernel=own.kernel)
        return replace(maps, scores=found[0].cpu())


@settings
class CrfSettings:
    """Dense CRF on the scores, background included; or with a ``certainty`` on the strongest labels.

    SIPE's and AE-SIPE's "+ DenseCRF" are labels of certainty 0.7 with preset irn.
    """

    preset: Preset = "psa"
    """Published parameters by name: psa, seam-rw, cpn, irn, vwl, afa, deeplabv2, deeplabv1, one-stage."""
    certainty: Certainty | None = None
    """Probability that the strongest label is right, from which the CRF starts; null: it starts from the scores."""


class Crf(RefinementStep):
    """Dense CRF at full resolution."""

    Settings: ClassVar[type[Any]] = CrfSettings

    def __call__(self, image: Array, maps: ClassMaps) -> ClassMaps:
        """See `weakseg.ops.densecrf.crf.dense_crf`."""
        own = self.settings
        scores = maps.full_scores().to(self.device)
        if own.certainty is None:
            unary = unary_from_scores(scores)
        else:
            unary = unary_from_labels(scores.argmax(dim=0), len(scores), own.certainty)
        return replace(maps, scores=dense_crf(image, unary, PRESETS[own.preset]).cpu())
