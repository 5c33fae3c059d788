"""Self-training: what is learnt from a first mask, and what the new one keeps of it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import nn

from weakseg.data.images import voc_palette
from weakseg.data.sample import Array, Classes, ImageSet, Sample
from weakseg.data.transforms import Augmentation
from weakseg.pipeline.stages import selftrain as stage
from weakseg.pipeline.stages.selftrain import keep_lost, label_counts, selftrain, without_doubtful
from weakseg.segmentation.inference import PredictSettings
from weakseg.training.optim import Schedule

SHAPE = (6, 7)


@given(
    arrays(np.uint8, SHAPE, elements=st.sampled_from([0, 3, 9, 255])),
    arrays(np.uint8, SHAPE, elements=st.integers(0, 255), fill=st.nothing()),
    st.floats(0, 1),
)
def test_at_most_a_share_of_each_class_is_doubtful_and_background_never(
    mask: np.ndarray, confidence: np.ndarray, share: float
) -> None:
    learnt = without_doubtful(mask, confidence, share)
    changed = learnt != mask
    assert (learnt[changed] == 255).all()
    for value in (3, 9):
        left_out, kept = confidence[changed & (mask == value)], confidence[learnt == value]
        assert left_out.size <= share * (mask == value).sum()
        assert (mask == value).any() == (kept.size > 0)
        assert not left_out.size or left_out.max() < kept.min()
    assert not changed[mask == 0].any()


def test_the_least_confident_third_is_left_out() -> None:
    mask, confidence = np.full((3, 3), 5, np.uint8), np.arange(9, dtype=np.uint8).reshape(3, 3)
    learnt = without_doubtful(mask, confidence, 1 / 3)
    assert (learnt == 255).ravel().tolist() == [True] * 3 + [False] * 6
    assert (mask == 5).all()
    assert without_doubtful(mask, np.zeros_like(confidence), 0.9) is not mask
    assert (without_doubtful(mask, np.zeros_like(confidence), 0.9) == 5).all()


def test_a_label_without_a_pixel_keeps_those_that_it_had() -> None:
    labels = torch.tensor([[0, 1, 1], [0, 0, 1]], dtype=torch.uint8)
    before = torch.tensor([[1, 1, 3], [3, 255, 0]], dtype=torch.uint8)
    found, sure = keep_lost(labels, torch.full((2, 3), 0.75), before)
    assert found.tolist() == [[0, 1, 3], [3, 0, 1]]
    assert sure.tolist() == [[0.75, 0.75, 0.25], [0.25, 0.75, 0.75]]


CLASSES = Classes(("cat", "dog"), (8, 12), voc_palette())
FIRST, LEARNT = np.zeros((4, 5), np.uint8), np.zeros((4, 5), np.uint8)
FIRST[:2, :3], FIRST[3, 4] = 8, 12
LEARNT[:2, :3], LEARNT[:2, 0], LEARNT[3, 4] = 8, 255, 12


def test_labels_are_counted_over_all_masks() -> None:
    masks = {"a": FIRST, "b": LEARNT}
    images = ImageSet(CLASSES, [Sample(name, Path(name), ("cat",)) for name in masks])
    counts = label_counts(images, lambda sample: masks[sample.id])
    assert counts.tolist() == [13 + 13, 6 + 4, 1 + 1]


class Recorded(nn.Module):
    """A network that keeps what it is told of the labels."""

    balance = 0.5
    told: Any = None

    def unbalance(self, counts: torch.Tensor, share: float) -> None:
        self.told = (counts.tolist(), share)


@pytest.mark.parametrize("balance", [0.0, 0.5])
def test_it_learns_from_the_sure_pixels_and_relabels_from_the_whole_mask(
    balance: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taught: list[Array] = []
    before: list[Array] = []
    images = ImageSet(CLASSES, [Sample(name, Path(name), ("cat", "dog")) for name in ("right", "wrong")])

    def train(network: Any, photos: ImageSet, read: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        taught.extend(read(sample) for sample in photos.samples)
        return {"steps": 1}

    def label(network: Any, photos: ImageSet, read: Any, *args: Any, **kwargs: Any) -> None:
        before.extend(read(sample) for sample in photos.samples)

    monkeypatch.setattr(stage, "segment", train)
    monkeypatch.setattr(stage, "label_anew", label)
    monkeypatch.setattr(stage, "trained", lambda network, *_: network)
    network: Any = Recorded()
    network.balance = balance
    trainer: Any = SimpleNamespace(fabric=SimpleNamespace(device=torch.device("cpu")), workers=0)
    summary = selftrain(
        network,
        images,
        lambda sample: FIRST,
        lambda sample: tmp_path / f"{sample.id}.png",
        lambda sample: tmp_path / f"{sample.id}-sure.png",
        tmp_path,
        trainer,
        augment=Augmentation(),
        schedule=Schedule(),
        views=PredictSettings(),
        long_side=None,
        seed=0,
        rejected=("wrong",),
        learnt=lambda sample: LEARNT,
        unbalance=0.5,
    )
    assert summary == {"steps": 1}
    assert len(taught) == 1
    assert np.array_equal(taught[0], LEARNT)
    assert len(before) == 2
    assert all(np.array_equal(mask, FIRST) for mask in before)
    assert network.told == (([13, 4, 1], 0.5) if balance else None)
