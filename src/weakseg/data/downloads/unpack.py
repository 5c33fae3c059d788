"""Archives to folders: nothing is written outside of them, and a folder is there whole or not at all."""

from __future__ import annotations

import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from weakseg.errors import WeaksegError
from weakseg.files import TEMPORARY
from weakseg.training.progress import bar, track

_MB = 1_000_000


def unpack(archive: Path, to: Path, folders: Mapping[str, str]) -> None:
    """Unpack folders of a tar or zip.

    Args:
        archive: .zip, or .tar with any compression.
        to: where the folders go; all is unpacked into a hidden folder there first.
        folders: by path in the archive, the path below ``to``. Those that are there stay as they are.

    Raises:
        WeaksegError: the archive is damaged, has none of these folders, or names files outside of itself.
    """
    to.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=".unpacking.", suffix=TEMPORARY, dir=to))
    try:
        try:
            (_unzip if zipfile.is_zipfile(archive) else _untar)(archive, temporary)
        except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise WeaksegError(
                f"{archive}: damaged or unsafe archive ({error}); remove it to have it fetched anew"
            ) from None
        except OSError as error:
            raise WeaksegError(f"{to}: cannot be written ({error.strerror or error}); make room there") from error
        for inside, below in folders.items():
            if not (temporary / inside).is_dir():
                raise WeaksegError(f"{archive}: holds no folder {inside}; it is not the archive it is taken for")
            if not (to / below).exists():
                (to / below).parent.mkdir(parents=True, exist_ok=True)
                (temporary / inside).rename(to / below)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _untar(archive: Path, to: Path) -> None:
    if not hasattr(tarfile, "data_filter"):
        raise WeaksegError(
            f"{archive}: this Python unpacks without a filter; take 3.11.4 or later, or unpack it by hand"
        )
    size = archive.stat().st_size // _MB
    with (
        archive.open("rb") as file,
        tarfile.open(fileobj=file) as opened,
        bar(f"unpack {archive.name}", size, unit="MB") as running,
    ):
        told = 0
        for member in opened:
            opened.extract(member, to, filter="data")
            running.advance(file.tell() // _MB - told)
            told = file.tell() // _MB


def _unzip(archive: Path, to: Path) -> None:
    with zipfile.ZipFile(archive) as opened:
        members = opened.infolist()
        for member in members:
            path = PurePosixPath(member.filename.replace("\\", "/"))
            if path.is_absolute() or ".." in path.parts:
                raise zipfile.BadZipFile(f"it names {member.filename}")
        size, free = sum(member.file_size for member in members), shutil.disk_usage(to).free
        if size > free:
            raise WeaksegError(
                f"{to.parent}: {archive.name} unpacks to {size / 1e9:.1f} GB, {free / 1e9:.1f} GB are free"
            )
        for member in track(members, f"unpack {archive.name}", len(members), unit="file"):
            opened.extract(member, to)  # checks every file's CRC
