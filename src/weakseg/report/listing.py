"""What the commands print: recipes, scores, finished runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.padding import Padding
from rich.syntax import Syntax
from rich.table import Table

from weakseg.data.source import open_source
from weakseg.data.truth import check_truth, survey
from weakseg.errors import WeaksegError, one_of
from weakseg.evaluation.scoring import score_masks
from weakseg.pipeline.doubts import doubts, drawn_line
from weakseg.pipeline.execute import left_out
from weakseg.pipeline.newphotos.finding import mask_reader
from weakseg.pipeline.rundir.run import REPORT, Run
from weakseg.recipes.loading import load_recipe, overlay_files, recipe_files
from weakseg.recipes.recipe import Recipe
from weakseg.report.table import class_table, run_table
from weakseg.settings import field_help

out = Console(markup=False, emoji=False)  # file names may hold brackets and colons


def list_recipes() -> None:
    """Print the names of recipes and overlays with what they are."""
    for title, files in (("recipes", recipe_files()), ("overlays (--with)", overlay_files())):
        table = Table(title=title, box=None, title_justify="left", show_header=False)
        for name, file in files.items():
            tree = yaml.safe_load(file.read_text(encoding="utf-8"))
            table.add_row(name, tree.get("description", _first_comment(file.read_text(encoding="utf-8"))))
        out.print(table)


def print_recipe(name: str) -> None:
    """Print a recipe or overlay as it is shipped, or a file of one."""
    files: dict[str, Any] = {**recipe_files(), **overlay_files()}
    if name.endswith((".yaml", ".yml")) and Path(name).is_file():
        files[name] = Path(name)
    if name not in files:
        raise one_of("recipe or overlay", name, files)
    text = files[name].read_text(encoding="utf-8")
    if out.is_terminal:
        out.print(Syntax(text, "yaml", background_color="default"))
    else:
        print(text, end="")


def print_settings(name: str, overlays: Sequence[str] = (), overrides: Sequence[str] = ()) -> None:
    """Print every setting of a recipe: key, value, and what it is; ready to be changed and given to `run`."""
    recipe = load_recipe(name, overlays, overrides)
    for key, value, text in recipe_settings(recipe):
        out.print(f"{key}={value}", style="bold", highlight=False, soft_wrap=True)
        out.print(Padding(text, (0, 0, 0, 4)), highlight=False)


def recipe_settings(recipe: Recipe) -> Iterator[tuple[str, str, str]]:
    """Key, value and meaning of every setting that a recipe can have."""
    for name, field in type(recipe).model_fields.items():
        value = getattr(recipe, name)
        if is_dataclass(value):
            yield from _section(name, value)
        else:
            yield name, written(value), field.description or ""


def _section(key: str, section: Any) -> Iterator[tuple[str, str, str]]:
    texts = field_help(type(section))
    for field in fields(section):
        value = getattr(section, field.name)
        if is_dataclass(value):
            yield from _section(f"{key}.{field.name}", value)
        else:
            yield f"{key}.{field.name}", written(value), texts[field.name]


def written(value: Any) -> str:
    """A value as YAML and overrides write it."""
    listed = list(value) if isinstance(value, tuple) else value
    return yaml.safe_dump(listed, default_flow_style=True, width=1000).splitlines()[0]


def evaluate_folder(folder: Path, spec: str, split: str) -> None:
    """Score ``folder/ID.png`` against the ground truth of a split and print IoU per class."""
    if not folder.is_dir():
        raise WeaksegError(f"{folder}: no such folder; give the folder that holds the mask PNGs")
    source = open_source(spec)
    images = source.image_set(split, masks=True)
    told = check_truth(survey(images.samples, images.classes), images.classes, source.classes_file)
    read, names = mask_reader(folder, images)
    for line in [*told, *names]:
        out.print(line, style="yellow", highlight=False, soft_wrap=True)
    scored = score_masks(images, read, "evaluate")
    for line in scored.problems:
        out.print(f"left out: {line}", style="yellow", highlight=False, soft_wrap=True)
    if not scored.images:
        reason = scored.problems[0] if scored.problems else f"the split {split} has no ground-truth masks"
        raise WeaksegError(f"{folder}: nothing could be scored ({reason})")
    out.print(class_table(scored.figures["scores"], f"{folder} on {spec}, {split}: {scored.images} images"))


def print_run(folder: Path) -> None:
    """Print the table of a finished run and where its pictures are."""
    run = Run(folder)
    manifest = run.read_manifest()
    out.print(run_table(manifest))
    if manifest["masks_used"]["for_training"]:
        out.print("trained on true masks: an upper bound, not weakly supervised", style="yellow")
    by_hand = drawn_line(manifest)
    if by_hand is not None:
        out.print(by_hand, style="yellow", highlight=False, soft_wrap=True)
    for text in doubts(run.read_recipe(), manifest):
        out.print(text, style="yellow", highlight=False, soft_wrap=True)
    problems = left_out(run)
    if problems:
        out.print(f"{len(problems)} files missing or left out, by name in {run.manifest_path}", style="yellow")
    evaluated = "evaluate" in run.read_recipe().stages  # other pictures are of an earlier recipe
    drawn = sorted((folder / "pictures").glob("*.png")) if evaluated else []
    if drawn:
        out.print(f"pictures: {', '.join(map(str, drawn))}", soft_wrap=True)
    if (folder / REPORT).is_file():
        out.print(f"report: {folder / REPORT}", soft_wrap=True)
    out.print(f"masks, maps, weights and manifest: {folder}", soft_wrap=True)


def _first_comment(text: str) -> str:
    line = text.splitlines()[0] if text else ""
    return line.removeprefix("#").strip() if line.startswith("#") else ""
