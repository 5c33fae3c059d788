"""The stages, in order."""

from weakseg.pipeline.stage import Stage
from weakseg.pipeline.stages.classify import STAGE as CLASSIFY
from weakseg.pipeline.stages.evaluate import STAGE as EVALUATE
from weakseg.pipeline.stages.instances import STAGE as INSTANCES
from weakseg.pipeline.stages.localize import STAGE as LOCALIZE
from weakseg.pipeline.stages.predict import STAGE as PREDICT
from weakseg.pipeline.stages.refine import STAGE as REFINE
from weakseg.pipeline.stages.relate import STAGE as RELATE
from weakseg.pipeline.stages.segment import STAGE as SEGMENT

ALL: dict[str, Stage] = {
    stage.name: stage for stage in (CLASSIFY, LOCALIZE, RELATE, REFINE, INSTANCES, SEGMENT, PREDICT, EVALUATE)
}
"""Every stage by name, in the order in which a recipe may have them."""
