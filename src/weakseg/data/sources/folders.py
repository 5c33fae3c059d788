"""Data source ``folders:PATH``: one folder of images per tag."""

from __future__ import annotations

from pathlib import Path

from weakseg.data.labels import read_classes
from weakseg.data.paths import is_image_name, list_images, unique_ids, unread_line
from weakseg.data.sample import Sample, Source
from weakseg.data.sources.assemble import Listing, assemble
from weakseg.errors import WeaksegError

SPLITS = ("train", "val", "test")


def open_folders(path: str | Path) -> Source:
    """Open PATH/TAG/**/IMAGE, or PATH/train/TAG/**/IMAGE with PATH/val/TAG/**/IMAGE.

    train, val and test are splits where both train and val hold folders of images, or where
    there are no other folders than these; otherwise they are tags like any other, and
    everything is in "train". A sample's id is its path below PATH without suffix. A picture in several tag folders,
    byte for byte the same and of one file name, is one sample with all its tags and the id of the first. A
    ``classes.txt`` in PATH gives classes and mask values.

    Args:
        path: the folder.

    Raises:
        WeaksegError: no such folder, or no folder of images in it.
    """
    root = Path(path).expanduser()
    if not root.is_dir():
        raise WeaksegError(f"{root}: no such folder; folders:PATH wants one folder of images per tag")
    warnings: list[str] = []
    parts = {name: _tag_folders(root / name, warnings) for name in _split_names(root)}
    if not parts:
        parts = {"train": _tag_folders(root, warnings)}
    else:
        others = [folder.name for folder in _folders(root) if folder.name not in parts]
        if others:
            warnings.append(f"{root}: neither train, val nor test, so not read: {', '.join(others)}")
    tagged = [(split, tag, image) for split, tags in parts.items() for tag, images in tags.items() for image in images]
    if not tagged:
        raise WeaksegError(f"{root}: no folder with images; folders:PATH wants one folder of images per tag")
    ids = unique_ids(image.relative_to(root) for _, _, image in tagged)
    splits: dict[str, list[Sample]] = {split: [] for split in parts}
    for (split, tag, image), name in zip(tagged, ids, strict=True):
        splits[split].append(Sample(name, image, (tag,)))
    warnings += filter(None, [unread_line(root)])
    listed = root / "classes.txt"
    known = read_classes(listed, tags={tag for _, tag, _ in tagged}) if listed.is_file() else None
    return assemble(Listing(f"folders:{path}", root, splits, listed, known, warnings=warnings))


def _split_names(root: Path) -> list[str]:
    """Which of train, val and test are splits; none if they are tags."""
    names = [name for name in SPLITS if any(map(list_images, _folders(root / name)))]
    only = all(folder.name in SPLITS for folder in _folders(root))
    return names if "train" in names and ("val" in names or only) else []


def _tag_folders(root: Path, warnings: list[str]) -> dict[str, list[Path]]:
    """Images per tag folder, sorted; folders without images and loose images are warned of."""
    tags = {folder.name: list_images(folder) for folder in _folders(root)}
    without = [tag for tag, images in tags.items() if not images]
    if without:
        warnings.append(f"{root}: no image in {', '.join(without)}")
    loose = sum(is_image_name(file.name) for file in root.iterdir() if file.is_file())
    if loose:
        warnings.append(f"{root}: {loose} images in no tag folder, left out")
    return {tag: images for tag, images in tags.items() if images}


def _folders(root: Path) -> list[Path]:
    """Visible folders, sorted; none if there is no root."""
    if not root.is_dir():
        return []
    return sorted(folder for folder in root.iterdir() if folder.is_dir() and not folder.name.startswith("."))
