from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from weakseg.scenes.figure import Disc, Figure, Pen, Pose
from weakseg.scenes.geometry import ellipse, limb, smooth
from weakseg.scenes.layout import FIGURES, VISIBLE, Scene
from weakseg.scenes.props import PROPS
from weakseg.scenes.render import draw_image, draw_mask

UNIT = 60
SIDE = 180
POSE = Pose(SIDE / 2, SIDE / 2, UNIT)
ALL = [figure for poses in FIGURES.values() for figure in poses] + list(PROPS)


def drawn(figure: Figure, seed: int) -> tuple[NDArray[np.bool_], NDArray[np.uint8]]:
    pen = Pen(POSE, (0, 0, SIDE, SIDE))
    figure.draw(pen, Random(seed))
    return np.asarray(pen.alpha()) > 127, np.asarray(pen.colour())


def inside(discs: list[Disc], height: int, width: int) -> NDArray[np.bool_]:
    y, x = np.mgrid[:height, :width] + 0.5
    within = [(x - left) ** 2 + (y - top) ** 2 <= radius**2 for left, top, radius in discs]
    return np.any(within, axis=0) if within else np.zeros((height, width), dtype=bool)


@pytest.mark.parametrize("figure", ALL)
def test_figures_stay_within_their_cover_and_fill_what_they_keep(figure: Figure) -> None:
    cover = inside([POSE.disc(disc) for disc in figure.cover], SIDE, SIDE)
    keep = inside([POSE.disc(disc) for disc in figure.keep], SIDE, SIDE)
    for seed in range(60):
        shape, _ = drawn(figure, seed)
        assert not (shape & ~cover).any()
        assert (shape & keep).sum() >= figure.sure * UNIT**2


@pytest.mark.parametrize("pair", [("cat", "dog"), ("police", "taxi")])
def test_twins_differ_only_in_a_small_part_that_is_kept(pair: tuple[str, str]) -> None:
    shares = []
    for first, second in zip(FIGURES[pair[0]], FIGURES[pair[1]], strict=True):
        telling = inside([POSE.disc(first.keep[0])], SIDE, SIDE)
        for seed in range(20):
            (shape, colours), (other_shape, other_colours) = drawn(first, seed), drawn(second, seed)
            differ = (shape != other_shape) | (colours != other_colours).any(axis=2)
            assert differ.any()
            assert (differ & ~telling).sum() <= 0.2 * differ.sum()
            shares.append(differ.sum() / shape.sum())
    assert np.mean(shares) < 0.35


@settings(max_examples=50, deadline=None)
@given(st.builds(Scene, st.integers(0, 2**31), st.just("train"), st.integers(0, 10**6)))
def test_every_object_keeps_its_telling_part_in_view(scene: Scene) -> None:
    layout = scene.layout()
    assert scene.labels() == tuple(item.label for item in layout.items if item.label)
    numbered = tuple(replace(item, label=number) for number, item in enumerate(layout.items, start=1))
    owner = draw_mask(replace(layout, items=numbered))
    for number, item in enumerate(layout.items, start=1):
        if item.label:
            alone = draw_mask(replace(layout, items=(item,))) > 0
            kept = alone & inside(item.keeps(), layout.height, layout.width)
            assert (owner[kept] == number).all()
            assert (owner == number).sum() >= VISIBLE * owner.size


def test_objects_overlap_and_those_in_front_win() -> None:
    hidden = 0
    for index in range(60):
        layout = Scene(0, "train", index).layout()
        whole = [(draw_mask(replace(layout, items=(item,))) > 0).sum() for item in layout.items if item.label]
        hidden += sum(whole) > (draw_mask(layout) > 0).sum()
    assert hidden >= 15


def test_mask_outlines_what_is_painted() -> None:
    layout = Scene(3, "train", 1).layout()
    bare = draw_image(replace(layout, items=()))
    item = next(item for item in layout.items if item.label)
    changed = np.abs(draw_image(replace(layout, items=(item,))).astype(int) - bare).max(axis=2) > 60
    mask = draw_mask(replace(layout, items=(item,))) > 0
    assert (changed & mask).sum() > 0.5 * mask.sum()
    assert (changed & ~mask).sum() < 0.1 * mask.sum()


def test_distractors_are_background() -> None:
    layouts = [Scene(0, "val", index).layout() for index in range(20)]
    props = [replace(layout, items=tuple(item for item in layout.items if not item.label)) for layout in layouts]
    assert sum(len(layout.items) for layout in props) > 20
    assert not any(draw_mask(layout).any() for layout in props)


def test_mirrored_figures_are_mirrored() -> None:
    figure = FIGURES["fish"][0]
    shapes = []
    for pose in (POSE, replace(POSE, flip=True)):
        pen = Pen(pose, (0, 0, SIDE, SIDE), coloured=False)
        figure.draw(pen, Random(1))
        shapes.append(np.asarray(pen.alpha()) > 127)
    assert (shapes[0] != shapes[1][:, ::-1]).sum() < 0.02 * shapes[0].sum()


def area(outline: NDArray[np.float64]) -> float:
    x, y = outline.T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def test_outlines() -> None:
    assert area(ellipse(3, 4, 2, 1, tilt=0.7, corners=200)) == pytest.approx(2 * np.pi, rel=1e-3)
    assert area(limb([(0, 0), (4, 0)], 0.5, 0.5)) == pytest.approx(4 + np.pi / 4, rel=0.02)
    corners = np.array([(1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0)])
    rounded = smooth(corners, 8)
    assert rounded.shape == (32, 2)
    np.testing.assert_allclose(rounded[::8], corners, atol=1e-12)
