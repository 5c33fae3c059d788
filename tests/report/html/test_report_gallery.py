"""Which photos a report shows, and what was found in them."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weakseg.data.images import voc_palette
from weakseg.data.sample import Classes, Sample
from weakseg.errors import WeaksegError
from weakseg.evaluation.calibration import Reliability
from weakseg.report.html.doubt import mean_doubt
from weakseg.report.html.gallery import SHOWN, cards, choose, shares
from weakseg.report.html.looks import Looks, PhotoList, Seen, look, spread_evenly

CLASSES = Classes(("cat", "cow", "dog"), (8, 10, 12), voc_palette())
SIZE = (6, 8)


def noise(index, high=256, size=SIZE):
    return np.random.default_rng(index).integers(0, high, size, dtype=np.uint8)


def photo_list(count, *, size=SIZE, role="train", **changes):
    """A list of photos whose masks, confidence and ground truth are noise."""
    samples = [Sample(f"p{n}", lambda n=n: noise(n, size=(*size, 3)), ("cat",)) for n in range(count)]
    truth = {
        each.id: replace(each, mask=lambda n=n: CLASSES.to_values(noise(500 + n, 4, size)))
        for n, each in enumerate(samples)
    }
    number = lambda sample: int(sample.id[1:])  # noqa: E731
    made = PhotoList(
        role,
        role,
        samples,
        CLASSES,
        truth,
        {
            "refine": lambda sample: noise(number(sample), 4, size),
            "selftrain": lambda sample: noise(7 + number(sample), 4, size),
        },
        lambda sample: noise(99 + number(sample), size=size),
        False,
        mean_doubt,
    )
    return replace(made, **changes)


def seen(index, doubt):
    return Seen(Sample(str(index), lambda: None, ("cat",)), ("cat",), doubt, None)


def chosen(doubts, count, of=None):
    photos = photo_list(0)
    looks = Looks([seen(index, doubt) for index, doubt in enumerate(doubts)], of or len(doubts), None, None, 0, [])
    (shown,) = choose([(photos, looks)], count)
    return shown


def test_a_look_judges_the_last_masks():
    photos = photo_list(5)
    found = look(photos)
    assert [each.sample.id for each in found.photos] == [f"p{n}" for n in range(5)]
    expected, inside = Reliability(), Reliability(foreground=True)
    for each in found.photos:
        labels, sure = photos.masks["selftrain"](each.sample), photos.confidence(each.sample)
        truth = CLASSES.to_labels(photos.truth[each.sample.id].read_mask())
        for measured in (expected, inside):
            measured.add(labels, sure, truth)
        right = {
            name: ((labels == i) & (truth == i)).sum() / ((labels == i) | (truth == i)).sum()
            for i, name in enumerate(("background", *CLASSES.names))
        }
        assert each.iou == pytest.approx(right)
        assert each.miou == pytest.approx(np.mean(list(right.values())))
        assert each.doubt == mean_doubt(each.sample, labels, sure)
    assert found.every == expected.calibration()
    assert found.inside == inside.calibration()
    assert (found.of, found.scored, found.problems) == (5, 5, [])


def test_a_look_goes_without_truth_confidence_or_masks():
    bare = look(photo_list(3, truth={}, confidence=None))
    assert [(each.doubt, each.miou) for each in bare.photos] == [(None, None)] * 3
    assert bare.every is None
    assert [each.classes for each in look(photo_list(2, masks={})).photos] == [("cat",)] * 2


def test_what_cannot_be_read_is_told_and_the_rest_is_looked_at():
    def read(sample):
        if sample.id == "p1":
            raise WeaksegError("p1.png: cannot be read")
        return noise(3, 4)

    found = look(photo_list(3, masks={"refine": read}))
    assert [each.sample.id for each in found.photos] == ["p0", "p2"]
    assert found.problems == ["p1.png: cannot be read"]
    other_size = look(photo_list(2, confidence=lambda sample: noise(1, size=(2, 2))))
    assert len(other_size.problems) == 2
    assert other_size.every is None


def test_long_lists_are_looked_at_at_equal_distances():
    assert [each.sample.id for each in look(photo_list(20), most=5).photos] == ["p0", "p4", "p8", "p12", "p16"]
    assert [sample.id for sample in spread_evenly(photo_list(20).samples, 5)] == ["p0", "p4", "p8", "p12", "p16"]
    assert look(photo_list(20), most=5).of == 20


@given(st.lists(st.integers(0, 900), min_size=1, max_size=3), st.integers(0, 300))
def test_shares_use_all_the_room_there_is_use_for(counts, most):
    found = shares(counts, most)
    assert sum(found) == min(most, sum(counts))
    assert all(share <= count for share, count in zip(found, counts, strict=True))


def test_of_many_photos_the_most_doubtful_and_an_even_spread_are_shown():
    doubts = [None if index % 10 == 9 else (index * 37 % 100) / 100 for index in range(100)]
    shown = chosen(doubts, 20)
    indices = [int(each.sample.id) for each in shown.seen]
    worst = sorted((index for index in range(100) if doubts[index] is not None), key=lambda index: -doubts[index])[:10]
    assert len(indices) == len(set(indices)) == 20
    assert set(worst) <= set(indices)
    assert indices == sorted(indices)
    others = [index for index in indices if index not in worst]
    assert max(np.diff([0, *others, 100])) <= 20
    assert shown.said == "20 of 100 photos of the list train: the 10 most doubtful and 10 spread evenly over the list"


def test_it_is_said_how_many_of_how_many_are_shown():
    assert chosen([0.1] * 5, 20).said == "all 5 photos of the list train"
    assert chosen([None] * 30, 20).said == "20 of 30 photos of the list train: 20 spread evenly over the list"
    assert chosen([0.1] * 5, 20, of=50).said == "5 of 50 photos of the list train: of 5 whose masks were read"
    assert "of 30 whose masks were read" in chosen([0.1] * 30, 20, of=900).said


def test_cards_hold_every_layer_and_why_one_is_missing():
    def broken(sample):
        raise WeaksegError("refine/masks/p0.png: cannot be read")

    photos = photo_list(2)
    photos = replace(photos, truth={"p1": photos.truth["p1"]}, masks={**photos.masks, "refine": broken})
    (shown,) = choose([(photos, look(photos))])
    first, second = cards(SimpleNamespace(), [shown], 1_000_000)
    assert list(shown.layers) == ["refine", "selftrain", "truth"]
    assert set(first.sources) == {"photo", "selftrain"}
    assert first.missing == {"refine": "refine/masks/p0.png: cannot be read", "truth": "no ground truth"}
    assert set(second.sources) == {"photo", "selftrain", "truth"}


def test_a_photo_that_is_gone_says_so():
    def gone():
        raise WeaksegError("p0.jpg: cannot be read (no such file)")

    photos = photo_list(1)
    (shown,) = choose([(photos, look(photos))])
    shown = replace(shown, seen=[replace(shown.seen[0], sample=replace(shown.seen[0].sample, image=gone))])
    (card,) = cards(SimpleNamespace(), [shown], 1_000_000)
    assert card.problem == "p0.jpg: cannot be read (no such file)"
    assert not card.sources


def test_two_hundred_noisy_photos_fit():
    lists = [
        (each, look(each)) for each in (photo_list(260, size=(90, 120)), photo_list(30, size=(90, 120), role="val"))
    ]
    shown = choose(lists)
    assert [len(each.seen) for each in shown] == [170, 30]
    found = cards(SimpleNamespace(), shown, room := 2_000_000)
    assert len(found) == SHOWN == 200
    assert all(set(card.sources) == {"photo", "refine", "selftrain", "truth"} for card in found)
    assert 0.5 * room < sum(len(uri) for card in found for uri in card.sources.values()) <= room
