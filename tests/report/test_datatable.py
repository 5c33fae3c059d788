"""What `weakseg data` prints of many classes, at 80 columns."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from weakseg.data.images import voc_palette
from weakseg.data.sample import Classes, Source
from weakseg.data.source import Summary
from weakseg.data.sources.coco.tree import COCO_NAMES
from weakseg.report.datatable import tag_table


def printed(names: tuple[str, ...], width: int = 80, splits: tuple[str, ...] = ("train", "val")) -> list[str]:
    source = Source("coco:data/coco", Classes(names, tuple(range(1, len(names) + 1)), voc_palette()), {})
    tags = {split: {name: 45_000 - number for number, name in enumerate(names)} for split in splits}
    sizes = {split: 82_081 for split in splits}
    found = Summary(122_218, sizes, tags, sizes, {split: 2.93 for split in splits}, (), ())
    text = StringIO()
    console = Console(file=text, width=width)
    console.print(tag_table(source, found, width))
    return text.getvalue().splitlines()


def test_eighty_classes_fit_on_a_screen() -> None:
    lines = printed(COCO_NAMES)
    assert len(lines) < 50
    assert max(map(len, lines)) <= 80
    text = "\n".join(lines)
    assert "…" not in text
    assert all(name in text for name in COCO_NAMES)
    assert "coco:data/coco: 122218 images, 80 classes" in text
    assert "images: train 82081, val 82081" in text
    assert "mean tags per image: train 2.93, val 2.93" in text
    (row,) = (line for line in lines if line.startswith(" bicycle"))
    assert row.split() == ["bicycle", "2", "44999", "44999", "cup", "42", "44959", "44959"]


@pytest.mark.parametrize(("names", "width"), [(COCO_NAMES[:20], 80), (COCO_NAMES, 60)])
def test_few_classes_and_narrow_terminals_have_a_row_each(names: tuple[str, ...], width: int) -> None:
    lines = printed(names, width)
    assert len(lines) > len(names) + 5
    assert max(map(len, lines)) <= width
    assert any("train (82081)" in line for line in lines)
