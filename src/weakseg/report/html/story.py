"""What a run did, stage by stage, in sentences."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from weakseg.methods.base import Views
from weakseg.pipeline.networks import backbone_of
from weakseg.recipes.recipe import Recipe
from weakseg.refine.background import BackgroundSettings
from weakseg.segmentation.inference import PredictSettings
from weakseg.training.optim import Schedule
from weakseg.training.progress import time_text


@dataclass(frozen=True)
class StageRow:
    """A line of the table of stages.

    Attributes:
        name: of the stage.
        did: what it did, a sentence.
        time: h:mm:ss or m:ss; "" before it has ended.
        share: of the time of all stages, 0 to 1.
        resumed: whether it was interrupted.
        split: the photos that it was scored on; "" where it was not.
        photos: how many of them have ground truth.
        miou: mean IoU over the labels present, 0 to 1.
        best: where the maps' best background was looked for with the masks, its number and mean IoU, in words.
    """

    name: str
    did: str
    time: str
    share: float
    resumed: bool
    split: str
    photos: int | None
    miou: float | None
    best: str


def stage_rows(recipe: Recipe, manifest: Mapping[str, Any], metrics: Mapping[str, Any]) -> list[StageRow]:
    """A line per stage of a run."""
    records: Mapping[str, Any] = manifest["stages"]
    total = sum(record.get("seconds") or 0 for record in records.values()) or 1
    rows = []
    for name, record in records.items():
        seconds, entry = record.get("seconds"), metrics.get(name, {})
        sentence = SENTENCES.get(name)
        if name == "predict" and "val" not in manifest.get("lists", ("val",)):
            sentence = _nothing_to_predict
        rows.append(
            StageRow(
                name,
                sentence(recipe) if sentence else "",
                time_text(seconds) if seconds is not None else "",
                (seconds or 0) / total,
                (record.get("sessions") or 1) > 1,
                entry.get("split", ""),
                entry.get("images"),
                entry.get("scores", {}).get("miou_present"),
                _best(entry),
            )
        )
    return rows


def _best(entry: Mapping[str, Any]) -> str:
    if "best" not in entry:
        return ""
    best = entry["best"]
    name = "weight" if "weight" in best else "threshold"
    return f"{100 * best['scores']['miou_present']:.1f} with the {name} {best[name]:.2f}"


def background_words(section: BackgroundSettings) -> str:
    """The background's rule and its number.

    Example:
        >>> background_words(BackgroundSettings(rule="constant", threshold=0.3))
        'background where no class is above 0.3'
    """
    if section.rule == "constant":
        return f"background where no class is above {section.threshold:g}"
    if section.rule == "power":
        return f"background as strong as (1 - strongest class) to the power of {section.alpha:g}"
    return f"background as strong as the method's own channel times {section.weight:g}"


def _learning(train: Schedule) -> str:
    return f"{train.epochs} {'epoch' if train.epochs == 1 else 'epochs'} in batches of {train.batch_size}"


def _views(views: Views | PredictSettings) -> str:
    scales = ", ".join(f"{scale:g}" for scale in views.scales)
    size = "the photo's size" if tuple(views.scales) == (1.0,) else f"{scales} times the photo's size"
    return f"{size}{', also mirrored' if views.flip else ''}"


def _crf(views: PredictSettings) -> str:
    return ", then a dense CRF" if views.crf else ""


def _classify(recipe: Recipe) -> str:
    own = recipe.classify
    if own.checkpoint is not None:
        return f"The {own.method} network of {own.checkpoint} is taken as it is."
    network = backbone_of(recipe, "classify").name
    return f"A {own.method} network on {network} learns the tags: {_learning(own.train)}."


def _localize(recipe: Recipe) -> str:
    if recipe.localize.maps is not None:
        return f"The class maps of {recipe.localize.maps} are taken as they are."
    return f"{recipe.classify.method} makes class maps at {_views(recipe.localize)}."


def _relate(recipe: Recipe) -> str:
    own = recipe.relate
    if own.checkpoint is not None:
        return f"The {own.method} network of {own.checkpoint} is taken as it is."
    train = getattr(own.chosen, "train", None)
    how = f": {_learning(train)}" if isinstance(train, Schedule) else ""
    return f"The {own.method} network learns from the maps which pixels belong together{how}."


def _refine(recipe: Recipe) -> str:
    if recipe.refine.masks is not None:
        return f"The pseudo masks of {recipe.refine.masks} are taken as they are."
    steps = ", then ".join(recipe.refine.steps)
    return f"Maps become pseudo masks by {steps}; {background_words(recipe.refine.background)}."


def _instances(recipe: Recipe) -> str:
    return "Objects are told apart one by one."


def _selftrain(recipe: Recipe) -> str:
    own = recipe.selftrain
    but = f", but for the {own.doubtful:.0%} least confident pixels of each class where a photo has several tags"
    return (
        f"{recipe.segment.network} learns from the pseudo masks ({_learning(own.train)})"
        f"{but if own.doubtful else ''}, and labels the same photos "
        f"anew at {_views(own.views)}{_crf(own.views)}."
    )


def _segment(recipe: Recipe) -> str:
    own = recipe.segment
    masks = "the true masks" if recipe.uses_true_masks else "the pseudo masks"
    if own.start == "selftrain" and not recipe.uses_true_masks:
        return f"The network of selftrain goes on learning from the new masks: {_learning(own.train)}."
    if own.checkpoint is not None:
        return f"The {own.network} network of {own.checkpoint} is taken as it is."
    network = backbone_of(recipe, "segment").name
    return f"{own.network} on {network} learns from {masks}: {_learning(own.train)}."


def _predict(recipe: Recipe) -> str:
    return f"Masks of the list {recipe.data.val} at {_views(recipe.predict)}{_crf(recipe.predict)}."


def _nothing_to_predict(recipe: Recipe) -> str:
    return f"There is no list {recipe.data.val}: nothing to predict."


def _evaluate(recipe: Recipe) -> str:
    return "Maps and masks are scored where there is ground truth."


SENTENCES: dict[str, Callable[[Recipe], str]] = {
    "classify": _classify,
    "localize": _localize,
    "relate": _relate,
    "refine": _refine,
    "instances": _instances,
    "selftrain": _selftrain,
    "segment": _segment,
    "predict": _predict,
    "evaluate": _evaluate,
}
