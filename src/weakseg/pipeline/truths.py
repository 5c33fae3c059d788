"""The check of a run's ground truth before anything is trained, done once for given files."""

from __future__ import annotations

from typing import Any

from weakseg.data.sample import Sample, Source
from weakseg.data.truth import check_truth, survey
from weakseg.files import read_json, write_json
from weakseg.pipeline.inputs import mask_fingerprint
from weakseg.pipeline.rundir.run import Run, digest
from weakseg.recipes.recipe import Recipe
from weakseg.training.progress import bar

CACHE = "inputs.truth.json"


def truth_warnings(recipe: Recipe, source: Source, run: Run, *, keep: bool = True) -> list[str]:
    """What does not fit in the masks that a run is going to score with, one line each; its masks are read once.

    Args:
        recipe: names the lists and whether they are scored.
        source: the photos with their masks.
        run: keeps the verdict.
        keep: False to write nothing there.

    Raises:
        WeaksegError: the masks can score nothing; see ``weakseg.data.truth.check_truth``.
    """
    if "evaluate" not in recipe.stages and not recipe.uses_true_masks:
        return []
    splits = [recipe.data.scored, recipe.data.val, *([recipe.data.train] if recipe.uses_true_masks else [])]
    images = [
        source.image_set(split, masks=True) for split in dict.fromkeys(splits) if len(source.splits.get(split, ()))
    ]
    key = digest([[mask_fingerprint(each) for each in images], source.classes.names, source.classes.values])
    verdict: dict[str, Any] | None = read_json(run.folder / CACHE)
    if verdict is None or verdict.get("key") != key:
        samples: dict[str, Sample] = {}
        for each in images:
            samples |= {sample.id: sample for sample in each.samples if sample.mask is not None}
        with bar("read masks", len(samples)) as running:
            truth = survey(list(samples.values()), source.classes, progress=running.advance)
        lines = check_truth(truth, source.classes, source.classes_file)
        verdict = {"key": key, "lines": lines}
        if keep:
            write_json(run.folder / CACHE, verdict)
    return list(verdict["lines"])
