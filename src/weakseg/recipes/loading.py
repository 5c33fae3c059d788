"""Recipes and overlays: reading YAML, merging, overriding, validating."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, cast

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import ValidationError
from yaml import YAMLError

from weakseg.errors import WeaksegError, one_of
from weakseg.methods.registry import AFFINITIES, SEEDS
from weakseg.recipes.moved import check_moved, with_new_keys
from weakseg.recipes.recipe import Recipe, recipe_kind
from weakseg.recipes.shipped import overlay_files, recipe_files
from weakseg.refine.registry import REFINEMENTS
from weakseg.registry import Registry
from weakseg.segmentation.networks import SEGMENTATION_NETWORKS
from weakseg.settings import mistake

Tree = dict[str, Any]

ONLY = "only"
"""The key of an overlay that holds what is meant for single recipes."""


def _open(kind: str, name: str, shipped: dict[str, Traversable]) -> Traversable | Path:
    if name in shipped:
        return shipped[name]
    if name.endswith((".yaml", ".yml")):
        path = Path(name)
        if not path.is_file():
            raise WeaksegError(f"{path}: no such {kind} file; available by name: {', '.join(shipped)}")
        return path
    raise one_of(kind, name, shipped)


def _read(kind: str, name: str, shipped: dict[str, Traversable]) -> Tree:
    file = _open(kind, name, shipped)
    try:
        tree = OmegaConf.to_container(OmegaConf.create(file.read_text(encoding="utf-8")), resolve=True)
    except (YAMLError, OmegaConfBaseException, UnicodeDecodeError, AssertionError) as error:
        raise WeaksegError(f"{file}: not a readable YAML file ({_reason(error)})") from error
    if not isinstance(tree, dict):
        raise WeaksegError(f"{file}: a {kind} is a tree of keys; see `weakseg recipes cam`")
    return {str(key): value for key, value in tree.items()}


def _merged(*trees: Tree) -> Tree:
    """Trees laid over each other, the last one on top; lists are replaced as a whole.

    Raises:
        WeaksegError: a list stands where a section of keys belongs, or the other way round; naming the key.
    """
    for number, change in enumerate(trees[1:], start=1):
        for below in trees[:number]:
            _check_kinds(below, change)
    try:
        tree = OmegaConf.to_container(OmegaConf.merge(*trees), resolve=True)
    except (OmegaConfBaseException, TypeError, ValueError, AssertionError) as error:
        raise WeaksegError(f"these settings cannot be laid over each other ({_first_line(error)})") from error
    assert isinstance(tree, dict)
    return {str(key): value for key, value in tree.items()}


def _check_kinds(below: Tree, above: Tree, path: str = "") -> None:
    for key, value in above.items():
        old, place = below.get(key), f"{path}{key}"
        if isinstance(old, dict) and isinstance(value, dict):
            _check_kinds(old, value, f"{place}.")
        elif (isinstance(old, dict) and isinstance(value, list)) or (isinstance(old, list) and isinstance(value, dict)):
            wanted = "a section of keys" if isinstance(old, dict) else "a list"
            raise WeaksegError(f"{place}: must be {wanted}, not {value!r}")


def _overlay(name: str, recipe: str) -> Tree:
    """An overlay as it is for one recipe."""
    tree = _read("overlay", name, overlay_files())
    only = tree.pop(ONLY, {})
    if not isinstance(only, dict) or not all(isinstance(part, dict) for part in only.values()):
        raise WeaksegError(f"{name}: {ONLY} holds one tree of keys per recipe, as {ONLY}: {{cam: {{seed: 3}}}}")
    known = dict.fromkeys([*recipe_files(), recipe])
    for other in only:
        if other not in known:
            raise WeaksegError(f"{name}: {ONLY}.{other}: {one_of('recipe', other, known)}")
    return _merged(tree, only.get(recipe, {}))


def _override(text: str) -> Tree:
    key, equals, _ = text.partition("=")
    if not equals or not key.strip():
        raise WeaksegError(f"{text!r}: an override is key.path=value, as seed=3 or localize.background.threshold=0.25")
    try:
        tree = OmegaConf.to_container(OmegaConf.from_dotlist([text]), resolve=True)
    except (YAMLError, OmegaConfBaseException, TypeError, ValueError, AssertionError) as error:
        raise WeaksegError(f"{text!r}: not a readable value ({_first_line(error)})") from error
    assert isinstance(tree, dict)
    return {str(name): value for name, value in tree.items()}


def load_recipe(name: str, overlays: Sequence[str] = (), overrides: Sequence[str] = ()) -> Recipe:
    """Build a recipe.

    Args:
        name: of a shipped recipe, or a YAML file.
        overlays: names of shipped overlays or YAML files, laid over the recipe in order. What one has under
            ``only: {RECIPE: ...}`` is laid over the recipe of that name after the rest of it.
        overrides: ``key.path=value`` texts, applied last.

    Raises:
        WeaksegError: for an unknown name or key, or a value out of range; the message names the key.
    """
    for what, given in (("overlays", overlays), ("overrides", overrides)):
        if isinstance(given, str) or not all(isinstance(text, str) for text in given):
            raise WeaksegError(f'{what}: give a list of texts, as ["small"] or ["seed=3"], not {given!r}')
    if not isinstance(name, str):
        raise WeaksegError(f"a recipe is given by its name or the path of a YAML file, a text, not {name!r}")
    tree = _read("recipe", name, recipe_files())
    own_name = str(tree.get("name", name))
    changes = [_overlay(overlay, own_name) for overlay in overlays] + [_override(text) for text in overrides]
    return validate(_merged(tree, *changes))


def validate(tree: Tree) -> Recipe:
    """Check a tree of plain values. Raises WeaksegError naming the first wrong key."""
    check_moved(tree)
    tree = _with_backbones(tree)
    kind = _kind(tree)
    stages, refine = tree.get("stages"), tree.get("refine") or {}
    if isinstance(stages, list) and "relate" not in stages and isinstance(refine, dict) and "steps" not in refine:
        tree = tree | {"refine": {**refine, "steps": ["background"]}}  # the default walk needs a network to walk by
    try:
        return kind.model_validate(tree)
    except ValidationError as error:
        raise WeaksegError(_told(error, kind)) from error


def validate_stored(tree: Tree) -> Recipe:
    """The recipe of a finished run, which may have keys of before and settings of methods that are not here any more.

    Settings of a method that the run did not use are passed over. Raises WeaksegError as `validate`.
    """
    tree = with_new_keys(tree)
    kind = _kind(tree)
    for section in ("relate", "refine", "segment"):
        own, declared = tree.get(section), cast(Any, kind.model_fields[section].annotation)
        if isinstance(own, dict):
            names = {field.name for field in fields(declared)}
            kept = {name: value for name, value in own.items() if name in names or not isinstance(value, dict)}
            tree = tree | {section: kept}
    return validate(tree)


def _with_backbones(tree: Tree) -> Tree:
    """A tree whose stages' own backbones take from the recipe's what they do not say."""
    common = tree.get("backbone")
    for stage in ("relate", "segment"):
        section = tree.get(stage)
        own = section.get("backbone") if isinstance(section, dict) else None
        if isinstance(section, dict) and isinstance(own, dict) and isinstance(common, dict):
            tree = tree | {stage: {**section, "backbone": {**common, **own}}}
    return tree


def _kind(tree: Tree) -> type[Recipe]:
    """The class of recipes that a tree is of, by its seed method; names of methods are checked."""
    section = tree.get("classify")
    seed = section.get("method", "cam") if isinstance(section, dict) else "cam"
    related = tree.get("relate")
    chosen = related.get("method", "affinitynet") if isinstance(related, dict) else "affinitynet"
    segmented = tree.get("segment")
    network = segmented.get("network", "deeplabv3plus") if isinstance(segmented, dict) else "deeplabv3plus"
    refined = tree.get("refine")
    steps = refined.get("steps", ()) if isinstance(refined, dict) else ()
    names: list[tuple[str, Registry[Any], Any]] = [
        ("classify.method", SEEDS, seed),
        ("relate.method", AFFINITIES, chosen),
        ("segment.network", SEGMENTATION_NETWORKS, network),
    ]
    names += [("refine.steps", REFINEMENTS, step) for step in (steps if isinstance(steps, (list, tuple)) else ())]
    for key, registry, name in names:
        try:
            registry.get(str(name))
        except WeaksegError as error:
            raise WeaksegError(f"{key}: {error}") from error
    return recipe_kind(str(seed))


def _told(error: ValidationError, kind: type[Recipe]) -> str:
    text = mistake(error, kind)
    return text if error.errors()[0]["loc"] else f"recipe: {text}"


def _reason(error: Exception) -> str:
    """What is wrong in a YAML file, and in which line."""
    problem, mark = getattr(error, "problem", None), getattr(error, "problem_mark", None)
    if problem is None or mark is None:
        return _first_line(error) if str(error).strip() else "a number or text in place of keys"
    return f"line {mark.line + 1}: {problem}"


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
