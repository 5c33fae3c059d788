"""The table of a data source's tags; many classes stand side by side."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.table import Table

from weakseg.data.sample import Source
from weakseg.data.source import Summary

MANY = 30
"""Classes from which on they stand side by side, where the terminal is wide enough."""
_GAP = 3


def tag_table(source: Source, found: Summary, width: int) -> Table:
    """A row per class with its number of photos in every split, then the mean of tags and the number of masks.

    Args:
        source: whose classes these are.
        found: the numbers.
        width: of the terminal, in characters.
    """
    title = f"{source.spec}: {found.images} images, {len(source.classes)} classes"
    rows = [
        (name, str(value), *(str(tags[name]) for tags in found.split_tags.values()))
        for name, value in zip(source.classes.names, source.classes.values, strict=True)
    ]
    totals = [
        ("mean tags per image", "", *(f"{mean:.2f}" for mean in found.mean_tags.values())),
        ("images with a mask", "", *(str(masks) for masks in found.split_masks.values())),
    ]
    if len(rows) > MANY:
        heads = ("tag", "value", *found.split_images)
        groups = (width + _GAP - 1) // _width(heads, rows)
        if groups > 1:
            summed = [("images", "", *map(str, found.split_images.values())), *totals]
            return _side_by_side(title, heads, rows, summed, groups)
    table = Table(title=title)
    table.add_column("tag")
    table.add_column("mask value", justify="right")
    for split, count in found.split_images.items():
        table.add_column(f"{split} ({count})", justify="right")
    for row in rows:
        table.add_row(*row)
    table.add_section()
    for row in totals:
        table.add_row(*row)
    return table


def _width(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """Characters of a group of columns with their gaps."""
    return sum(max(map(len, column)) + _GAP for column in zip(heads, *rows, strict=True))


def _side_by_side(
    title: str, heads: Sequence[str], rows: Sequence[Sequence[str]], totals: Sequence[Sequence[str]], groups: int
) -> Table:
    """The rows in groups of columns, read down each of them; the totals stand above, where they have room."""
    summed = "\n".join(
        f"{name}: {', '.join(f'{split} {number}' for split, number in zip(heads[2:], numbers, strict=True))}"
        for name, _, *numbers in totals
    )
    table = Table(title=f"{title}\n{summed}", box=box.SIMPLE_HEAD, padding=(0, 2, 0, 0), pad_edge=False)
    for head in (*heads,) * groups:
        table.add_column(head, justify="left" if head == heads[0] else "right", no_wrap=True)
    length = -(-len(rows) // groups)
    for start in range(length):
        cells = [
            rows[index] if index < len(rows) else ("",) * len(heads) for index in range(start, length * groups, length)
        ]
        table.add_row(*(cell for group in cells for cell in group))
    return table
