"""cls_labels.npy, the tags of VOC's photos as the codes of psa, IRNet and their heirs read them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from weakseg.data.npyfiles import read_npy
from weakseg.errors import WeaksegError


def read_label_table(path: Path, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The tags of each photo: of a dict {id: vector of 0 and 1, a number per class}, saved by ``np.save``.

    Ids are text, or as IRNet's code has them numbers: 2007000032 is 2007_000032.

    Args:
        path: the file.
        names: the classes, in the order of the vectors.

    Raises:
        WeaksegError: it holds anything else, or vectors of another length.
    """
    table = read_npy(path)
    if not isinstance(table, dict) or not table:
        raise WeaksegError(f"{path}: no dict of label vectors by photo, as np.save(path, {{id: vector}}) writes")
    return {_id(key): _tags(vector, names, f"{path}: {key}") for key, vector in table.items()}


def _id(key: object) -> str:
    if isinstance(key, bytes):
        return key.decode("latin1")
    if isinstance(key, int) and key >= 10**9:
        return f"{str(key)[:4]}_{str(key)[4:]}"
    return str(key)


def _tags(vector: object, names: Sequence[str], where: str) -> tuple[str, ...]:
    values = np.asarray(vector)
    if values.dtype.kind not in "biuf" or values.shape != (len(names),):
        raise WeaksegError(f"{where}: {_described(values)}, but there are {len(names)} classes: {', '.join(names)}")
    if not np.isin(values, (0, 1)).all():
        raise WeaksegError(f"{where}: holds {values[~np.isin(values, (0, 1))][0]}; labels are 0 or 1")
    return tuple(names[index] for index in np.flatnonzero(values).tolist())


def _described(values: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> str:
    return f"a vector of {len(values)}" if values.ndim == 1 else f"no vector but {values.dtype} {values.shape}"
