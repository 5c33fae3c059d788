from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from weakseg.data.images import voc_palette
from weakseg.data.sample import Array, Classes, Sample
from weakseg.data.truth import check_truth, survey
from weakseg.errors import WeaksegError

Make = Callable[..., Path]
CLASSES = Classes(("cat", "dog"), (8, 12), voc_palette())
LISTED = Path("set/classes.txt")


def never() -> Array:
    raise AssertionError("composed masks are not made")


@pytest.fixture
def lines(tmp_path: Path, photo: Make, mask: Make) -> Callable[..., list[str]]:
    """The lines for masks of the given values; photos are tagged cat and dog in turn. One row of six per value."""

    def check(*masks: tuple[int, ...], classes: Classes = CLASSES) -> list[str]:
        samples = [
            Sample(
                str(i), photo(tmp_path / f"{i}.jpg"), (classes.names[i % len(classes)],), mask(tmp_path / f"{i}.png", v)
            )
            for i, v in enumerate(masks)
        ]
        return check_truth(survey(samples, classes), classes, LISTED)

    return check


def test_sound_truth(lines: Callable[..., list[str]]) -> None:
    assert lines((0, 8, 255), (0, 12)) == []
    assert lines() == []


def test_the_survey_counts(tmp_path: Path, photo: Make, mask: Make) -> None:
    broken = tmp_path / "broken.png"
    broken.write_text("text")
    image = photo(tmp_path / "1.jpg")
    samples = [
        Sample("a", image, ("cat",), mask(tmp_path / "a.png", (0, 8))),
        Sample("b", image, ("cat",), mask(tmp_path / "b.png", (0, 12, 40))),
        Sample("c", image, ("dog",), broken),
        Sample("d", image, ("dog",)),
        Sample("e", image, ("dog",), never),
    ]
    done: list[int] = []
    truth = survey(samples, CLASSES, progress=done.append)
    assert (truth.masks, truth.pixels, truth.tagged) == (2, 96, {"cat": 2})
    assert {value: (held.pixels, held.masks) for value, held in truth.values.items()} == {
        0: (24 + 16, 2),
        8: (24, 1),
        12: (16, 1),
        40: (16, 1),
    }
    assert list(truth.untagged) == ["dog"]
    assert sum(done) == 3


@pytest.mark.parametrize(
    ("masks", "match"),
    [
        (
            ((0, 38), (0, 75)),
            r"2 masks: none holds a pixel of 'cat' \(value 8\), 'dog' \(value 12\), .* value 38 of no",
        ),
        (
            ((0, 38), (0, 12)),
            r"none holds a pixel of 'cat' .* value 38 of no class is in 1 \(25 % of the pixels, first: ",
        ),
        (((0, 38), (0, 12)), r"write each class with its value to set/classes.txt, such as the line cat 38"),
        (
            ((0, 255), (0, 255)),
            r"value 255, which means ignore, is in 2 \(50 % .*save the masks with the classes' values",
        ),
        (((0,), (0,)), r"nor of any other class; leave masks without objects out"),
    ],
)
def test_truth_that_no_class_explains_is_refused(
    lines: Callable[..., list[str]], masks: tuple[tuple[int, ...], ...], match: str
) -> None:
    with pytest.raises(WeaksegError, match=match):
        lines(*masks)


def test_a_single_class_may_be_named_as_255(lines: Callable[..., list[str]]) -> None:
    lesion = Classes(("lesion",), (1,), voc_palette())
    with pytest.raises(WeaksegError, match=r"set/classes.txt, as the line lesion 255") as caught:
        lines((0, 255), (0, 255), (0, 255), classes=lesion)
    assert "'lesion' (value 1), which 3 photos are tagged with" in str(caught.value)
    assert "0.png" in str(caught.value)


def test_what_else_does_not_fit_is_named(lines: Callable[..., list[str]]) -> None:
    (line,) = lines((0, 8, 3, 4, 5, 6), (0, 12))
    assert "masks hold 4 values of no class (3, 4, 5, ...), 33 % of the pixels, as in" in line
    (line,) = lines((0, 8), (0, 12, 8))
    assert "not tagged with: cat (value 8) in 1 masks, 17 % of the pixels, first: " in line
    assert lines((0, 8), (0, 255)) == [
        "no mask holds a pixel of a class that photos are tagged with: dog (value 12, 1 photos)"
    ]
