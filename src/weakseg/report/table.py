"""The table of a finished run: stage, mIoU, time."""

from __future__ import annotations

from typing import Any

from rich.table import Table

Scores = dict[str, Any]


def percent(value: float | None) -> str:
    """A fraction as a percentage with one decimal; empty for none."""
    return "" if value is None else f"{100 * value:.1f}"


def run_table(manifest: dict[str, Any]) -> Table:
    """One row per stage of a run's manifest."""
    machine = manifest["machine"]
    table = Table(
        title=f"{manifest['recipe']} on {manifest['data']}, seed {manifest['seed']}",
        caption=f"{machine['name']}, {machine['threads']} threads; mIoU in %, over the classes present and over all",
    )
    table.add_column("stage")
    table.add_column("split")
    for name in ("images", "mIoU", "over all", "time"):
        table.add_column(name, justify="right")
    metrics = manifest["metrics"] or {}
    for stage, record in manifest["stages"].items():
        entry = metrics.get(stage, {})
        scores: Scores | None = entry.get("scores")
        time = f"{record['seconds']:.0f} s" if record["seconds"] is not None else ""
        if (record["sessions"] or 1) > 1:
            time += " (resumed)"
        images = str(entry["images"]) if scores else ""
        figures = _both(scores) if scores else ("no true masks" if entry else "", "")
        methods = ", ".join(manifest["methods"].get(stage, []))
        table.add_row(f"{stage}: {methods}" if methods else stage, entry.get("split", ""), images, *figures, time)
        if "best" in entry:
            best = entry["best"]
            name = "weight" if "weight" in best else "threshold"
            label = f"  best {name} {best[name]:.2f} (uses masks)"
            table.add_row(label, entry["split"], images, *_both(best["scores"]), "")
    return table


def _both(scores: Scores) -> tuple[str, str]:
    return percent(scores["miou_present"]), percent(scores["miou_all"])


def class_table(scores: Scores, title: str) -> Table:
    """IoU per class of one set of scores."""
    table = Table(title=title)
    table.add_column("class")
    table.add_column("IoU %", justify="right")
    for name, value in scores["iou"].items():
        if scores["pixels"][name] or value:
            table.add_row(name, percent(value))
    table.add_section()
    table.add_row("mean over classes present", percent(scores["miou_present"]))
    table.add_row("mean over classes that are true or predicted", percent(scores["miou_occurring"]))
    table.add_row("mean over all classes", percent(scores["miou_all"]))
    table.add_row("pixel accuracy", percent(scores["pixel_accuracy"]))
    return table
