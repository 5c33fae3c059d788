"""The photos of a page: which are shown, and what lies over each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from weakseg.data.classmaps import load_maps
from weakseg.data.images import working_size
from weakseg.data.sample import Array
from weakseg.errors import WeaksegError
from weakseg.pipeline.stage import Context
from weakseg.report.html.layers import SIZES, Layer, encoded, map_layer, mask_layer
from weakseg.report.html.looks import Looks, PhotoList, Seen, true_labels

SHOWN = 200
"""Photos on a page at most."""
LARGEST = 150_000
"""Characters of a photo's files at most, however few photos there are."""
TITLES = {"localize": "Class map", "predict": "Prediction", "truth": "Ground truth"}


@dataclass(frozen=True)
class Shown:
    """The photos of a list that are on the page.

    Attributes:
        photos: the list.
        looks: what the look at it has found.
        seen: the photos shown, in the list's order.
        doubtful: how many of them are there because they are the most doubtful; 0 where all that were read are shown.
    """

    photos: PhotoList
    looks: Looks
    seen: list[Seen]
    doubtful: int

    @property
    def layers(self) -> dict[str, str]:
        """Titles of the layers by key, in the order in which the stages made them."""
        found = {"localize": TITLES["localize"]} if self.photos.maps else {}
        several = len(self.photos.masks) > 1
        for stage in self.photos.masks:
            found[stage] = TITLES.get(stage, f"Mask, {stage}" if several else "Pseudo mask")
        return found | ({"truth": TITLES["truth"]} if self.photos.truth else {})

    @property
    def said(self) -> str:
        """How many of how many, and which."""
        count, of, read = len(self.seen), self.looks.of, len(self.looks.photos)
        text = f"{count} of {of} photos of the list {self.photos.name}"
        if count == of:
            return f"all {text[len(str(count)) + 4 :]}" if count > 1 else text
        chosen = f"the {self.doubtful} most doubtful" if self.doubtful else ""
        even = f"{count - self.doubtful} spread evenly over the list" if count > self.doubtful and count < read else ""
        looked = f"of {read} whose masks were read" if read < of else ""
        why = " and ".join(part for part in (chosen, even) if part)
        return f"{text}: {', '.join(part for part in (why, looked) if part)}" if why or looked else text


@dataclass(frozen=True)
class Card:
    """A photo on the page.

    Attributes:
        role: of its list.
        seen: the photo.
        sources: data URIs by layer; "photo" is the photo itself.
        missing: by layer, why there is none.
        problem: why the photo itself cannot be shown; "".
    """

    role: str
    seen: Seen
    sources: Mapping[str, str]
    missing: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""


def choose(lists: Sequence[tuple[PhotoList, Looks]], most: int = SHOWN) -> list[Shown]:
    """Which photos are shown: of every list its share, half of it the most doubtful, the rest spread evenly.

    Args:
        lists: with what was found in them.
        most: photos in all.
    """
    counts = [len(looks.photos) for _, looks in lists]
    return [_chosen(photos, looks, share) for (photos, looks), share in zip(lists, shares(counts, most), strict=True)]


def shares(counts: Sequence[int], most: int) -> list[int]:
    """Part ``most`` evenly; what a list has no use for goes to the others.

    Example:
        >>> shares([500, 30], 200), shares([500, 300], 200), shares([5], 200)
        ([170, 30], [100, 100], [5])
    """
    found = [0] * len(counts)
    left = most
    order = sorted(range(len(counts)), key=lambda index: counts[index])
    for place, index in enumerate(order):
        found[index] = min(counts[index], left // (len(order) - place))
        left -= found[index]
    return found


def _chosen(photos: PhotoList, looks: Looks, count: int) -> Shown:
    seen = looks.photos
    if len(seen) <= count:
        return Shown(photos, looks, list(seen), 0)
    known = [index for index in range(len(seen)) if seen[index].doubt is not None]
    doubtful = sorted(known, key=lambda index: -(seen[index].doubt or 0.0))[: count // 2]
    others = [index for index in range(len(seen)) if index not in set(doubtful)]
    rest = count - len(doubtful)
    spread = [others[place * len(others) // rest] for place in range(rest)]
    return Shown(photos, looks, [seen[index] for index in sorted([*doubtful, *spread])], len(doubtful))


def cards(context: Context, shown: Sequence[Shown], room: int) -> list[Card]:
    """The photos with all that lies over them, as files in data URIs.

    Args:
        context: of the run.
        shown: which photos.
        room: characters that all of them may take.
    """
    left, photos = room, [(each, seen) for each in shown for seen in each.seen]
    found = []
    for number, (each, seen) in enumerate(photos):
        card = _card(context, each.photos, seen, min(LARGEST, left // (len(photos) - number)))
        left -= sum(map(len, card.sources.values()))
        found.append(card)
    return found


def _card(context: Context, photos: PhotoList, seen: Seen, room: int) -> Card:
    try:
        photo = seen.sample.read_image()
    except WeaksegError as error:
        return Card(photos.role, seen, {}, problem=str(error))
    layers, missing = _layers(context, photos, seen, photo)
    return Card(photos.role, seen, encoded(photo, layers, room), missing)


def _layers(context: Context, photos: PhotoList, seen: Seen, photo: Array) -> tuple[dict[str, Layer], dict[str, str]]:
    """What lies over a photo by layer, and why what is missing is."""
    classes, sample = photos.classes, seen.sample
    layers: dict[str, Layer] = {}
    missing: dict[str, str] = {}
    if photos.maps:
        try:
            size = working_size((photo.shape[0], photo.shape[1]), SIZES[0])
            layers["localize"] = map_layer(load_maps(context.maps_path(sample)), classes, size)
        except WeaksegError as error:
            missing["localize"] = str(error)
    for stage, read in photos.masks.items():
        try:
            layers[stage] = mask_layer(read(sample), classes)
        except WeaksegError as error:
            missing[stage] = str(error)
    if photos.truth:
        truth = true_labels(photos, sample)
        if truth is not None:
            layers["truth"] = mask_layer(truth, classes)
        else:
            missing["truth"] = "no ground truth" if sample.id not in photos.truth else "ground truth cannot be read"
    return layers, missing
