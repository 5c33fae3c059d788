"""The codebook of a run of VWE or VWL as pictures and as a list (figure 5 of the VWE paper)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from weakseg.data.sample import Array, ImageSet, Sample
from weakseg.data.source import open_source
from weakseg.errors import WeaksegError
from weakseg.files import write_json
from weakseg.methods.vwe.vwe import VWE
from weakseg.pipeline.networks import seed_method
from weakseg.pipeline.rundir.run import Run
from weakseg.report.listing import out as terminal
from weakseg.report.words.pages import draw_pages
from weakseg.report.words.search import Word, find_words
from weakseg.training.checkpoint import trained
from weakseg.training.device import build_fabric
from weakseg.training.progress import track, warn


@dataclass(frozen=True)
class DrawnWords:
    """The visual words of a run, as a command tells of them.

    Attributes:
        title: of the pages.
        folder: where pages and ``words.json`` are.
        pages: how many.
        words: how many are the likeliest of some pixel.
        doubtful: of how many of these the patches do not agree.
    """

    title: str
    folder: Path
    pages: int
    words: int
    doubtful: int

    def show(self) -> None:
        """Print it."""
        terminal.print(f"{self.title}; the patches of {self.doubtful} of these do not agree", soft_wrap=True)
        terminal.print(f"{self.pages} pages and words.json in {self.folder}", soft_wrap=True)

    def as_json(self) -> dict[str, Any]:
        """The same for programs."""
        return {**asdict(self), "folder": str(self.folder)}


def draw_words(
    run: Path,
    out: Path | None = None,
    *,
    words: int = 8,
    patches: int = 8,
    photos: int = 500,
    agreement: float = 0.75,
) -> DrawnWords:
    """Draw the codebook of a run, words grouped by class, those whose patches do not agree marked.

    The class of a word is the tag that most photos of its nearest patches have. The head of VWE that goes from words to
    tags does not tell it: all words are nearly equally probable, so that its weights are for differences between words,
    and a memory bank has no such head.

    Args:
        run: a run of the recipe vwe or vwl, its stage classify done, its data still in place.
        out: folder for ``words-1.png`` and so on, and for ``words.json``, which lists every word that is the likeliest
            of some pixel; by default ``RUN/words``.
        words: how many words to draw of each class, those of the most pixels.
        patches: how many patches to show of each word.
        photos: how many training photos to look at, spread over the list.
        agreement: words below are marked; see `Word`.

    Returns:
        What was drawn, and where it is.

    Raises:
        WeaksegError: no run there, or one without words; a number out of range; data that cannot be read.
    """
    for name, value in {"words": words, "patches": patches, "photos": photos}.items():
        if value < 1:
            raise WeaksegError(f"{name} must be at least 1, not {value}")
    opened = Run(run)
    model, codebook = _network(opened)
    images = _training_photos(opened)
    samples = _spread(images.samples, photos)
    problems: list[str] = []
    found = find_words(model, codebook, _readable(samples, problems), patches)
    if not found:
        raise WeaksegError(f"none of {len(samples)} training photos could be read; the first: {problems[0]}")
    folder, looked_at = out or run / "words", len(samples) - len(problems)
    title = f"{run}: {len(found)} of {len(codebook)} words are the likeliest of some pixel of {looked_at} photos"
    drawn = _drawn(found, images.classes.names, words)
    pages = draw_pages(folder, title, drawn, {sample.id: sample for sample in samples}, agreement)
    listed = [{**asdict(word), "agrees": word.agreement >= agreement, "drawn": word in drawn} for word in found]
    write_json(folder / "words.json", {"run": str(run), "k": len(codebook), "photos": looked_at, "words": listed})
    return DrawnWords(title, folder, len(pages), len(found), sum(word.agreement < agreement for word in found))


def _network(run: Run) -> tuple[VWE, Tensor]:
    """The trained network and its codebook (k, D), on the device."""
    recipe = run.read_recipe()
    weights = run.weights_path("classify")
    if "classify" not in recipe.stages or not weights.exists():
        raise WeaksegError(f"{run.folder}: no trained CAM network there; finish `weakseg run` with a classify stage")
    model = seed_method(recipe, run.read_classes().names, pretrained=False)
    if not isinstance(model, VWE) or model.words is None:
        raise WeaksegError(
            f"{run.folder}: its CAM method {recipe.classify.method} has no visual words; "
            "give a run of the recipe vwe or vwl with classify.options.words=true"
        )
    hardware = recipe.hardware
    accelerator = "cpu" if hardware.accelerator == "cpu" else "auto"  # trained on a GPU, it runs without one
    fabric = build_fabric(accelerator, hardware.precision, hardware.threads)
    model = trained(model, weights, fabric.device)
    assert model.words is not None
    codebook = model.words.codebook.detach()
    if not codebook.any():
        raise WeaksegError(f"{run.folder}: its memory bank was never filled; classify.options.warm_up must be below 1")
    return model, codebook


def _training_photos(run: Run) -> ImageSet:
    source = open_source(run.read_manifest()["data"])
    return source.image_set(run.read_recipe().data.train)


def _spread(samples: Sequence[Sample], count: int) -> list[Sample]:
    count = min(count, len(samples))
    return [samples[index * len(samples) // count] for index in range(count)]


def _readable(samples: Sequence[Sample], problems: list[str]) -> Iterator[tuple[Sample, Array]]:
    """The photos with a progress bar; one that has become unreadable is passed over and put into ``problems``."""
    for sample in track(samples, "words", len(samples)):
        try:
            image = sample.read_image()
        except WeaksegError as error:
            problems.append(str(error))
            warn(f"left out: {error}")
            continue
        yield sample, image


def _drawn(words: Sequence[Word], classes: Sequence[str], count: int) -> list[Word]:
    """The ``count`` words of the most pixels of every class, class by class, photos without tags last."""
    ordered = sorted(words, key=lambda word: -word.pixels)
    return [word for name in (*classes, "") for word in [word for word in ordered if word.class_name == name][:count]]
