import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from weakseg.data.classmaps import ClassMaps
from weakseg.errors import WeaksegError
from weakseg.evaluation.curve import ThresholdCurve
from weakseg.evaluation.scoring import weights_beaten
from weakseg.methods.cam.cam import PlainCam
from weakseg.methods.registry import SEEDS
from weakseg.pipeline.checks import check_backgrounds
from weakseg.recipes.loading import load_recipe
from weakseg.refine.background import BackgroundSettings, add_background, foreground

PLAIN = ClassMaps((2, 5), torch.tensor([[[0.0, 0.5]], [[0.25, 0.1]]]), (1, 2))
OWN = ClassMaps((0, 2, 5), torch.cat([torch.tensor([[[0.8, 0.4]]]), PLAIN.scores]), (1, 2))
RULES = [BackgroundSettings(rule="constant"), BackgroundSettings(rule="power"), BackgroundSettings(rule="own")]


@pytest.mark.parametrize("maps", [PLAIN, OWN], ids=["plain", "own"])
@pytest.mark.parametrize(
    ("section", "expected"),
    [
        (BackgroundSettings(rule="constant", threshold=0.3), [[0.3, 0.3]]),
        (BackgroundSettings(rule="power", alpha=2), [[0.5625, 0.25]]),
    ],
)
def test_constant_and_power_look_at_the_classes_alone(
    maps: ClassMaps, section: BackgroundSettings, expected: list[list[float]]
) -> None:
    found = add_background(maps, section)
    assert found.classes == (0, 2, 5)
    torch.testing.assert_close(found.scores[0], torch.tensor(expected))
    assert torch.equal(found.scores[1:], PLAIN.scores)


def test_own_takes_the_methods_channel_times_the_weight() -> None:
    found = add_background(OWN, BackgroundSettings(rule="own", weight=0.5))
    torch.testing.assert_close(found.scores, torch.cat([OWN.scores[:1] / 2, PLAIN.scores]))
    with pytest.raises(WeaksegError, match="no background channel: set the background rule to constant or power"):
        add_background(PLAIN, RULES[2])


@pytest.mark.parametrize("section", RULES, ids=lambda section: section.rule)
def test_maps_grow_to_the_photo(section: BackgroundSettings) -> None:
    maps = ClassMaps((0, 1), torch.rand(2, 3, 4), (9, 13))
    assert add_background(maps, section).scores.shape == (2, 9, 13)
    assert foreground(maps).scores.shape == (1, 3, 4)


@pytest.mark.parametrize("section", RULES, ids=lambda section: section.rule)
def test_a_photo_without_tags_is_background(section: BackgroundSettings) -> None:
    for classes in ((), (0,)):
        found = add_background(ClassMaps(classes, torch.zeros(len(classes), 2, 3), (5, 8)), section)
        assert found.classes == (0,)
        assert torch.equal(found.scores, torch.ones(1, 5, 8))


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(*[st.floats(0, 1, width=16)] * 3), min_size=1, max_size=20))
def test_a_sweep_of_weights_counts_what_every_weight_gives(pixels: list[tuple[float, float, float]]) -> None:
    """Weights that a binary fraction holds: the product is exact too."""
    scores: Tensor = torch.tensor(pixels).T.reshape(3, 1, -1)
    maps = ClassMaps((0, 1, 2), scores, (1, scores.shape[2]))
    truth = np.arange(scores.shape[2], dtype=np.uint8)[None] % 3
    curve = ThresholdCurve(("a", "b"), (0.0, 0.25, 0.75, 1.0, 1.5, 2.0))
    curve.add((1, 2), weights_beaten(scores[1:], scores[:1]), truth)
    for weight, counted in zip(curve.thresholds, curve.confusion(), strict=True):
        found = add_background(maps, BackgroundSettings(rule="own", weight=weight)).scores.argmax(dim=0).numpy()
        expected = np.zeros((3, 3), dtype=np.int64)
        np.add.at(expected, (truth.ravel(), found.ravel()), 1)
        np.testing.assert_array_equal(counted, expected)


class WithBackground(PlainCam):
    """Plain CAM that claims a background channel."""

    background = True


@pytest.fixture(autouse=True)
def other(monkeypatch: pytest.MonkeyPatch) -> None:
    """One more method with a background channel."""
    monkeypatch.setitem(SEEDS.registered, "other", WithBackground)


@pytest.mark.parametrize(
    "key", ["localize.background", "refine.background", "relate.irnet.foreground", "relate.irnet.background"]
)
def test_the_rule_own_wants_a_method_that_makes_one(key: str) -> None:
    with pytest.raises(
        WeaksegError, match=rf"^{key}.rule is own, but the CAM method cam .* to one of sipe, ae-sipe, other$"
    ):
        check_backgrounds(load_recipe("irnet", overrides=[f"{key}.rule=own"]))
    check_backgrounds(load_recipe("irnet", overrides=[f"{key}.rule=own", "classify.method=other"]))


def test_sections_that_no_stage_reads_may_say_own() -> None:
    check_backgrounds(load_recipe("affinitynet", overrides=["relate.irnet.background.rule=own"]))
    check_backgrounds(load_recipe("cam", overrides=["stages=[classify]", "refine.background.rule=own"]))


def test_maps_of_the_size_of_the_photo_count_where_there_are_some():
    full = torch.rand(3, 9, 13, generator=torch.Generator().manual_seed(0))
    maps = ClassMaps((0, 1, 2), torch.zeros(3, 3, 4), (9, 13)).with_full(full)
    found = add_background(maps, BackgroundSettings(rule="own", weight=0.5))
    assert torch.equal(found.scores, torch.cat([full[:1] / 2, full[1:]]))
    assert found.full is None
