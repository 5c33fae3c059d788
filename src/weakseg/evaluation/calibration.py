"""Whether a mask is right as often as its confidence says: reliability diagrams and their error.

Source: Guo et al., On Calibration of Modern Neural Networks, ICML 2017, section 2; here every pixel is a prediction.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from weakseg.data.sample import BACKGROUND, IGNORE, Array
from weakseg.evaluation.metrics import check_size

LEVELS = 256
"""Of a confidence PNG: 0 is a confidence of 0, 255 one of 1."""
BINS = 15


@dataclass(frozen=True)
class Bin:
    """The pixels of an interval of confidence.

    Attributes:
        low: its lower end, not included but for 0.
        high: its upper end, included.
        pixels: how many there are.
        confidence: their mean confidence, 0 to 1; 0 without pixels.
        accuracy: the share of them whose label is right; 0 without pixels.
    """

    low: float
    high: float
    pixels: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Calibration:
    """A reliability diagram.

    Attributes:
        bins: intervals of equal width, ascending.
    """

    bins: tuple[Bin, ...]

    @property
    def pixels(self) -> int:
        """Over all bins."""
        return sum(part.pixels for part in self.bins)

    @property
    def expected_error(self) -> float:
        """Expected calibration error, 0 to 1; nan without pixels.

        The mean over all pixels of ``|accuracy - confidence|`` of their bin (equation 3 of the paper).
        """
        gaps = sum(part.pixels * abs(part.accuracy - part.confidence) for part in self.bins)
        return gaps / self.pixels if self.pixels else float("nan")

    @property
    def bias(self) -> float:
        """Mean confidence less accuracy, -1 to 1: above 0 the masks are too sure of themselves; nan without pixels."""
        gaps = sum(part.pixels * (part.confidence - part.accuracy) for part in self.bins)
        return gaps / self.pixels if self.pixels else float("nan")


class Reliability:
    """Counts right and wrong pixels at every level of confidence, over images of any sizes.

    Example:
        >>> found = Reliability()
        >>> found.add(np.uint8([[1, 1]]), np.uint8([[255, 51]]), np.uint8([[1, 0]]))
        >>> round(found.calibration(bins=5).expected_error, 6)
        0.1

    Attributes:
        foreground: whether only pixels count that the mask gives a class.
    """

    def __init__(self, *, foreground: bool = False) -> None:
        self.foreground = foreground
        self._pixels: NDArray[np.int64] = np.zeros(LEVELS, dtype=np.int64)
        self._right: NDArray[np.int64] = np.zeros(LEVELS, dtype=np.int64)

    def add(self, prediction: Array, confidence: Array, truth: Array, *, image: str = "image") -> None:
        """Count one image. Pixels that are 255 in the mask or in the ground truth are left out.

        Args:
            prediction: labels (H, W), 0..C or 255.
            confidence: uint8 (H, W), 255 for a confidence of 1.
            truth: labels (H, W), 0..C or 255.
            image: its id, for error messages.

        Raises:
            WeaksegError: the sizes differ.
        """
        check_size(prediction.shape, truth, image)
        check_size(confidence.shape, truth, f"{image}, confidence")
        counted = (truth != IGNORE) & (prediction != IGNORE)
        if self.foreground:
            counted &= prediction != BACKGROUND
        self._pixels += np.bincount(confidence[counted], minlength=LEVELS)
        self._right += np.bincount(confidence[counted & (prediction == truth)], minlength=LEVELS)

    def calibration(self, bins: int = BINS) -> Calibration:
        """The reliability diagram of all that was counted, with ``bins`` intervals of equal width."""
        levels = np.arange(LEVELS)
        # In integers, so that a level on an edge falls into the interval below, on every machine.
        place = np.maximum(-(-levels * bins // (LEVELS - 1)) - 1, 0)
        found = []
        for number in range(bins):
            inside = place == number
            pixels = int(self._pixels[inside].sum())
            sure = int((self._pixels * levels)[inside].sum()) / (LEVELS - 1)
            right = int(self._right[inside].sum())
            found.append(Bin(number / bins, (number + 1) / bins, pixels, sure / (pixels or 1), right / (pixels or 1)))
        return Calibration(tuple(found))
