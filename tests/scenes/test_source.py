from __future__ import annotations

import hashlib
import pickle
import subprocess
import sys
import time
from statistics import median

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weakseg.data.sample import Sample
from weakseg.errors import WeaksegError
from weakseg.scenes import source as scenes
from weakseg.scenes.source import CLASSES, SceneSet, open_scenes

any_scene = st.builds(
    lambda seed, split, index: SceneSet(seed, split, range(index + 1))[index],
    st.integers(0, 2**31),
    st.sampled_from(("train", "val")),
    st.integers(0, 100_000),
)


def digest(sample: Sample) -> str:
    return hashlib.sha256(sample.read_image().tobytes() + sample.read_mask().tobytes()).hexdigest()


@pytest.mark.parametrize(
    ("options", "train", "val", "seed"),
    [
        ("", 400, 100, 0),
        ("300", 300, 75, 0),
        ("300,seed=3", 300, 75, 3),
        ("seed=3", 400, 100, 3),
        ("1", 1, 1, 0),
        ("10_000", 10_000, 2500, 0),
    ],
)
def test_options(options: str, train: int, val: int, seed: int) -> None:
    source = open_scenes(options)
    assert {name: len(samples) for name, samples in source.splits.items()} == {"train": train, "val": val}
    assert source.splits["train"] == SceneSet(seed, "train", range(train))
    assert source.spec == ("scenes:" + options).rstrip(":")
    assert source.classes is CLASSES


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("many", "N must be a whole number from 1 .*'many'"),
        ("0", "N must be .*'0'"),
        ("-5", "N must be .*'-5'"),
        ("1.5", "N must be .*'1.5'"),
        ("1e999", "N must be"),
        ("9" * 5000, "N must be .*not '9{20}\\.\\.\\.'$"),
        ("300,", "N is given twice"),
        ("300,400", "N is given twice; write scenes:N,seed=S"),
        ("seed=1,seed=2", "seed is given twice"),
        ("seed=", "seed must be a whole number from 0 .*''"),
        ("seed=-1", "seed must be .*'-1'"),
        ("size=64", "unknown option of scenes 'size'; available: N, seed=S"),
    ],
)
def test_bad_options_are_told_in_one_line(options: str, told: str) -> None:
    with pytest.raises(WeaksegError, match=told) as error:
        open_scenes(options)
    assert "\n" not in str(error.value)


@settings(max_examples=60, deadline=None)
@given(any_scene)
def test_mask_shows_the_tags_and_nothing_else(sample: Sample) -> None:
    image, mask = sample.read_image(), sample.read_mask()
    assert image.dtype == mask.dtype == np.uint8
    assert image.shape == (*mask.shape, 3)
    assert max(mask.shape) in range(256, 361)
    assert min(mask.shape) >= 0.65 * max(mask.shape)
    values, counts = np.unique(mask, return_counts=True)
    seen = {CLASSES.names[value - 1]: count for value, count in zip(values, counts, strict=True) if value}
    assert sample.tags == tuple(name for name in CLASSES.names if name in seen)
    assert min(seen.values()) >= 0.015 * mask.size


@settings(max_examples=10, deadline=None)
@given(any_scene)
def test_same_bytes_at_every_call_and_after_pickling(sample: Sample) -> None:
    again = pickle.loads(pickle.dumps(sample))
    assert again == sample
    assert digest(again) == digest(sample)


def test_same_bytes_in_another_process_and_for_another_count() -> None:
    code = (
        "import hashlib; from weakseg.scenes.source import open_scenes\n"
        "s = open_scenes('20,seed=5').splits['train'][7]\n"
        "print(hashlib.sha256(s.read_image().tobytes() + s.read_mask().tobytes()).hexdigest(), *s.tags)"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    sample = open_scenes("100000,seed=5").splits["train"][7]
    assert other == [digest(sample), *sample.tags]


def test_splits_and_seeds_share_no_picture() -> None:
    splits = [open_scenes(f"8,seed={seed}").splits[split] for seed in (0, 1) for split in ("train", "val")]
    digests = [digest(sample) for samples in splits for sample in samples[:2]]
    assert len(set(digests)) == 8


def test_a_hundred_thousand_open_at_once_and_draw_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("drawn too early")

    monkeypatch.setattr(scenes, "draw_image", refuse)
    monkeypatch.setattr(scenes, "draw_mask", refuse)
    start = time.perf_counter()
    train = open_scenes("100000").image_set("train", masks=True).samples
    assert len(train) == 100_000
    assert train[-1].id == "train_099999"
    assert train[-1].tags
    assert time.perf_counter() - start < 1


def test_acts_as_a_sequence() -> None:
    samples = open_scenes("12").splits["train"]
    assert [sample.id for sample in samples] == [f"train_{index:06d}" for index in range(12)]
    assert samples[-1] == samples[11]
    assert list(samples[2:9:3]) == [samples[2], samples[5], samples[8]]
    assert samples[::-1][0] == samples[11]
    assert samples[5] in samples
    with pytest.raises(IndexError):
        samples[12]


def test_classes_come_about_equally_often_one_to_three_a_picture() -> None:
    tags = [sample.tags for sample in open_scenes("1200").splits["train"]]
    assert {len(found) for found in tags} == {1, 2, 3}
    shares = [np.mean([name in found for found in tags]) for name in CLASSES.names]
    assert min(shares) > 0.2
    assert max(shares) < 0.35


def test_sizes_vary() -> None:
    shapes = [sample.read_mask().shape for sample in open_scenes("60").splits["train"]]
    assert len(set(shapes)) > 40
    assert 10 < sum(height > width for height, width in shapes) < 50


def test_drawing_is_quick() -> None:
    samples = open_scenes("21").splits["train"]
    samples[0].read_image()  # makes the noise tables
    spent = []
    for sample in samples[1:]:
        start = time.process_time()
        sample.read_image()
        spent.append(time.process_time() - start)
    assert median(spent) < 0.045  # three to four times what an ordinary core takes


def test_a_shadow_may_fall_outside_the_picture() -> None:
    assert SceneSet(11104, "train", range(33692))[33691].read_image().ndim == 3
