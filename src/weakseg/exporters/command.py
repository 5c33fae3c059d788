"""One call from a run, or from predictions, to a folder in the format of another tool."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple, get_args

from weakseg import __version__
from weakseg.errors import one_of
from weakseg.exporters.base import Exported, ExportJob, Photos, What
from weakseg.exporters.folder import check_out, new_folder, write_record
from weakseg.exporters.registry import EXPORTERS
from weakseg.pipeline.rundir.run import RECIPE, now


class Written(NamedTuple):
    """An export.

    Attributes:
        folder: where it is.
        to: its format.
        exported: what was written.
    """

    folder: Path
    to: str
    exported: Exported

    def as_json(self) -> dict[str, Any]:
        """For programs: folder, format, counts, files, notes."""
        found = self.exported
        about: dict[str, Any] = {"folder": str(self.folder), "to": self.to, "counts": found.counts}
        return about | {"files": [str(self.folder / name) for name in found.files], "notes": list(found.notes)}

    def show(self) -> None:
        """Print it for people."""
        print("\n".join(self.lines()))

    def lines(self) -> list[str]:
        """For people."""
        counts = ", ".join(f"{number} {name}" for name, number in self.exported.counts.items())
        files = ", ".join(str(self.folder / name) for name in self.exported.files)
        return [f"wrote {counts}: {files or self.folder}", *self.exported.notes]


def export(
    folder: Path,
    to: str,
    out: Path | None = None,
    *,
    what: What | None = None,
    data: str | None = None,
    photos: Photos | None = None,
    whole: bool = False,
    url: str | None = None,
    reviews: Path | None = None,
    overwrite: bool = False,
) -> Written:
    """Export the masks or the network of a run, or masks that ``weakseg predict`` has written.

    Args:
        folder: of the run, or of the predictions.
        to: a name of ``EXPORTERS``.
        out: where to write; by default RUN/export/TO, or beside the folder of predictions.
        what: "masks" or "predictions" of a run; see `weakseg.exporters.base.ExportJob` for this and the other options.
        data: the source that has the photos.
        photos: "copy" or "stay".
        whole: one region per class where objects are known one by one.
        url: in front of a photo's path, for formats that load photos from an address.
        reviews: of a run: a file of reviews; its corrected masks are written in place of the run's, rejected ones not.
        overwrite: replace an earlier export.

    Raises:
        WeaksegError: no such option, nothing of the kind there, a missing extra, or a folder that holds something else.
    """
    for option, given, known in (("--what", what, get_args(What)), ("--photos", photos, get_args(Photos))):
        if given is not None and given not in known:
            raise one_of(f"value of {option}", given, known)
    exporter = EXPORTERS.get(to)
    exporter.check_installed()
    out = out or default_out(folder, to)
    check_out(out, overwrite=overwrite)
    with new_folder(out, overwrite=overwrite) as temporary:
        exported = exporter()(ExportJob(folder, temporary, what, data, photos, whole, url, reviews))
        about = {"weakseg": __version__, "to": to, "of": str(folder), "what": what, "written": now()}
        about |= {"reviews": None if reviews is None else str(reviews)}
        write_record(temporary, about | {"counts": exported.counts, "notes": list(exported.notes)})
    return Written(out, to, exported)


def default_out(folder: Path, to: str) -> Path:
    """Where an export goes: into a run, and beside predictions, whose own folder holds nothing else."""
    if (folder / RECIPE).is_file():
        return folder / "export" / to
    whole = folder.resolve()
    return whole.with_name(f"{whole.name}-{to}")
