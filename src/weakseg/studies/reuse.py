"""Stages that a run takes over from another run instead of computing them again.

Two stages with one key (`weakseg.pipeline.stage.stage_keys`) have equal outputs. They are taken over by hard links,
which cost no space: every file of a stage is written beside its place and renamed (`weakseg.files.replacing`), never in
place, so that no run can change what another one holds, and a file lives as long as one of them has it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from weakseg.data.source import Source
from weakseg.files import TEMPORARY, write_json
from weakseg.pipeline.bindings import ALL
from weakseg.pipeline.outlook import prepare
from weakseg.pipeline.rundir.run import RECORD, Run
from weakseg.pipeline.stage import stage_keys
from weakseg.recipes.recipe import Recipe
from weakseg.training.progress import say

INPUTS = "inputs.*.json"
OWN = ("evaluate",)
"""Stages that write outside their folder; they are quick and every run does them."""


def expected_keys(recipe: Recipe, source: Source, run: Run) -> dict[str, str]:
    """The keys that the stages of a run would have now."""
    context, _ = prepare(recipe, source, run, fabric=None)
    return stage_keys(context, [ALL[name] for name in recipe.stages])


def take_inputs(run: Run, siblings: Iterable[Run]) -> None:
    """Take over which photos are readable: each list says itself what it was made from."""
    for sibling in siblings:
        for path in sibling.folder.glob(INPUTS):
            if not (run.folder / path.name).exists():
                run.folder.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, run.folder / path.name)


def take_stages(run: Run, keys: Mapping[str, str], siblings: Iterable[Run]) -> list[str]:
    """Take over every stage that a sibling has finished with the key that it would have here.

    The record keeps the time and memory of the run that computed it, and names that run as ``reused_from``.

    Args:
        run: held by nobody else.
        keys: of its stages, in order.
        siblings: runs that may have done the same.

    Returns:
        The stages taken over.
    """
    siblings, taken = list(siblings), []
    with run.locked():
        for stage, key in keys.items():
            if stage in OWN or run.is_done(stage, key):
                continue
            sibling = next((other for other in siblings if other.is_done(stage, key)), None)
            if sibling is not None and _take(run, sibling, stage):
                say(f"{stage}: the same as in {sibling.folder}, taken over", "dim")
                taken.append(stage)
    return taken


def _take(run: Run, sibling: Run, stage: str) -> bool:
    record, target = sibling.record(stage), run.stage_folder(stage)
    origin = {"reused_from": str(sibling.folder)}
    # As in Run.begin: without its record a half-made folder counts as nothing.
    (target / RECORD).unlink(missing_ok=True)
    if target.exists():
        shutil.rmtree(target)
    try:
        left = shutil.ignore_patterns(RECORD, f".*{TEMPORARY}")
        shutil.copytree(sibling.stage_folder(stage), target, copy_function=_link, ignore=left)
    except (OSError, shutil.Error):  # the sibling is being removed: then compute it here
        shutil.rmtree(target, ignore_errors=True)
        return False
    run.log.rewind(stage, 0)
    for row in sibling.log.rows():
        if row["stage"] == stage:
            run.log.write(**row)
    write_json(target / RECORD, origin | record)  # a record that was taken over itself names the first run
    return True


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copy2(source, target)


def runs_in(folder: Path) -> list[Run]:
    """All runs of an ablation's folder."""
    return [Run(path) for path in sorted(folder.glob("*/seed*")) if path.is_dir()]
