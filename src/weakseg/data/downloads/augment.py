"""VOC's list train_aug: the photos of its train and those that SBD has masks of, without its val."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import numpy as np

from weakseg.data.images import voc_palette, write_mask
from weakseg.data.paths import read_text
from weakseg.errors import WeaksegError
from weakseg.files import TEMPORARY, replacing
from weakseg.training.progress import track

AUG, OWN, LISTS = "SegmentationClassAug", "SegmentationClass", "ImageSets/Segmentation"


def augment(voc: Path, sbd: Path) -> int:
    """Write SegmentationClassAug and ImageSets/Segmentation/train_aug.txt into a VOC folder.

    The list is VOC's train and SBD's train and val without VOC's val: 10 582 photos (Hariharan et al. 2011). Masks are
    VOC's own where it has one, else SBD's.

    Args:
        voc: the folder that holds JPEGImages.
        sbd: benchmark_RELEASE as it unpacks.

    Returns:
        how many photos train_aug has.

    Raises:
        WeaksegError: a list or a mask is missing or broken.
    """
    train, val = (_ids(voc / LISTS / f"{name}.txt") for name in ("train", "val"))
    more = [name for part in ("train", "val") for name in _ids(sbd / "dataset" / f"{part}.txt")]
    names = sorted({*train, *more}.difference(val))
    temporary = Path(tempfile.mkdtemp(prefix=f".{AUG}.", suffix=TEMPORARY, dir=voc))
    try:
        masked = [*names, *val]
        for name in track(masked, "train_aug", len(masked)):
            own = voc / OWN / f"{name}.png"
            if own.is_file():
                shutil.copyfile(own, temporary / own.name)
            else:
                _write_mask(sbd / "dataset" / "cls" / f"{name}.mat", temporary / own.name)
        with replacing(voc / LISTS / "train_aug.txt") as written:
            written.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
        temporary.chmod(0o755)
        temporary.rename(voc / AUG)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return len(names)


def _ids(path: Path) -> list[str]:
    return [line.split()[0] for line in read_text(path).splitlines() if line.strip()]


def _write_mask(mat: Path, out: Path) -> None:
    """The classes of a file of SBD as a palette PNG."""
    from scipy.io import loadmat  # here, because nothing else of a source's reading takes it

    try:
        values = np.asarray(loadmat(mat)["GTcls"]["Segmentation"][0, 0])
    except Exception as error:  # of broken files scipy says it in many ways
        raise WeaksegError(f"{mat}: cannot be read as a mask of SBD ({error})") from error
    write_mask(out, values.astype(np.uint8), voc_palette())
