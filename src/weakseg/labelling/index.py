"""The index of masks: Parquet files, one per part, that are read together as one table."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from weakseg.data.sample import Classes
from weakseg.errors import WeaksegError
from weakseg.labelling.storage import Output
from weakseg.pipeline.newphotos.network import PhotoMask

INSTALL = "install it with: pip install 'weakseg[ray]'"

try:
    import pyarrow as pa
    import pyarrow.parquet as pq
except ImportError as missing:
    raise WeaksegError(f"label: needs pyarrow; {INSTALL}") from missing

FOLDER = "index"

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("photo", pa.string()),
        ("mask", pa.string()),
        ("height", pa.int32()),
        ("width", pa.int32()),
        ("classes", pa.list_(pa.string())),
        ("areas", pa.list_(pa.float64())),
        ("confidence", pa.float32()),
        ("left_out", pa.string()),
    ]
)


@dataclass(frozen=True)
class Row:
    """What the index says of a photo.

    Attributes:
        id: of the photo.
        photo: its file, "SHARD#FILE", or its id where it is composed.
        mask: its mask below the output folder, of a shard as "SHARD#FILE"; None where the photo was left out.
        height: of photo and mask, in pixels.
        width: likewise.
        classes: whose pixels the mask holds.
        areas: of these, as shares of the photo, 0..1.
        confidence: mean over the pixels of the probability that the network gives to their labels, 0..1.
        left_out: why there is no mask; None where there is one.
    """

    id: str
    photo: str
    mask: str | None = None
    height: int | None = None
    width: int | None = None
    classes: Sequence[str] | None = None
    areas: Sequence[float] | None = None
    confidence: float | None = None
    left_out: str | None = None


def measured(name: str, photo: str, found: PhotoMask, classes: Classes) -> Row:
    """The row of a photo with a mask, but for the place of the mask."""
    counts = np.bincount(found.values.ravel(), minlength=256)
    pairs = [(name, value) for name, value in zip(classes.names, classes.values, strict=True) if counts[value]]
    height, width = found.values.shape
    return Row(
        name,
        photo,
        None,
        height,
        width,
        [name for name, _ in pairs],
        [float(counts[value] / found.values.size) for _, value in pairs],
        float(found.confidence.mean(dtype=np.float64)),
    )


def part_name(number: int) -> str:
    """The file of a part."""
    return f"{number:06d}.parquet"


def write_part(output: Output, number: int, rows: Sequence[Row]) -> None:
    """Write the rows of a part; its file says that the part is done."""
    names = [field.name for field in fields(Row)]
    table = pa.Table.from_pydict({name: [getattr(row, name) for row in rows] for name in names}, schema=SCHEMA)
    file = io.BytesIO()
    pq.write_table(table, file)
    output.write(f"{FOLDER}/{part_name(number)}", file.getvalue())


def read_part(output: Output, number: int) -> list[Row] | None:
    """The rows of a part; None if it is not done. Raises WeaksegError if its file is broken."""
    name = f"{FOLDER}/{part_name(number)}"
    content = output.read(name)
    if content is None:
        return None
    try:
        rows: list[dict[str, Any]] = pq.read_table(io.BytesIO(content), schema=SCHEMA).to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise WeaksegError(f"{output.url}/{name}: broken index; delete it to have its part done again") from error
    return [Row(**row) for row in rows]


def about(row: Row) -> dict[str, Any]:
    """A row as JSON beside a mask in a shard: without the place of the mask, and what is empty."""
    return {name: value for name, value in asdict(row).items() if name != "mask" and value is not None}
