"""What a scene shows and where, decided from its seed without drawing.

The classes come from a random stream of their own, so tags cost microseconds. The arrangement keeps every tagged
object visible by construction: discs that hold its telling part and enough of its body (``Figure.keep``) lie inside
the picture and clear of the covers of everything in front.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import hypot, sqrt
from random import Random

from weakseg.scenes.cars import POLICE, TAXI
from weakseg.scenes.figure import Disc, Figure, Pose
from weakseg.scenes.pets import CAT, DOG
from weakseg.scenes.props import PROPS
from weakseg.scenes.wildlife import BIRD, FISH

FIGURES: dict[str, tuple[Figure, ...]] = {
    "bird": BIRD,
    "cat": CAT,
    "dog": DOG,
    "fish": FISH,
    "police": POLICE,
    "taxi": TAXI,
}
NAMES = tuple(FIGURES)

VISIBLE = 0.015  # smallest share of the picture that a tagged object shows
_LONGEST = {1: 0.6, 2: 0.47, 3: 0.38}  # largest unit by number of objects, as a share of the short side
_CROWDING = 0.8  # how often an object is tried close to the last one, which it then overlaps
_TRIES = 40


@dataclass(frozen=True)
class Item:
    """One drawn thing: label c + 1 for class c or 0 for a distractor; ``seed`` fixes its look."""

    figure: Figure
    label: int
    pose: Pose
    seed: int

    def covers(self) -> list[Disc]:
        """Discs in pixels that hold its silhouette."""
        return [self.pose.disc(disc) for disc in self.figure.cover]

    def keeps(self) -> list[Disc]:
        """Discs in pixels that nothing in front may touch."""
        return [self.pose.disc(disc) for disc in self.figure.keep]


@dataclass(frozen=True)
class Layout:
    """A scene before drawing: picture size, things from back to front, and the seed of backdrop and light."""

    width: int
    height: int
    items: tuple[Item, ...]
    seed: int


@dataclass(frozen=True)
class Scene:
    """One scene of the endless set that ``seed`` and ``split`` name; ``index`` counts from 0."""

    seed: int
    split: str
    index: int

    def labels(self) -> tuple[int, ...]:
        """Labels (class + 1) of its one to three objects; a class may come twice."""
        rng = self._stream("classes")
        count = rng.choices((1, 2, 3), (9, 7, 4))[0]
        return tuple(rng.randint(1, len(NAMES)) for _ in range(count))

    def tags(self) -> tuple[str, ...]:
        """Names of its classes, each once, in the order of NAMES. About 20 microseconds."""
        return tuple(NAMES[label - 1] for label in sorted(set(self.labels())))

    def layout(self) -> Layout:
        """The arrangement. Independent of every other scene and of how many there are."""
        rng = self._stream("layout")
        long = rng.randint(256, 360)
        short = round(long * rng.choice((0.66, 0.75, 0.75, 0.8, 1.0)))
        width, height = (long, short) if rng.random() < 0.6 else (short, long)
        items = None
        while items is None:  # a failed arrangement is rare; a fresh one soon fits
            items = _arrange(rng, width, height, self.labels())
        return Layout(width, height, items, rng.getrandbits(32))

    def _stream(self, purpose: str) -> Random:
        return Random(f"weakseg {self.seed} {self.split} {self.index} {purpose}")


def _arrange(rng: Random, width: int, height: int, labels: tuple[int, ...]) -> tuple[Item, ...] | None:
    """Distractors behind, the objects from back to front, distractors before them; None if an object has no room."""
    behind = [_prop(rng, width, height, 0.22) for _ in range(rng.choice((0, 1, 2, 3, 4)))]
    objects: list[Item] = []
    for label in labels:
        item = _object(rng, width, height, label, objects, len(labels))
        if item is None:
            return None
        objects.append(item)
    front: list[Item] = []
    for _ in range(rng.choice((0, 4, 8, 12))):  # most attempts hide too much
        prop = _prop(rng, width, height, 0.2)
        prop = replace(prop, pose=_beside(rng, prop.pose, rng.choice(objects).pose))
        if _clear(prop, objects):
            front.append(prop)
    return (*behind, *objects, *front[:2])


def _object(rng: Random, width: int, height: int, label: int, behind: list[Item], count: int) -> Item | None:
    """One of ``count`` objects, in front of those ``behind`` and often overlapping the last; None without room."""
    figure = rng.choice(FIGURES[NAMES[label - 1]])
    crowded = _TRIES // 2 if behind and rng.random() < _CROWDING else 0
    for attempt in range(_TRIES):
        pose = _pose(rng, width, height, figure, count)
        if attempt < crowded:
            pose = _beside(rng, pose, behind[-1].pose)
        item = Item(figure, label, pose, rng.getrandbits(32))
        if _inside(item, width, height) and _clear(item, behind):
            return item
    return None


def _pose(rng: Random, width: int, height: int, figure: Figure, count: int) -> Pose:
    """A random place, at least so large that what ``keep`` shows is VISIBLE."""
    short = min(width, height)
    least = 1.05 * sqrt(VISIBLE * width * height / figure.sure)
    unit = rng.uniform(least, max(1.15 * least, _LONGEST[count] * short))
    # Most photos are level; a few are not.
    lean = figure.lean * rng.choice((0.4, 1.0, 1.0, 2.0))
    return Pose(
        x=rng.uniform(0.1, 0.9) * width,
        y=max(rng.uniform(0.15, 0.9), rng.uniform(0.15, 0.7)) * height,
        unit=unit,
        angle=rng.uniform(-lean, lean),
        stretch=rng.uniform(0.92, 1.1),
        flip=rng.random() < 0.5,
    )


def _beside(rng: Random, pose: Pose, other: Pose) -> Pose:
    reach = 0.7 * (pose.unit + other.unit)
    return replace(pose, x=other.x + rng.uniform(-reach, reach), y=other.y + rng.uniform(0.0, 0.6) * reach)


def _prop(rng: Random, width: int, height: int, largest: float) -> Item:
    short = min(width, height)
    pose = Pose(
        x=rng.uniform(0.0, 1.0) * width,
        y=rng.uniform(0.1, 1.0) * height,
        unit=rng.uniform(0.06, largest) * short,
        angle=rng.uniform(-20, 20),
        stretch=rng.uniform(0.85, 1.2),
        flip=rng.random() < 0.5,
    )
    return Item(rng.choice(PROPS), 0, pose, rng.getrandbits(32))


def _inside(item: Item, width: int, height: int) -> bool:
    return all(r <= x <= width - r and r <= y <= height - r for x, y, r in item.keeps())


def _clear(item: Item, behind: list[Item]) -> bool:
    """Whether the item, in front, leaves what the others must show."""
    covers = item.covers()
    return all(
        hypot(x - kept_x, y - kept_y) >= r + kept_r
        for other in behind
        for kept_x, kept_y, kept_r in other.keeps()
        for x, y, r in covers
    )
