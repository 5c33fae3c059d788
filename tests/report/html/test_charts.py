"""Curves and reliability diagrams as numbers."""

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weakseg.evaluation.calibration import Reliability
from weakseg.report.html.charts import (
    BOTTOM,
    LEFT,
    POINTS,
    RIGHT,
    TOP,
    WIDTH,
    chart,
    diagram,
    nice_ticks,
    thinned,
    trainings,
)


def points(path):
    return [tuple(map(float, pair)) for pair in re.findall(r"[ML]([-\d.]+) ([-\d.]+)", path)]


@given(st.floats(-1e6, 1e6), st.floats(1e-9, 1e6), st.integers(2, 6))
def test_ticks_hold_the_range_and_are_few(low, span, count):
    ticks = nice_ticks(low, low + span, count)
    slack = 1e-6 * max(span, abs(low), 1e-9)
    assert ticks[0] <= low + slack
    assert ticks[-1] >= low + span - slack
    assert len(ticks) <= 2 * count + 2


def test_a_chart_puts_values_where_its_ticks_are():
    found = chart("loss", [0, 50, 100], {"loss": [2.0, 1.0, 0.0], "other": [math.nan, 1.0, math.nan]}, 190)
    first, middle, last = points(found.curves[0].path)
    at = {tick.text: tick.at for tick in found.up}
    assert first == (LEFT, at["2"])
    assert last == (WIDTH - RIGHT, at["0"])
    assert middle[1] == at["1"]
    assert points(found.curves[1].path) == [middle]
    assert found.curves[1].path.endswith("h0")  # a single point can be seen
    assert {tick.text: tick.at for tick in found.across}["100"] == WIDTH - RIGHT
    assert all(TOP <= y <= 190 - BOTTOM for _, y in (first, middle, last))


def test_stages_have_charts_of_loss_terms_and_rate():
    rows = [
        {"stage": "classify", "step": 10 * n, "lr": 0.1 / n, "loss": 3 / n, "terms": {"a": 2 / n, "b": 1 / n}}
        for n in range(1, 5)
    ]
    rows += [{"stage": "segment", "step": 10, "lr": 0.1, "loss": 1.0, "terms": {"a": 1.0}}]
    rows += [{"stage": "relate", "step": 10}, {"stage": "gone", "step": 10, "loss": 1.0}]
    classify, segment = trainings(rows, ["classify", "relate", "segment"])
    assert [curve.name for curve in classify.loss.curves] == ["loss", "a", "b"]
    assert [curve.last for curve in classify.loss.curves] == ["0.75", "0.5", "0.25"]
    assert [curve.name for curve in segment.loss.curves] == ["loss"]
    assert (classify.steps, segment.steps) == (40, 10)
    assert "learning rate" in classify.rate.title


def test_long_curves_are_thinned_to_means_and_keep_their_end():
    line = [(float(x), float(x % 7)) for x in range(10_000)]
    found = thinned(line)
    assert len(found) == POINTS + 1
    assert found[-1] == line[-1]
    assert np.mean([y for _, y in found[:-1]]) == pytest.approx(np.mean([y for _, y in line]), rel=0.02)
    assert thinned(line[:5]) == line[:5]


def test_a_diagram_has_the_bins_with_pixels_and_a_verdict():
    found = Reliability()
    found.add(np.ones((1, 4), np.uint8), np.uint8([[255, 255, 255, 255]]), np.uint8([[1, 0, 0, 0]]))
    drawn = diagram("all", found.calibration(10))
    (column,) = drawn.columns
    assert column.share == 1
    assert column.y == pytest.approx(0.75 * 224)
    assert drawn.error == 0.75
    assert "surer than they are right, on average by 75 points" in drawn.verdict


@pytest.mark.parametrize(
    ("confidence", "truth", "verdict"),
    [
        ([255, 255], [1, 1], "close to"),
        ([51, 51], [1, 1], "right more often than they are sure"),
        ([255, 0], [0, 1], "too high at some levels and too low at others"),
    ],
)
def test_verdicts(confidence, truth, verdict):
    found = Reliability()
    found.add(np.ones((1, 2), np.uint8), np.uint8([confidence]), np.uint8([truth]))
    assert verdict in diagram("all", found.calibration()).verdict
