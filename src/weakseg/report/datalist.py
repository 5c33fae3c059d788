"""What `weakseg data` prints. Nothing here loads torch: a wrong path must be answered at once."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from weakseg.data.sample import Sample, Source
from weakseg.data.source import open_source, summary, training_warnings
from weakseg.data.truth import check_truth, survey
from weakseg.training.progress import bar

TRAIN = "train"

out = Console(markup=False, emoji=False)  # file names may hold brackets and colons


def list_source(spec: str) -> None:
    """Print what a data source holds; every file is opened.

    Raises:
        WeaksegError: no such source, or one whose masks can score nothing; the table is printed before.
    """
    source = open_source(spec)
    for text in (*source.warnings, *training_warnings(source, TRAIN)):
        _warn(text)
    with bar("read files", sum(len(samples) for samples in source.splits.values())) as running:
        found = summary(source, progress=running.advance)
    table = Table(title=f"{source.spec}: {found.images} images, {len(source.classes)} classes")
    table.add_column("tag")
    table.add_column("mask value", justify="right")
    for split, count in found.split_images.items():
        table.add_column(f"{split} ({count})", justify="right")
    for name, value in zip(source.classes.names, source.classes.values, strict=True):
        table.add_row(name, str(value), *(str(tags[name]) for tags in found.split_tags.values()))
    table.add_section()
    table.add_row("mean tags per image", "", *(f"{mean:.2f}" for mean in found.mean_tags.values()))
    table.add_row("images with a mask", "", *(str(masks) for masks in found.split_masks.values()))
    out.print(table)
    out.print(f"{len(found.problems)} files missing or broken")
    for problem in found.problems:
        out.print(f"  {problem}", style="red", highlight=False, soft_wrap=True)
    samples = _once(source)
    with bar("read masks", sum(sample.mask is not None for sample in samples)) as running:
        truth = survey(samples, source.classes, progress=running.advance)
    for text in check_truth(truth, source.classes, source.classes_file):
        _warn(text)


def _once(source: Source) -> list[Sample]:
    """The samples of all splits, each once; composed ones are left out."""
    listed = (samples for samples in source.splits.values() if isinstance(samples, list))
    return list({sample.id: sample for samples in listed for sample in samples}.values())


def _warn(text: str) -> None:
    out.print(f"warning: {text}", style="yellow", highlight=False, soft_wrap=True)
