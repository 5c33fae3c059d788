"""How good masks are: confusion matrices, IoU and threshold curves. The only part that opens true masks."""

from weakseg.evaluation.curve import ThresholdCurve
from weakseg.evaluation.metrics import ConfusionMatrix, Scores

__all__ = ["ConfusionMatrix", "Scores", "ThresholdCurve"]
