"""Find the masks that a run, or ``weakseg predict``, has written, and the photos that they are of."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from weakseg.data.sample import Classes, Sample, Source
from weakseg.data.source import open_source
from weakseg.errors import WeaksegError
from weakseg.exporters.base import MaskedPhoto, MaskSet, What
from weakseg.exporters.corrections import corrected, unwritten
from weakseg.files import read_json
from weakseg.pipeline.newphotos.predictions import Places, listed_classes, listed_photos
from weakseg.pipeline.rundir.provenance import PHOTOS
from weakseg.pipeline.rundir.run import RECIPE, Run
from weakseg.recipes.recipe import Recipe


def collect_masks(
    folder: Path, what: What | None, data: str | None, *, whole: bool = False, reviews: Path | None = None
) -> MaskSet:
    """The masks of a run, or of a folder that ``weakseg predict`` has written.

    Args:
        folder: of either.
        what: of a run: "masks" (or None) or "predictions".
        data: the source that has the photos of a run; None for the one it was made of.
        whole: leave out what the run knows of objects one by one.
        reviews: of a run: see `weakseg.exporters.corrections.corrected`.

    Raises:
        WeaksegError: neither is there, the stage has not run, or the photos are not found; with the way out.
    """
    if (folder / RECIPE).is_file():
        return _of_run(Run(folder), what or "masks", data, whole=whole, reviews=reviews)
    classes = listed_classes(Places(folder).masks)
    if classes is None:
        raise WeaksegError(f"{folder}: neither a run of `weakseg run` nor a folder that `weakseg predict` has written")
    if what == "masks" or data is not None or reviews is not None:
        given = "--data" if data is not None else "--what masks" if what == "masks" else "--reviews"
        raise WeaksegError(f"{given}: is for runs; {folder} holds predictions, and its masks.csv names the photos")
    return _of_predictions(folder, classes)


def mask_folder(run: Run, recipe: Recipe, what: What) -> tuple[str, Path]:
    """The stage that has made the masks of a run, and their folder. Raises WeaksegError if it has not ended."""
    stage = "predict" if what == "predictions" else (recipe.mask_stages or ["refine"])[-1]
    if not run.record(stage).get("done"):
        others = {"masks": "predictions", "predictions": "masks"}
        named = f"finish `weakseg run` with the stage {stage}, or export --what {others[what]}"
        raise WeaksegError(f"{run.folder}: no {what} there, as the stage {stage} has not ended; {named}")
    return stage, run.stage_folder(stage) / "masks"


def source_of(run: Run, data: str | None) -> Source:
    """The source that has a run's photos. Raises WeaksegError, pointing at --data, if it cannot be opened."""
    known: dict[str, Any] = read_json(run.folder / PHOTOS) or {}
    spec = data or known.get("data")
    if not spec:
        raise WeaksegError(f"{run.folder}: does not tell what photos it was made of; name their source with --data")
    try:
        return open_source(spec)
    except WeaksegError as error:
        if data is not None:
            raise
        raise WeaksegError(f"the photos of {run.folder}: {error}; say where they are now with --data") from error


def _of_run(run: Run, what: What, data: str | None, *, whole: bool, reviews: Path | None) -> MaskSet:
    recipe, classes = run.read_recipe(), run.read_classes()
    stage, folder = mask_folder(run, recipe, what)
    split = recipe.data.val if what == "predictions" else recipe.data.train
    source = source_of(run, data)
    samples = source.image_set(split).samples
    objects = None if whole or what == "predictions" else _objects(run)
    photos = [
        MaskedPhoto(sample, folder / f"{sample.id}.png", classes, objects and _existing(objects / f"{sample.id}.json"))
        for sample in samples
        if os.path.isfile(folder / f"{sample.id}.png")
    ]
    title = f"predictions of {run.folder.name}" if what == "predictions" else f"pseudo masks of {stage}"
    if objects:
        title = f"objects of {run.folder.name}"
    notes = [f"what is written: {title}"]
    if len(photos) < len(samples):
        notes.append(f"{len(samples) - len(photos)} photos of {source.spec} have no mask and are left out")
    masks = sum(1 for _ in folder.rglob("*.png"))
    if masks > len(photos):
        notes.append(f"{masks - len(photos)} masks are of no photo of {source.spec} and are left out")
    if not photos:
        raise WeaksegError(f"{folder}: no mask of a photo of {source.spec}; name the photos' source with --data")
    if reviews is None:
        notes += unwritten(photos, run.folder, recipe, classes)
    else:
        photos, said = corrected(photos, reviews, classes)
        notes.append(said)
    return MaskSet(title, run.folder.resolve().name, split, classes, photos, tuple(notes))


def _objects(run: Run) -> Path | None:
    """The folder of the objects of each photo, where the run has looked for any."""
    return run.stage_folder("instances") / "photos" if run.record("instances").get("done") else None


def _existing(path: Path) -> Path | None:
    return path if path.is_file() else None


def _of_predictions(folder: Path, classes: Classes) -> MaskSet:
    places = Places(folder)
    rows = listed_photos(places.masks)
    made = {mask: photo for mask, photo in rows.items() if mask.is_file()}
    if not made:
        raise WeaksegError(f"{folder}: masks.csv lists no mask that is there; run `weakseg predict` again")
    photos = [MaskedPhoto(_sample(mask, photo, places), mask, classes) for mask, photo in made.items()]
    lost = len(rows) - len(made)
    notes = (f"{lost} masks of masks.csv are not there and are left out",) if lost else ()
    return MaskSet("predictions of new photos", folder.resolve().name, "train", classes, photos, notes)


def _sample(mask: Path, photo: Path, places: Places) -> Sample:
    """The photo of a mask; where it is no file any more, or was drawn, only its name is known."""
    name = mask.relative_to(places.masks).with_suffix("") if mask.is_relative_to(places.masks) else Path(mask.stem)
    # with_suffix cuts at the last dot, which is the one before png.
    image = Path(os.path.normpath(photo)) if photo.is_file() else _Lost(photo)
    return Sample(name.as_posix(), image, ())


class _Lost:
    """Stands for a picture that is not there."""

    def __init__(self, photo: Path) -> None:
        self.photo = photo

    def __call__(self) -> Any:
        raise WeaksegError(f"{self.photo}: the photo is not there any more, or was drawn; leave --photos copy away")
