"""report.html: everything that a run tells, on one page that needs nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from weakseg import __version__
from weakseg.errors import WeaksegError
from weakseg.files import read_json, replacing
from weakseg.pipeline.doubts import doubts, drawn_line
from weakseg.pipeline.execute import left_out
from weakseg.pipeline.outlook import reopened
from weakseg.pipeline.rundir.run import MANIFEST, RECIPE, REPORT, Run
from weakseg.pipeline.stage import Context
from weakseg.planning.plan import plan_reasons, planned_before
from weakseg.report.html.charts import Diagram, diagram, trainings
from weakseg.report.html.gallery import TITLES, Card, Shown, cards, choose
from weakseg.report.html.looks import Looks, look, photo_lists
from weakseg.report.html.scores import class_rows, colours, confusions, scored_splits, scored_stages
from weakseg.report.html.story import background_words, stage_rows
from weakseg.report.settings import key_settings, planned_settings
from weakseg.report.table import percent
from weakseg.training.progress import time_text

LARGEST = 5_000_000
"""Bytes of the file."""
SPARE = 40_000
"""Of them for why layers are missing, which is known last."""
LEAST_ROOM = 1_000_000
"""Characters that the photos have, however long the rest is."""


@dataclass(frozen=True)
class Photos:
    """The photos of a page.

    Attributes:
        shown: by list.
        cards: one per photo; without pictures while the rest of the page is measured.
        reason: why there are none.
    """

    shown: list[Shown] = field(default_factory=list)
    cards: list[Card] = field(default_factory=list)
    reason: str = ""


def write_report(folder: Path, *, data: str | None = None, context: Context | None = None) -> Path:
    """Write ``report.html`` into the directory of a run.

    Args:
        folder: the run, finished or not.
        data: where its photos are now; by default where they were.
        context: of the run, where it is at hand.

    Returns:
        The file.

    Raises:
        WeaksegError: there is no run, or the file cannot be written. Photos that cannot be read are no error: the
            report says why it shows none.
    """
    run = Run(folder)
    run.read_manifest()
    context, reason = (context, "") if context else _context(run, data)
    lists = [(photos, look(photos)) for photos in photo_lists(context)] if context else []
    shown = choose(lists)
    empty = [
        Card(each.photos.role, seen, dict.fromkeys(("photo", *each.layers), "")) for each in shown for seen in each.seen
    ]
    photos = Photos(shown, empty, reason)
    room = max(LARGEST - SPARE - len(_render(run, photos).encode()), LEAST_ROOM)
    if context is not None:
        photos = replace(photos, cards=cards(context, shown, room))
    text = _render(run, photos)
    with replacing(folder / REPORT) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return folder / REPORT


def _context(run: Run, data: str | None) -> tuple[Context | None, str]:
    """What the stages of a run shared, or why that cannot be had any more."""
    try:
        return reopened(run, data), ""
    except (WeaksegError, OSError) as error:
        if data is not None:
            raise
        return (
            None,
            f"The photos could not be opened ({error}). `weakseg report {run.folder} --data SOURCE` finds them.",
        )


def _render(run: Run, photos: Photos) -> str:
    recipe, manifest, classes = run.read_recipe(), run.read_manifest(), run.read_classes()
    metrics = read_json(run.folder / "metrics.json") or {} if "evaluate" in recipe.stages else {}
    plan = planned_before(run.folder)
    head, reasons = plan_reasons(plan) if plan else ([], {})
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            version=__version__,
            run=run.folder.absolute().name,
            recipe=recipe,
            recipe_text=_text(run.folder / RECIPE),
            manifest=manifest,
            metrics=metrics,
            classes=classes,
            colours=colours(classes),
            plan=" ".join(line.removeprefix("#").strip() for line in head if not line.startswith("# Run it")),
            settings=planned_settings(recipe, reasons) if plan else key_settings(recipe),
            stages=stage_rows(recipe, manifest, metrics),
            seconds=sum(record.get("seconds") or 0 for record in manifest["stages"].values()),
            trainings=trainings(run.log.rows(), list(manifest["stages"])),
            scored=scored_stages(metrics),
            splits=scored_splits(metrics),
            class_rows=class_rows(metrics, classes),
            confusions=confusions(metrics),
            diagrams=_diagrams(photos),
            judged=next(((each.looks, each.photos) for each in photos.shown if each.looks.every), None),
            doubts=doubts(recipe, manifest),
            drawn=drawn_line(manifest),
            left_out=_left_out(run, photos),
            photos=photos,
            layers=_layers(photos),
            truth=any(each.photos.truth for each in photos.shown),
            doubtful=any(seen.doubt is not None for each in photos.shown for seen in each.seen),
            mean_doubt=_mean_doubt(photos),
            manifest_file=MANIFEST,
        )
    )


def _layers(photos: Photos) -> dict[str, str]:
    """Titles of the layers of all lists, by key."""
    return {key: title for each in photos.shown for key, title in each.layers.items() if key != "truth"} | (
        {"truth": TITLES["truth"]} if any("truth" in each.layers for each in photos.shown) else {}
    )


def _diagrams(photos: Photos) -> list[Diagram]:
    found = []
    for each in photos.shown:
        for title, measured in (("All pixels", each.looks.every), ("Foreground of the masks", each.looks.inside)):
            if measured is not None and measured.pixels:
                found.append(diagram(title, measured))
    return found


def _mean_doubt(photos: Photos) -> float | None:
    looks: list[Looks] = [each.looks for each in photos.shown if each.photos.role == "train"]
    known = [seen.doubt for each in looks for seen in each.photos if seen.doubt is not None]
    return sum(known) / len(known) if known else None


def _left_out(run: Run, photos: Photos) -> list[str]:
    return list(dict.fromkeys([*left_out(run), *(line for each in photos.shown for line in each.looks.problems)]))


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _when(moment: str) -> str:
    """A manifest's time for people."""
    return moment.replace("T", " ").replace("+00:00", " UTC")


@lru_cache(maxsize=1)
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("weakseg.report.html"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"percent": percent, "time": time_text, "background": background_words, "when": _when}
    made.globals["asset"] = _asset
    return made


def _asset(name: str) -> Markup:
    """A style sheet or script of the package, as it is: it holds nothing from outside."""
    return Markup((files("weakseg.report.html") / "templates" / name).read_text(encoding="utf-8"))
