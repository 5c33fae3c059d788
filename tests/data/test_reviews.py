import multiprocessing
from pathlib import Path

import pytest

from weakseg.data.images import voc_palette
from weakseg.data.reviews import Review, read_reviews, write_review
from weakseg.data.sample import Classes
from weakseg.errors import WeaksegError

CLASSES = Classes(("cat", "traffic light"), (1, 2), voc_palette())


def many(path: Path, start: int) -> None:
    for number in range(start, start + 50):
        write_review(path, Review(f"photo{number}", "accepted"))


def test_what_is_written_is_read_and_the_last_line_of_a_photo_counts(tmp_path: Path) -> None:
    path = tmp_path / "new" / "reviews.jsonl"
    corrected = Review("a/1", "corrected", ("cat",), path.parent / "masks" / "a" / "1.png")
    said = [
        Review("a/1", "accepted"),
        Review("ü\u2028", "tags", ("traffic light",)),
        Review("b", "rejected"),
        corrected,
    ]
    for review in said:
        write_review(path, review)
    assert len(path.read_bytes().splitlines()) == 4
    assert list(read_reviews(path, CLASSES).values()) == [corrected, *said[1:3]]
    assert '"mask": "masks/a/1.png"' in path.read_text(encoding="utf-8")
    write_review(path, Review("b", "tags", ()))
    assert read_reviews(path, CLASSES)["b"] == Review("b", "tags", ())


def test_a_cut_line_does_not_swallow_the_next(tmp_path: Path) -> None:
    path = tmp_path / "reviews.jsonl"
    path.write_text('{"id": "a", "dec')
    write_review(path, Review("b", "accepted"))
    assert path.read_text().splitlines()[1] == '{"id": "b", "decision": "accepted"}'
    with pytest.raises(WeaksegError, match=r"reviews.jsonl line 1: not valid JSON .*; mend or delete the line"):
        read_reviews(path, CLASSES)


def test_several_writers_do_not_mix_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "reviews.jsonl"
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=many, args=(path, start)) for start in (0, 50, 100)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(30)
    assert set(read_reviews(path, CLASSES)) == {f"photo{number}" for number in range(150)}


def test_a_mask_elsewhere_is_refused_and_nothing_written(tmp_path: Path) -> None:
    with pytest.raises(WeaksegError, match=r"elsewhere.png: a mask of a review must lie below"):
        write_review(tmp_path / "new" / "r.jsonl", Review("a", "corrected", None, tmp_path / "elsewhere.png"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("line", "match"),
    [
        ("{", "not valid JSON"),
        ('["a"]', "a review is an object with the id of a photo, as {"),
        ('{"decision": "accepted"}', "an object with the id"),
        ('{"id": "a"}', "unknown decision 'None'; available: accepted, corrected, rejected, tags"),
        ('{"id": "a", "decision": "fine"}', "unknown decision 'fine'"),
        ('{"id": "a", "decision": "accepted", "note": ""}', "unknown key of a review 'note'; available: id"),
        ('{"id": "a", "decision": "corrected"}', "a corrected photo has a mask and no other has one"),
        ('{"id": "a", "decision": "accepted", "mask": "m.png"}', "a corrected photo has a mask"),
        ('{"id": "a", "decision": "corrected", "mask": "../m.png"}', "mask is a path below"),
        ('{"id": "a", "decision": "corrected", "mask": "/m.png"}', "mask is a path below"),
        ('{"id": "a", "decision": "tags"}', 'the decision "tags" needs the tags'),
        ('{"id": "a", "decision": "tags", "tags": "cat"}', "tags are a list of class names, not 'cat'"),
        ('{"id": "a", "decision": "tags", "tags": ["cow"]}', "unknown class 'cow'; available: cat, traffic light"),
    ],
)
def test_bad_lines_are_named(tmp_path: Path, line: str, match: str) -> None:
    path = tmp_path / "reviews.jsonl"
    path.write_text(f'{{"id": "z", "decision": "accepted"}}\n\n{line}\n')
    with pytest.raises(WeaksegError) as caught:
        read_reviews(path, CLASSES)
    assert str(caught.value).startswith(f"{path} line 3: ")
    assert match in str(caught.value)
