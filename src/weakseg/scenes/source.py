"""Data source ``scenes``: pictures composed on the fly from a seed, with tags and exact masks.

Six classes of drawn objects on cluttered backgrounds, one to three to a picture, with things of no class between
them. Cats and dogs share body and coat, taxis and police cars body and paint: only a small part tells them apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

from weakseg.data.images import voc_palette
from weakseg.data.sample import Array, Classes, Sample, Source
from weakseg.errors import WeaksegError, one_of
from weakseg.scenes.layout import NAMES, Scene
from weakseg.scenes.render import draw_image, draw_mask

CLASSES = Classes(NAMES, tuple(range(1, len(NAMES) + 1)), voc_palette())

_DEFAULTS = {"N": 400, "seed": 0}
_LEAST = {"N": 1, "seed": 0}
_MOST = 10**9


@dataclass(frozen=True)
class SceneImage:
    """Composes one picture: uint8 RGB (H, W, 3), long side 256..360, the same bytes at every call."""

    scene: Scene

    def __call__(self) -> Array:
        """Draw it."""
        return draw_image(self.scene.layout())


@dataclass(frozen=True)
class SceneMask:
    """Composes the exact mask of one picture: uint8 (H, W), 0 background, 1..6 the classes."""

    scene: Scene

    def __call__(self) -> Array:
        """Draw it."""
        return draw_mask(self.scene.layout())


@dataclass(frozen=True)
class SceneSet(Sequence[Sample]):
    """The scenes of a split, made when asked for. A scene depends on seed, split and index, not on how many there are.

    Attributes:
        seed: the seed of the whole set.
        split: "train" or "val"; splits share no scene.
        indices: which scenes, counted from 0.
    """

    seed: int
    split: str
    indices: range

    def __len__(self) -> int:
        return len(self.indices)

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> SceneSet: ...
    def __getitem__(self, index: int | slice) -> Sample | SceneSet:
        if isinstance(index, slice):
            return SceneSet(self.seed, self.split, self.indices[index])
        scene = Scene(self.seed, self.split, self.indices[index])
        return Sample(f"{self.split}_{scene.index:06d}", SceneImage(scene), scene.tags(), SceneMask(scene))


def open_scenes(options: str = "") -> Source:
    """Open the built-in data: N scenes to train on and a quarter as many (at least one) as "val".

    Args:
        options: "", "N", "seed=S" or "N,seed=S"; N is 400 and S is 0 unless given. Nothing is drawn before it is
            asked for, so N may be large.

    Raises:
        WeaksegError: an unknown option, one given twice, or one that is not a whole number in range.

    Example:
        >>> source = open_scenes("100_000,seed=7")
        >>> len(source.splits["train"]), len(source.splits["val"])
        (100000, 25000)
    """
    chosen = _DEFAULTS | _parse(options)
    count, seed = chosen["N"], chosen["seed"]
    splits = {
        "train": SceneSet(seed, "train", range(count)),
        "val": SceneSet(seed, "val", range(max(1, count // 4))),
    }
    return Source(f"scenes:{options}" if options else "scenes", CLASSES, splits)


def _parse(options: str) -> dict[str, int]:
    given: dict[str, int] = {}
    for part in options.split(",") if options else ():
        key, equals, value = part.partition("=")
        if not equals:
            key, value = "N", part
        if key not in _DEFAULTS:
            raise one_of("option of scenes", key, ("N", "seed=S"))
        if key in given:
            raise WeaksegError(f"scenes:{options}: {key} is given twice; write scenes:N,seed=S")
        given[key] = _whole_number(key, value)
    return given


def _whole_number(key: str, text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = -1
    if not _LEAST[key] <= number <= _MOST:
        shown = text if len(text) <= 20 else f"{text[:20]}..."
        raise WeaksegError(f"scenes: {key} must be a whole number from {_LEAST[key]} to {_MOST}, not {shown!r}")
    return number
