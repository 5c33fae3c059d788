"""The masks of a run that are worth a look first."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from weakseg.errors import WeaksegError, one_of
from weakseg.evaluation.expected import Expected, by_photo
from weakseg.pipeline.masklist import LIST, read_mask_list
from weakseg.pipeline.rundir.run import Run
from weakseg.report.listing import out


def most_doubtful(folder: Path, count: int, name: str | None = None) -> tuple[Path, list[tuple[str, list[Expected]]]]:
    """The photos of a run whose masks are expected to be the worst, worst first.

    Args:
        folder: directory of a run.
        count: how many; 0 for all.
        name: only photos with this tag, by what is expected of it alone.

    Returns:
        the folder of the stage whose masks they are, and for each photo its id and what is expected of its tags.

    Raises:
        WeaksegError: no run, no masks in it, or no such class.
    """
    run = Run(folder)
    stages = run.read_recipe().mask_stages
    if not stages:
        raise WeaksegError(f"{folder}: the recipe makes no pseudo masks that could be doubted")
    names = run.read_classes().names
    if name is not None and name not in names:
        raise one_of("class", name, names)
    stage = run.stage_folder(stages[-1])
    expected = [each for each in read_mask_list(stage) if name in (None, each.name)]
    photos: dict[str, list[Expected]] = {}
    for each in expected:
        photos.setdefault(each.id, []).append(each)
    order = sorted(by_photo(expected).items(), key=lambda item: (item[1], item[0]))
    return stage, [(key, photos[key]) for key, _ in order[: count or None]]


@dataclass(frozen=True)
class Doubtful:
    """Photos of a run with their doubtful masks.

    Attributes:
        folder: of the run.
        stage: the folder of the stage whose masks they are.
        photos: id, and what is expected of its tags; worst first.
    """

    folder: Path
    stage: Path
    photos: list[tuple[str, list[Expected]]]

    def show(self) -> None:
        """Print them as a table."""
        table = Table(box=None, title=f"the most doubtful masks of {self.stage}", title_justify="left")
        table.add_column("expected IoU", justify="right")
        table.add_column("photo", overflow="fold")
        table.add_column("tags: expected IoU, share of the photo", overflow="fold")
        for key, found in self.photos:
            tags = ", ".join(f"{each.name} {each.iou:.2f} ({100 * each.area:.1f} %)" for each in found)
            table.add_row(f"{sum(each.iou for each in found) / len(found):.2f}", key, tags)
        out.print(table)
        report = self.folder / "report.html"
        pictures = f"; with pictures: {report}" if report.is_file() else ""
        out.print(f"all of them, sortable: {self.stage / LIST}{pictures}", soft_wrap=True)

    def as_json(self) -> dict[str, Any]:
        """The same for programs."""
        listed = [
            {"id": key, "mask": str(self.stage / "masks" / f"{key}.png"), "tags": [_plain(each) for each in found]}
            for key, found in self.photos
        ]
        return {"masks": str(self.stage / "masks"), "photos": listed}


def _plain(each: Expected) -> dict[str, Any]:
    found = asdict(each)
    del found["id"]
    return found
