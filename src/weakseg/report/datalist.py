"""What `weakseg data` prints. Nothing here loads torch: a wrong path must be answered at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from weakseg.data.sample import Sample, Source
from weakseg.data.source import Summary, open_source, summary, training_warnings
from weakseg.data.truth import check_truth, survey
from weakseg.errors import WeaksegError
from weakseg.report.datatable import tag_table
from weakseg.training.progress import bar

TRAIN = "train"
SHOWN = 40
"""Problems that are printed one by one."""

out = Console(markup=False, emoji=False)  # file names may hold brackets and colons


@dataclass(frozen=True)
class DataList:
    """What a data source holds.

    Attributes:
        source: that was opened.
        found: in its files.
        slips: what looks wrong in tags and lists.
        doubts: what does not fit in the masks.
        error: why its masks can score nothing, where they cannot.
    """

    source: Source
    found: Summary
    slips: tuple[str, ...]
    doubts: tuple[str, ...]
    error: WeaksegError | None

    def show(self) -> None:
        """Print it as a table, with everything that looks wrong."""
        found = self.found
        for text in self.slips:
            _warn(text)
        out.print(tag_table(self.source, found, out.width))
        out.print(f"{len(found.problems)} files missing or broken")
        for problem in found.problems[:SHOWN]:
            out.print(f"  {problem}", style="red", highlight=False, soft_wrap=True)
        if len(found.problems) > SHOWN:
            out.print(f"  and {len(found.problems) - SHOWN} more; --json lists them all")
        for text in self.doubts:
            _warn(text)

    def as_json(self) -> dict[str, Any]:
        """The same for programs."""
        found, classes = self.found, self.source.classes
        splits = {
            split: {
                "images": count,
                "with_mask": found.split_masks[split],
                "mean_tags": found.mean_tags[split],
                "tags": found.split_tags[split],
            }
            for split, count in found.split_images.items()
        }
        return {
            "data": self.source.spec,
            "images": found.images,
            "classes": dict(zip(classes.names, classes.values, strict=True)),
            "splits": splits,
            "problems": list(found.problems),
            "warnings": [*self.slips, *self.doubts],
        }


def list_source(spec: str) -> DataList:
    """Look at all that a data source holds; every file is opened.

    Raises:
        WeaksegError: no such source.
    """
    source = open_source(spec)
    with bar("read files", sum(len(samples) for samples in source.splits.values())) as running:
        found = summary(source, progress=running.advance)
    samples = _once(source)
    with bar("read masks", sum(isinstance(sample.mask, Path) for sample in samples)) as running:
        truth = survey(samples, source.classes, progress=running.advance)
    error, doubts = None, []
    try:
        doubts = check_truth(truth, source.classes, source.classes_file)
    except WeaksegError as wrong:
        error = wrong  # told after the table
    slips = (*source.warnings, *training_warnings(source, TRAIN))
    return DataList(source, found, slips, tuple(doubts), error)


def _once(source: Source) -> list[Sample]:
    """The samples of all splits, each once; composed ones are left out."""
    listed = (samples for samples in source.splits.values() if isinstance(samples, list))
    return list({sample.id: sample for samples in listed for sample in samples}.values())


def _warn(text: str) -> None:
    out.print(f"warning: {text}", style="yellow", highlight=False, soft_wrap=True)
