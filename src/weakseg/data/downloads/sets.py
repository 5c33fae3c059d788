"""The data sets of the papers: where they are, how their archives are told, and where they go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from weakseg.data.downloads.augment import AUG, augment
from weakseg.data.downloads.fetch import fetch
from weakseg.data.downloads.unpack import unpack
from weakseg.errors import WeaksegError, one_of


@dataclass(frozen=True)
class Archive:
    """A file of a data set.

    Attributes:
        url: official address.
        md5: of it, None if nobody vouches for one.
        folders: by path in it, where they go.
    """

    url: str
    md5: str | None
    folders: Mapping[str, str]


@dataclass(frozen=True)
class DataSet:
    """What ``weakseg download`` knows by a name.

    Attributes:
        about: what it is.
        archives: of it; none where only people can get them.
        opens: the data source that it is then; "" if it is none alone.
        by_hand: what is left to be done by hand; the whole of it where there are no archives.
    """

    about: str
    archives: Sequence[Archive] = ()
    opens: str = ""
    by_hand: str = ""


VOC, SBD = "VOCdevkit/VOC2012", "benchmark_RELEASE"
_COCO = "http://images.cocodataset.org"
SETS: dict[str, DataSet] = {
    "voc12": DataSet(
        "PASCAL VOC 2012, train and val",
        (
            Archive(  # MD5s of VOC and SBD as torchvision.datasets has them
                "http://host.robots.ox.ac.uk/pascal/VOC/voc2012/VOCtrainval_11-May-2012.tar",
                "6cd6e144f989b92b3379bac3b3de84fd",
                {VOC: VOC},
            ),
        ),
        f"voc:{{to}}/{VOC}",
        "photos of the test list are at http://host.robots.ox.ac.uk:8080 behind an account",
    ),
    "sbd": DataSet(
        "SBD, the masks that make VOC's train_aug of its train",
        (
            Archive(
                "https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/semantic_contours/benchmark.tgz",
                "82b4d87ceb2ed10f6038a1cba92111cb",
                {SBD: SBD},
            ),
        ),
    ),
    "coco14": DataSet(
        "COCO 2014, train and val",
        (
            Archive(
                f"{_COCO}/annotations/annotations_trainval2014.zip",
                "0a379cfc70b0e71301e0f377548639bd",
                {"annotations": "coco/annotations"},
            ),
            Archive(f"{_COCO}/zips/val2014.zip", "a3d79f5ed8d289b7a7554ce06a5782b3", {"val2014": "coco/val2014"}),
            # Two MD5s of it are told in public code: the zip's own checks of every photo have to do.
            Archive(f"{_COCO}/zips/train2014.zip", None, {"train2014": "coco/train2014"}),
        ),
        "coco:{to}/coco",
    ),
    "cityscapes": DataSet(
        "Cityscapes",
        by_hand="Cityscapes wants an account: get leftImg8bit_trainvaltest.zip and gtFine_trainvaltest.zip at "
        "https://www.cityscapes-dataset.com/downloads/, unpack both into one folder, and open cityscapes:FOLDER",
    ),
    "camvid": DataSet(
        "CamVid",
        by_hand="get 701_StillsRaw_full.zip and LabeledApproved_full.zip at "
        "http://mi.eng.cam.ac.uk/research/projects/VideoRec/CamVid/, unpack the second into a folder "
        "LabeledApproved_full beside the first, and open camvid:FOLDER",
    ),
}
"""By the name that ``weakseg download`` takes."""


@dataclass(frozen=True)
class Downloaded:
    """What is there now.

    Attributes:
        lines: what was done or kept, for people.
        opens: the data source; "" if there is none.
    """

    lines: tuple[str, ...]
    opens: str


def download(name: str, to: Path, *, keep: bool = False) -> Downloaded:
    """Get a data set; what is there is kept, and what broke off goes on.

    Args:
        name: of `SETS`.
        to: the folder it goes to.
        keep: leave the archives there too. Those that were there before stay in any case.

    Raises:
        WeaksegError: no such set, one that only people can get, or what `fetch` and `unpack` raise.
    """
    if name not in SETS:
        raise one_of("data set", name, SETS)
    chosen = SETS[name]
    if not chosen.archives:
        raise WeaksegError(f"download: {chosen.by_hand}")
    lines = [line for archive in chosen.archives for line in _one(archive, to, keep)]
    if name in ("voc12", "sbd"):
        lines += _augmented(to)
    lines += [f"by hand: {chosen.by_hand}"] if chosen.by_hand else []
    opens = f"voc:{to / VOC}" if (to / VOC / AUG).is_dir() else chosen.opens.format(to=to)
    return Downloaded(tuple(lines), opens)


def _one(archive: Archive, to: Path, keep: bool) -> list[str]:
    """Get and unpack one archive, unless its folders are there."""
    places = [to / below for below in archive.folders.values()]
    if all(place.exists() for place in places):
        return [f"{place}: there already, kept" for place in places]
    file = to / archive.url.rpartition("/")[2]
    fetched = fetch(archive.url, file, archive.md5)
    unpack(file, to, archive.folders)
    if not (keep or fetched.kept):
        file.unlink()
    known = {"MD5": "its MD5 is right", "size": "its size is right, no checksum is known"}
    checked = known.get(fetched.checked, "nothing is known to check it by")
    return [f"{place}: unpacked from {file.name}, {checked}" for place in places]


def _augmented(to: Path) -> list[str]:
    """VOC's masks of train_aug, where both VOC and SBD are there; else how to get them."""
    if (to / VOC / AUG).exists():
        return [f"{to / VOC / AUG}: there already, kept"]
    missing = [name for name, folder in (("voc12", VOC), ("sbd", SBD)) if not (to / folder).is_dir()]
    if missing:
        return [f"for the masks and the list train_aug: weakseg download {missing[0]} --to {to}"]
    count = augment(to / VOC, to / SBD)
    return [f"{to / VOC / AUG}: masks of the {count} photos of train_aug and of val, VOC's own where it has one"]
