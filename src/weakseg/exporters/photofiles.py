"""Photos that an export brings along."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from weakseg.data.headers import read_header
from weakseg.data.images import write_image
from weakseg.data.sample import IGNORE
from weakseg.errors import WeaksegError
from weakseg.exporters.base import MaskedPhoto, MaskSet

_PLAIN = (".jpg", ".jpeg", ".png")


def copy_photo(photo: MaskedPhoto, folder: Path, called: str | None = None) -> str:
    """Copy a photo below a folder under its name; masks fit it as any program shows it.

    Photos that EXIF turns are written upright, as not every tool turns them; drawn pictures are written as PNG. What
    is neither JPEG nor PNG becomes PNG.

    Args:
        photo: the photo.
        folder: to copy to.
        called: its name there, without suffix; None for its id.

    Returns:
        the name below the folder.

    Raises:
        WeaksegError: the photo is not there, or the folder cannot be written.
    """
    image = photo.sample.image
    stem = called or photo.id
    header = read_header(image) if isinstance(image, Path) else None
    plain = isinstance(image, Path) and image.suffix.lower() in _PLAIN
    name = f"{stem}{image.suffix}" if isinstance(image, Path) and plain else f"{stem}.png"
    try:
        if isinstance(image, Path) and plain and header is not None and header.orientation == 1:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(image, folder / name)
        else:
            write_image(folder / name, photo.sample.read_image())
    except OSError as error:
        raise WeaksegError(f"{image}: cannot be copied to {folder} ({error.strerror})") from error
    return name


def where_photos_are(masks: MaskSet) -> tuple[str, ...]:
    """Lines that tell where photos stay that are not copied, and which of them other tools may show turned."""
    files = [photo.sample.image for photo in masks.photos if isinstance(photo.sample.image, Path)]
    if not files:
        return ("the photos are drawn and have no files; --photos copy writes them",)
    turned = sum((header := read_header(file)) is not None and header.orientation != 1 for file in files)
    lines = [f"the photos stay where they are, the first is {files[0]}; --photos copy brings them along"]
    if turned:
        lines.append(f"{turned} photos are turned by EXIF: masks fit them upright; --photos copy writes them so")
    return tuple(lines)


@dataclass
class Ignored:
    """Counts pixels that are neither background nor a class, for formats that have no word for them.

    Attributes:
        pixels: of all masks.
        masks: that have any.
    """

    pixels: int = 0
    masks: int = 0

    def see(self, photo: MaskedPhoto) -> None:
        """Count those of a photo; objects found one by one have none."""
        found = int((photo.labels() == IGNORE).sum()) if photo.objects is None else 0
        self.pixels += found
        self.masks += found > 0

    def lines(self) -> tuple[str, ...]:
        """The line that says so; none where there are none."""
        if not self.pixels:
            return ()
        return (
            f"{self.pixels} pixels of {self.masks} masks are neither background nor a class (255); in this format they "
            "count as background",
        )
