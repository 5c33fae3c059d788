"""Background channels for the maps of a photo."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import torch
from annotated_types import Interval

from weakseg.data.classmaps import ClassMaps
from weakseg.data.sample import Array
from weakseg.errors import WeaksegError
from weakseg.ops.maps import background_power
from weakseg.refine.base import RefinementStep
from weakseg.settings import Positive, Unit, settings


@settings
class BackgroundSettings:
    """How strong the background is at a pixel; a label wins where it is the strongest."""

    rule: Literal["constant", "power", "own"] = "constant"
    """"constant": ``threshold``; "power": (1 - strongest class)^``alpha``, AffinityNet's; "own": the CAM method's own
    channel times ``weight``."""
    threshold: Unit = 0.2
    """Strength by the rule "constant"; higher makes more background."""
    alpha: Positive = 16.0
    """Exponent of the rule "power"; higher makes less background."""
    weight: Annotated[float, Interval(ge=0, le=10)] = 1.0
    """Factor of the rule "own"; higher makes more background."""

    def used(self) -> dict[str, Any]:
        """The rule and the one number that it reads."""
        number = {"constant": "threshold", "power": "alpha", "own": "weight"}[self.rule]
        return {"rule": self.rule, number: getattr(self, number)}


class Background(RefinementStep):
    """A background channel at full resolution."""

    Settings: ClassVar[type[Any]] = BackgroundSettings

    def __call__(self, image: Array, maps: ClassMaps) -> ClassMaps:
        """See `add_background`."""
        return add_background(maps, self.settings)


def add_background(maps: ClassMaps, section: BackgroundSettings) -> ClassMaps:
    """Maps at the photo's size, the background channel first.

    Args:
        maps: with or without a background channel of the method's own; the rules constant and power leave it out.
        section: the rule.

    Returns:
        scores (K + 1, H, W) of the labels (0, ...). A photo without tags is background everywhere.

    Raises:
        WeaksegError: the rule is own and the maps have no background channel.
    """
    found = foreground(maps)
    if not found.classes:
        return ClassMaps((0,), maps.scores.new_ones(1, *maps.size), maps.size)
    scores = found.full_scores()
    if section.rule == "power":
        channel = background_power(scores, section.alpha)
    elif section.rule == "constant":
        channel = scores.new_full((1, *maps.size), section.threshold)
    else:
        channel = section.weight * own_background(maps).full_scores()
    return ClassMaps((0, *found.classes), torch.cat([channel, scores]), maps.size)


def foreground(maps: ClassMaps) -> ClassMaps:
    """The maps of the classes alone."""
    return maps.channels(slice(1, None)) if 0 in maps.classes[:1] else maps


def own_background(maps: ClassMaps) -> ClassMaps:
    """The method's own background channel alone. Raises WeaksegError for maps without one."""
    if 0 not in maps.classes[:1]:
        raise WeaksegError("the maps have no background channel: set the background rule to constant or power")
    return maps.channels(slice(0, 1))
