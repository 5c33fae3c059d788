"""Super-pixels of whole photos: computed once, kept as 16-bit PNG, cropped and flipped with their photo."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage.segmentation import slic

from weakseg.errors import WeaksegError
from weakseg.files import replacing

Labels = NDArray[np.int32]

MOST = 65535
"""Super-pixels per photo that a 16-bit PNG can tell apart."""


def superpixels(image: NDArray[Any], *, segments: int = 300, compactness: float = 10.0) -> Labels:
    """Super-pixels by SLIC in CIELAB (Achanta et al. 2012), scikit-image's.

    CPN takes them of every training crop, which costs it more than a second each. Of the whole photo they can be kept;
    a crop then shows a part of them, so that ``segments`` counts the photo's.

    Args:
        image: RGB (H, W, 3), uint8, or floats of any range as CPN does with the normalised crop.
        segments: about how many; 300 in CPN's code, 200 in its paper.
        compactness: weight of nearness against colour.

    Returns:
        int32 (H, W), labels from 1.

    Raises:
        WeaksegError: more super-pixels than can be kept.
    """
    labels: Labels = slic(image, n_segments=segments, compactness=compactness, start_label=1).astype(np.int32)
    if labels.max() > MOST:
        raise WeaksegError(f"superpixels: {labels.max()} in one photo, at most {MOST} can be kept; lower segments")
    return labels


def save_superpixels(path: Path, labels: Labels) -> None:
    """Write labels 0..65535 (H, W) as a 16-bit grey PNG, replacing the file in one step."""
    with replacing(path) as temporary:
        Image.fromarray(labels.astype(np.uint16)).save(temporary, format="PNG")


def load_superpixels(path: Path) -> Labels:
    """Read what `save_superpixels` wrote, as int32 (H, W). Raises WeaksegError for anything else."""
    try:
        with Image.open(path, formats=["PNG"]) as image:
            labels = np.array(image)
    except (OSError, SyntaxError) as error:  # Pillow has both for damaged files
        raise WeaksegError(f"{path}: not readable as super-pixels; delete it to have it made anew") from error
    if labels.dtype != np.uint16:
        raise WeaksegError(f"{path}: holds no 16-bit labels; delete it to have it made anew")
    return labels.astype(np.int32)
