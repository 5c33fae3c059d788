from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weakseg.data.images import voc_palette
from weakseg.data.sample import Classes, ImageSet, Sample
from weakseg.data.sources.tags import split_tags, tag_warnings, unite_names


@pytest.mark.parametrize(
    ("cell", "tags"),
    [
        ("cat dog", ("cat", "dog")),
        ("cat;dog", ("cat", "dog")),
        ("cat|dog", ("cat", "dog")),
        ("cat, dog", ("cat", "dog")),
        ("cat,dog", ("cat", "dog")),
        (" cat ;  | dog|", ("cat", "dog")),
        ("traffic light; car", ("traffic light", "car")),
        ("traffic  light;", ("traffic light",)),
        ("cat\tcat  dog", ("cat", "dog")),
        ("['cat', 'dog']", ("cat", "dog")),
        ('["traffic light", "dog"]', ("traffic light", "dog")),
        ("['cat' 'dog']", ("cat", "dog")),  # numpy
        ("[cat, dog]", ("cat", "dog")),
        ("('cat',)", ("cat",)),
        ("{'cat', 'dog'}", None),
        ("{'cat': True, 'dog': False}", ("cat",)),
        ('["cat", null]', ("cat",)),
        ("[]", ()),
        ("nan", ()),
        ("NaN", ()),
        ("None", ()),
        ("null; cat", ("cat",)),
        ("", ()),
        (" ; ", ()),
    ],
)
def test_tags_of_a_cell(cell: str, tags: tuple[str, ...] | None) -> None:
    found = split_tags(cell)
    assert found == tags if tags is not None else set(found) == {"cat", "dog"}


def test_a_known_name_may_hold_spaces_or_mean_nothing() -> None:
    assert split_tags("traffic light", ("traffic light", "car")) == ("traffic light",)
    assert split_tags("Traffic light", ("traffic light", "car")) == ("Traffic light",)
    assert split_tags("traffic light", ("car",)) == ("traffic", "light")
    assert split_tags("none", ("none",)) == ("none",)


@given(st.lists(st.text(alphabet="abcZ_-é", min_size=1, max_size=6), unique=True, max_size=5), st.sampled_from(";|,"))
def test_separated_names_come_back(names: list[str], separator: str) -> None:
    assert split_tags(f"{separator} ".join([*names, ""])) == tuple(names)


@given(st.text(max_size=30))
def test_any_cell_gives_clean_tags(cell: str) -> None:
    for tag in split_tags(cell):
        assert tag == tag.strip()
        assert tag


@pytest.mark.parametrize(
    ("written", "known", "chosen"),
    [
        (["Cat", "cat", "cat"], (), "cat"),
        (["Lynx", "Lynx", "lynx"], (), "Lynx"),
        (["Cat", "Cat", "cat"], (), "cat"),
        (["Cat", "cat"], (), "cat"),
        (["CAT", "Lynx"], ("Cat", "Lynx"), "Cat"),
        (["Potted Plant", "pottedplant", "Potted Plant"], (), "pottedplant"),
        (["DOG"], (), "DOG"),
    ],
)
def test_one_spelling(written: list[str], known: tuple[str, ...], chosen: str) -> None:
    spelling, lines = unite_names(written, known)
    assert spelling[written[0]] == chosen
    assert len(lines) == (not known and len(set(written)) > 1)


def warnings_of(*photos: str, names: tuple[str, ...] = (), named: bool = False) -> list[str]:
    names = names or tuple(sorted({tag for tags in photos for tag in tags.split()}))
    classes = Classes(names, tuple(range(1, len(names) + 1)), voc_palette())
    samples = [Sample(str(number), Path("x"), tuple(tags.split())) for number, tags in enumerate(photos)]
    return tag_warnings(ImageSet(classes, samples), named=named)


def test_sound_tags_are_not_warned_of() -> None:
    assert warnings_of("cat", "dog", "cat dog", "", "car", "cat car") == []


def test_slips_are_pointed_out() -> None:
    lines = warnings_of("cat lynx", "cat", "lynx", "lynz", "lynx cat")
    assert lines[0] == "classes 'lynz' and 'lynx' are one letter apart (1 and 3 photos): is it one class?"
    assert "class 'lynz' is on one photo only (3): is it a slip?" in lines[1]
    assert "lynz" not in str(warnings_of("lynz", "lynx", "lynx", "lynz", named=True))


def test_many_classes_on_one_photo_each_are_one_line() -> None:
    (line,) = warnings_of(*(f"{first}{second}" * 3 for first in "ab" for second in "cdef"), "", named=True)
    assert line.startswith("8 classes are on one photo only: 'acacac' (0), 'adadad' (1), 'aeaeae' (2) and 5 more; are")


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("dgo", "dog", True),
        ("dog", "dogs", True),
        ("horse", "house", True),
        ("cat", "cow", False),
        ("lane1", "lane2", False),
        ("cat", "car", False),
        ("ab", "ad", False),
        ("Dog", "dig", True),
        ("lane", "lane1", False),
    ],
)
def test_names_one_letter_apart(one: str, other: str, alike: bool) -> None:
    lines = warnings_of(one, one, other, other, f"{one} {other}")
    assert any("one letter apart" in line for line in lines) == alike


def test_tags_that_teach_nothing_are_told() -> None:
    assert warnings_of("cat", "cat") == [
        "every training photo has the same tags ('cat'): add photos without them, or none can be located"
    ]
    assert "every training photo has the tag 'cat'" in warnings_of("cat dog", "cat", "cat dog")[0]
    assert "classes 'cat', 'dog' are always on the same photos" in warnings_of("cat dog", "cat dog", "lynx", "lynx")[0]
    assert (
        "no training photo has the tag 'cow'" in warnings_of("cat", "dog", "cat", "dog", names=("cat", "cow", "dog"))[0]
    )


def test_a_tag_that_says_there_is_nothing_is_pointed_out() -> None:
    (line,) = warnings_of("Good", "scratch", "Good", "scratch")
    assert "'Good' is learnt as something to be outlined" in line
    assert warnings_of("dent", "scratch", "dent", "scratch") == []
