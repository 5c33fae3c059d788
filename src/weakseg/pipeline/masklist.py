"""``masks.csv`` in the folder of a stage that makes masks: what is in each, and how good it is expected to be."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

from weakseg.errors import WeaksegError
from weakseg.evaluation.expected import Expected
from weakseg.files import replacing

LIST = "masks.csv"
HEADER = ("id", "mask", "class", "area", "confidence", "agreement", "expected_iou")


def write_mask_list(folder: Path, expected: Iterable[Expected]) -> None:
    """Write ``folder/masks.csv``: a line per photo and tag; atomic.

    Args:
        folder: of the stage, with the masks in ``masks/ID.png``.
        expected: what is expected of each.
    """
    with replacing(folder / LIST) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for each in expected:
            agreement = "" if each.agreement is None else f"{each.agreement:.4f}"
            figures = (f"{each.area:.5f}", f"{each.confidence:.4f}", agreement, f"{each.iou:.4f}")
            writer.writerow((each.id, f"masks/{each.id}.png", each.name, *figures))


def read_mask_list(folder: Path) -> list[Expected]:
    """Read what `write_mask_list` has written.

    Raises:
        WeaksegError: there is no such list, or it has been changed into something else.
    """
    path = folder / LIST
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except FileNotFoundError:
        raise WeaksegError(
            f"{path}: no such list; `weakseg run` writes it with the masks, --overwrite makes them anew"
        ) from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise WeaksegError(f"{path}: cannot be read ({error})") from None
    return [_row(row, f"{path} line {number}") for number, row in enumerate(rows, start=2)]


def _row(row: dict[str, str], where: str) -> Expected:
    try:
        agreement = float(row["agreement"]) if row["agreement"] else None
        figures = float(row["area"]), float(row["confidence"]), agreement, float(row["expected_iou"])
        return Expected(row["id"], row["class"], *figures)
    except (KeyError, TypeError, ValueError):
        raise WeaksegError(f"{where}: no line of a list of masks (it has the columns {', '.join(HEADER)})") from None
