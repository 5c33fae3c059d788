"""The stages, in order."""

from weakseg.pipeline.stage import Stage
from weakseg.pipeline.stages import classify, evaluate, localize, predict, refine, relate, segment

ALL: dict[str, Stage] = {
    module.STAGE.name: module.STAGE for module in (classify, localize, relate, refine, segment, predict, evaluate)
}
"""Every stage by name, in the order in which a recipe may have them."""
