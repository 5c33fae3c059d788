"""Tags as people write them: cells that hold several, spellings of one name, and what looks like a slip."""

from __future__ import annotations

import ast
import json
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from weakseg.data.labels import VOC_NAMES
from weakseg.data.sample import ImageSet

NO_TAG = frozenset({"", "nan", "none", "null", "n/a", "<na>", "[]", "()", "{}", "set()"})
"""What a cell without a tag holds, in lower case: empty, or as pandas, R and JSON spell nothing."""

_SEPARATORS = re.compile(r"[;|,]")
_LIST = re.compile(r"^[\[({].*[\])}]$", re.DOTALL)
_QUOTED = re.compile(r"'([^']*)'|\"([^\"]*)\"")
_SIDE_BY_SIDE = re.compile(r"['\"]\s+['\"]")
_SHORTEST = 3  # letters of a name that may be a slip of another
_NOTHING = ("good", "ok", "okay", "normal", "negative", "background", "empty", "nothing", "no defect", "healthy")
_NAMED = 3  # examples in a warning
_NEARLY = 0.9  # share of the photos that leaves too few without a class
_FEW_PHOTOS = 20  # below which a share says little


def split_tags(text: str, names: Collection[str] = ()) -> tuple[str, ...]:
    """The tags of one cell, each once, in their order.

    They are separated by ``;``, ``|`` or ``,``, and may then hold spaces; where there is none of these, by spaces,
    unless the whole cell is one of the known ``names``. Lists as Python and JSON write them are read as such; ``nan``,
    ``none``, ``null`` and an empty list are no tag.

    Example:
        >>> split_tags("cat dog"), split_tags("traffic light, car"), split_tags("['cat', 'dog']"), split_tags("nan")
        (('cat', 'dog'), ('traffic light', 'car'), ('cat', 'dog'), ())
    """
    text = " ".join(text.split())
    if _key(text) in {_key(name) for name in names}:
        return (text,)
    if _LIST.match(text):
        parts = _listed(text)
    else:
        parts = _SEPARATORS.split(text) if _SEPARATORS.search(text) else text.split()
    tags = (part.strip().strip("'\"").strip() for part in parts)
    return tuple(dict.fromkeys(tag for tag in tags if tag.lower() not in NO_TAG))


def split_cells(cells: Sequence[str], names: Collection[str] = ()) -> list[tuple[str, ...]]:
    """The tags of a column of cells: ``split_tags`` of each, where names with spaces of some cells are known to all.

    Example:
        >>> split_cells(["traffic light, car", "traffic light", "car bus"])
        [('traffic light', 'car'), ('traffic light',), ('car', 'bus')]
    """
    separated = (cell for cell in cells if _SEPARATORS.search(cell) or _LIST.match(cell.strip()))
    spaced = {tag for cell in separated for tag in split_tags(cell, names) if " " in tag}
    return [split_tags(cell, {*names, *spaced}) for cell in cells]


def unite_names(tags: Iterable[str], known: Sequence[str] = ()) -> tuple[dict[str, str], list[str]]:
    """One spelling for names that differ in case or blanks alone.

    Args:
        tags: every tag of every photo, as written.
        known: the names of classes.txt; they give the spelling. Without it VOC's names do, then the most frequent
            spelling, and of equally frequent ones the one in lower case.

    Returns:
        The spelling of each tag, and a line for every name with several (none where classes.txt settles them).
    """
    spellings: dict[str, Counter[str]] = defaultdict(Counter)
    for tag in tags:
        spellings[_key(tag)][tag] += 1
    settled = {_key(name): name for name in known or VOC_NAMES}
    chosen: dict[str, str] = {}
    lines: list[str] = []
    for key, counts in spellings.items():
        ranked = sorted(counts, key=lambda name: (-counts[name], name != name.lower(), name))
        name = settled[key] if key in settled and (known or settled[key] in counts) else ranked[0]
        chosen.update(dict.fromkeys(counts, name))
        if len(counts) > 1 and not known:
            lines.append(f"{', '.join(map(repr, ranked))} are taken as one class, {name!r}")
    return chosen, lines


def tag_warnings(train: ImageSet, *, named: bool) -> list[str]:
    """What looks like a slip in the tags, or leaves nothing to learn: one line each.

    Args:
        train: the photos that are learnt from.
        named: whether a classes.txt names the classes; then names that look alike are meant so.
    """
    photos: dict[str, list[int]] = {name: [] for name in train.classes.names}
    first: dict[str, str] = {}
    for index in range(len(train)):
        sample = train.samples[index]
        for tag in sample.tags:
            photos[tag].append(index)
            first.setdefault(tag, sample.id)
    lines = [] if named else _look_alike(photos)
    lines += _alone({name: first[name] for name, found in photos.items() if len(found) == 1})
    without = [name for name, found in photos.items() if not found]
    if without:
        lines.append(f"no training photo has the tag {', '.join(map(repr, without))}: the class cannot be learnt")
    lines += [
        f"'{name}' is learnt as something to be outlined; where it means that there is nothing to see, leave the tags "
        "empty in a table"
        for name, found in photos.items()
        if found and name.casefold() in _NOTHING
    ]
    return lines + _indistinct(photos, len(train)) + _nearly_everywhere(photos, len(train))


def _alone(first: Mapping[str, str]) -> list[str]:
    """Classes on one photo only, with its id: a line each while these are few."""
    if len(first) <= 2 * _NAMED:
        return [
            f"class {name!r} is on one photo only ({photo}): is it a slip? One photo teaches nothing"
            for name, photo in first.items()
        ]
    named = ", ".join(f"{name!r} ({photo})" for name, photo in list(first.items())[:_NAMED])
    return [
        f"{len(first)} classes are on one photo only: {named} and {len(first) - _NAMED} more; are they slips? "
        "One photo teaches nothing"
    ]


def _nearly_everywhere(photos: Mapping[str, Sequence[int]], count: int) -> list[str]:
    """Tags that say next to nothing because nearly every photo has them, as in scenes of streets."""
    common = sorted(
        (name for name, found in photos.items() if len(found) >= _NEARLY * count), key=lambda n: -len(photos[n])
    )
    if count < _FEW_PHOTOS or not any(len(photos[name]) < count for name in common):
        return []
    named = ", ".join(f"{name!r} ({100 * len(photos[name]) / count:.0f} %)" for name in common[:_NAMED])
    more = f" and {len(common) - _NAMED} more" if len(common) > _NAMED else ""
    mean = sum(map(len, photos.values())) / count
    return [
        f"{len(common)} of {len(photos)} tags are on nearly every training photo: {named}{more}; such tags hardly tell "
        f"where a class is (a photo has {mean:.1f} of {len(photos)} tags): expect poor masks, or crop photos into parts"
    ]


def _listed(text: str) -> list[str]:
    """The entries of a list as JSON, Python or numpy write it; what is none of these is split at commas and quotes."""
    quoted = [one or two for one, two in _QUOTED.findall(text[1:-1])]
    if _SIDE_BY_SIDE.search(text):  # numpy sets no commas; Python would join the strings
        return quoted
    for read in (json.loads, ast.literal_eval):
        try:
            found = read(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
        if isinstance(found, dict):
            return [str(key) for key, value in found.items() if value]
        return [str(entry) for entry in found if entry is not None]
    return quoted or re.split(r"[;|,\s]+", text[1:-1])


def _key(name: str) -> str:
    return "".join(name.split()).casefold()


def _look_alike(photos: Mapping[str, Sequence[int]]) -> list[str]:
    """Pairs of names that one slip of the keyboard makes of each other."""
    names = sorted(photos)
    lines: list[str] = []
    for index, one in enumerate(names):
        for other in names[index + 1 :]:
            if {one, other} <= set(VOC_NAMES) or not _one_slip(one.casefold(), other.casefold()):
                continue
            rare, usual = sorted((one, other), key=lambda name: len(photos[name]))
            counts = f"{len(photos[rare])} and {len(photos[usual])} photos"
            lines.append(f"classes {rare!r} and {usual!r} are one letter apart ({counts}): is it one class?")
    return lines


def _one_slip(one: str, other: str) -> bool:
    """Whether a letter added, left out, changed, or swapped with its neighbour makes one name of the other."""
    short, long = sorted((one, other), key=len)
    if len(short) < _SHORTEST or len(long) - len(short) > 1:
        return False
    start = next((i for i, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    if len(short) < len(long):
        return short[start:] == long[start + 1 :] and not long[start].isdigit()
    if any(name[start : start + 1].isdigit() for name in (one, other)):
        return False  # "lane1" and "lane2" are meant so
    swapped = short[start : start + 2] == long[start : start + 2][::-1] and short[start + 2 :] == long[start + 2 :]
    return swapped or short[start + 1 :] == long[start + 1 :]


def _indistinct(photos: Mapping[str, Sequence[int]], count: int) -> list[str]:
    """Tags that the photos cannot tell apart, or that say nothing because every photo has them."""
    groups: dict[tuple[int, ...], list[str]] = defaultdict(list)
    for name, found in photos.items():
        if found:
            groups[tuple(found)].append(name)
    everywhere = [name for found, names in groups.items() if len(found) == count for name in names]
    if everywhere and len(groups) == 1 and count > 1:
        names = ", ".join(map(repr, everywhere))
        return [f"every training photo has the same tags ({names}): add photos without them, or none can be located"]
    lines: list[str] = []
    if everywhere and count > 1:
        names = ", ".join(map(repr, everywhere))
        lines.append(f"every training photo has the tag {names}: add photos without it, or it cannot be located")
    together = [names for found, names in groups.items() if len(names) > 1 and len(found) > 1]
    for group in together[:_NAMED]:
        listed = ", ".join(map(repr, group))
        lines.append(f"classes {listed} are always on the same photos: add photos of each alone to tell them apart")
    return lines
