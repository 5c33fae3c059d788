"""Charts as numbers that a template draws: paths, bars and ticks in the units of an SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from weakseg.evaluation.calibration import Calibration

WIDTH, LEFT, RIGHT = 360, 46, 10
"""Of every chart with a curve; small, so that its text can be read on a phone."""
TOP, BOTTOM = 10, 22
POINTS = 300
"""Of a curve at most; more are averaged."""
SIDE, MARGIN = 260, 36
"""Of the square of a reliability diagram, and of the space for its ticks."""

Point = tuple[float, float]


@dataclass(frozen=True)
class Tick:
    """A mark on an axis.

    Attributes:
        at: its place.
        text: beside it.
    """

    at: float
    text: str


@dataclass(frozen=True)
class Curve:
    """A line of a chart.

    Attributes:
        name: of what it shows.
        path: the SVG path.
        last: the last value, as text.
    """

    name: str
    path: str
    last: str


@dataclass(frozen=True)
class Chart:
    """Curves over steps.

    Attributes:
        title: what is shown.
        height: of the chart; its width is ``WIDTH``.
        curves: the lines.
        across: ticks of the steps.
        up: ticks of the values.
    """

    title: str
    height: int
    curves: tuple[Curve, ...]
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]


@dataclass(frozen=True)
class Training:
    """The charts of a stage that trains a network.

    Attributes:
        stage: its name.
        steps: how many.
        loss: its chart.
        rate: likewise, of the learning rate.
    """

    stage: str
    steps: int
    loss: Chart
    rate: Chart


def trainings(rows: Sequence[Mapping[str, Any]], stages: Sequence[str]) -> list[Training]:
    """The charts of every stage that has figures.

    Args:
        rows: of ``metrics.jsonl``.
        stages: of the run, in order.
    """
    found = []
    for stage in stages:
        logged = [row for row in rows if row.get("stage") == stage and _finite(row.get("loss"))]
        if not logged:
            continue
        steps = [float(row["step"]) for row in logged]
        names = list(dict.fromkeys(name for row in logged for name in row.get("terms", {})))
        lines = {"loss": [float(row["loss"]) for row in logged]}
        if len(names) > 1:
            lines |= {name: [float(row["terms"].get(name, math.nan)) for row in logged] for name in names}
        rates = {"learning rate": [float(row.get("lr", math.nan)) for row in logged]}
        last = int(steps[-1])
        found.append(
            Training(
                stage,
                last,
                chart(f"{stage}: loss over {last} steps", steps, lines, 190),
                chart(f"{stage}: learning rate over {last} steps", steps, rates, 92),
            )
        )
    return found


def chart(title: str, steps: Sequence[float], lines: Mapping[str, Sequence[float]], height: int) -> Chart:
    """A chart of lines over steps; values start at 0.

    Args:
        title: what is shown.
        steps: of the values, ascending.
        lines: the values by name, non-finite ones are left out.
        height: of the chart.
    """
    values = [value for line in lines.values() for value in line if math.isfinite(value)]
    ticks = nice_ticks(min(0.0, min(values, default=0.0)), max(values, default=1.0), 4 if height > 120 else 2)
    low, high = ticks[0], ticks[-1]
    first, last = 0.0, max(steps, default=1.0) or 1.0

    def x(step: float) -> float:
        return round(LEFT + (step - first) / (last - first) * (WIDTH - LEFT - RIGHT), 1)

    def y(value: float) -> float:
        return round(height - BOTTOM - (value - low) / (high - low or 1.0) * (height - TOP - BOTTOM), 1)

    curves = []
    for name, line in lines.items():
        points = [(step, value) for step, value in zip(steps, line, strict=True) if math.isfinite(value)]
        path = "".join(f"{'L' if number else 'M'}{x(a)} {y(b)}" for number, (a, b) in enumerate(thinned(points)))
        path += "h0" if len(points) == 1 else ""  # a dot
        curves.append(Curve(name, path, f"{points[-1][1]:.3g}" if points else ""))
    across = [Tick(x(step), f"{step:g}") for step in nice_ticks(first, last, 4) if step <= last]
    return Chart(title, height, tuple(curves), tuple(across), tuple(Tick(y(value), f"{value:g}") for value in ticks))


def nice_ticks(low: float, high: float, count: int) -> list[float]:
    """About ``count`` round numbers from at most ``low`` to at least ``high``.

    Example:
        >>> nice_ticks(0, 1.3, 4), nice_ticks(0, 0.004, 2)
        ([0.0, 0.5, 1.0, 1.5], [0.0, 0.002, 0.004])
    """
    span = high - low or abs(high) or 1.0
    power = 10.0 ** math.floor(math.log10(span / count))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor * count >= span * (1 - 1e-9))
    start, end = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [float(f"{number * step:.10g}") for number in range(start, max(end, start + 1) + 1)]


def thinned(points: Sequence[Point], most: int = POINTS) -> list[Point]:
    """Points of a line, or of ``most`` stretches of it the means; the last point stays."""
    if len(points) <= most:
        return list(points)
    edges = [index * len(points) // most for index in range(most + 1)]
    parts = [points[start:end] for start, end in pairwise(edges)]
    means = [(sum(x for x, _ in part) / len(part), sum(y for _, y in part) / len(part)) for part in parts]
    return [*means, points[-1]]


@dataclass(frozen=True)
class Column:
    """A bin of a reliability diagram.

    Attributes:
        x: its left edge.
        width: of it.
        y: of the accuracy.
        level: y of the mean confidence.
        share: of all pixels, 0 to 1.
        text: the figures.
    """

    x: float
    width: float
    y: float
    level: float
    share: float
    text: str


@dataclass(frozen=True)
class Diagram:
    """A reliability diagram in a square of ``SIDE``.

    Attributes:
        title: of which pixels.
        columns: the bins with pixels.
        error: expected calibration error.
        verdict: in words, whether the confidence can be believed.
    """

    title: str
    columns: tuple[Column, ...]
    error: float
    verdict: str


def diagram(title: str, found: Calibration) -> Diagram:
    """The reliability diagram of a calibration that has pixels."""
    width = (SIDE - MARGIN) / len(found.bins)
    columns = [
        Column(
            round(MARGIN + part.low * (SIDE - MARGIN), 1),
            round(width, 1),
            _up(part.accuracy),
            _up(part.confidence),
            part.pixels / found.pixels,
            f"confidence {100 * part.low:.0f} to {100 * part.high:.0f} %: {100 * part.accuracy:.1f} % of "
            f"{part.pixels} pixels right",
        )
        for part in found.bins
        if part.pixels
    ]
    return Diagram(title, tuple(columns), found.expected_error, _verdict(found))


def _up(share: float) -> float:
    return round((1 - share) * (SIDE - MARGIN), 1)


def _verdict(found: Calibration) -> str:
    gap = f"{100 * abs(found.bias):.0f} points"
    if found.expected_error < 0.05:
        return "Confidence is close to the share of pixels that are right."
    if abs(found.bias) < 0.5 * found.expected_error:
        return "Confidence is too high at some levels and too low at others."
    if found.bias > 0:
        return f"The masks are surer than they are right, on average by {gap}."
    return f"The masks are right more often than they are sure, on average by {gap}."


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
