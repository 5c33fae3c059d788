"""Which photo of the data a name from another tool means."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import PurePosixPath

from weakseg.data.paths import is_image_name
from weakseg.data.sample import Sample
from weakseg.errors import WeaksegError


class Photos:
    """The photos of a data source, to be found by id, by a path that ends in it, or by a name without folders."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self._by_id = {sample.id: sample for sample in samples}
        self._flat: dict[str, list[Sample]] = defaultdict(list)
        self._last: dict[str, list[Sample]] = defaultdict(list)
        for sample in self._by_id.values():
            self._flat[sample.id.replace("/", "_")].append(sample)
            self._last[sample.id.rpartition("/")[2]].append(sample)

    def find(self, names: Sequence[str], where: str) -> Sample | None:
        """The photo that one of the names means; None where there is none.

        Raises:
            WeaksegError: it could be one of several.
        """
        plain = [_without_suffix(name) for name in names]
        for name in (*names, *plain):
            if name in self._by_id:
                return self._by_id[name]
        for name in plain:
            for found in (self._flat.get(name, []), self._last.get(name.rpartition("/")[2], [])):
                fitting = [sample for sample in found if _fits(name, sample.id)] or found
                if len(fitting) > 1:
                    both = " or ".join(sample.id for sample in fitting[:2])
                    raise WeaksegError(f"{where}: could be {both}; name photos by their ids")
                if fitting:
                    return fitting[0]
        return None


def _fits(name: str, sample_id: str) -> bool:
    """Whether one of two paths is the end of the other."""
    return f"/{name}".endswith(f"/{sample_id}") or f"/{sample_id}".endswith(f"/{name}")


def _without_suffix(name: str) -> str:
    return str(PurePosixPath(name).with_suffix("")) if is_image_name(PurePosixPath(name).name) else name
