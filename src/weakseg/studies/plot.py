"""The plot of an ablation that varies single numbers: mIoU over each of them."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping

from weakseg.studies.columns import COLUMNS
from weakseg.studies.study import Row, key_of
from weakseg.studies.summary import Summary

CURVES = ("maps", "best", "refined", "val")

Points = list[tuple[float, Row]]


def number_axes(rows: tuple[Row, ...]) -> Mapping[str, Points]:
    """By key, the rows that set this number and nothing else; empty unless that holds for all rows of one recipe."""
    axes: dict[str, Points] = {}
    for row in rows:
        if len(row.set) != 1 or row.recipe != rows[0].recipe:
            return {}
        number = _number(row.set[0].partition("=")[2])
        if number is None:
            return {}
        axes.setdefault(key_of(row.set[0]), []).append((number, row))
    return {} if any(len(points) < 2 for points in axes.values()) else axes


def draw(summary: Summary) -> bytes | None:
    """A PNG with one panel per varied number; None where there is nothing to draw."""
    axes = number_axes(summary.study.all_rows())
    curves = [name for name in summary.columns() if name in CURVES]
    if not axes or not curves or all(result.error for result in summary.results):
        return None
    # Here, because it takes a second to import and most commands do without.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4 * len(axes), 4.2), layout="constrained")
    panels = figure.subplots(1, len(axes), squeeze=False)[0]
    for panel, (key, points) in zip(panels, axes.items(), strict=True):
        points = sorted(points, key=lambda point: point[0])
        for name in curves:
            _curve(panel, name, points, summary)
        panel.set(xlabel=key, ylabel="mIoU %")
        values = [number for number, _ in points]
        if min(values) > 0 and max(values) / min(values) >= 8:
            panel.set_xscale("log", base=2)
        panel.set_xticks(values, [f"{value:g}" for value in values])
        panel.minorticks_off()
        panel.grid(alpha=0.3)
        panel.legend(fontsize="small")
    seeds = len({result.seed for result in summary.results})
    figure.suptitle(summary.study.name + (", bars: sample standard deviation" if seeds > 1 else ""), fontsize="medium")
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=150)
    return content.getvalue()


def _curve(panel: object, name: str, points: Points, summary: Summary) -> None:
    cells = [(number, cell) for number, row in points if (cell := summary.cell(row, name))]
    known = [(number, row.published[name]) for number, row in points if name in row.published]
    title = COLUMNS[name].title
    if cells:
        bars = panel.errorbar(  # type: ignore[attr-defined]
            [number for number, _ in cells],
            [cell.mean for _, cell in cells],
            yerr=[cell.spread or 0 for _, cell in cells],
            marker="o",
            capsize=3,
            label=title,
        )
    if known:
        colour = bars[0].get_color() if cells else None
        panel.plot(*zip(*known, strict=True), "--s", mfc="none", color=colour, label=f"{title}, published")  # type: ignore[attr-defined]


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
