"""The model card: what a network was made of, how good it is, and what it must not be used for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from weakseg.data.sample import Classes
from weakseg.pipeline.doubts import drawn_line
from weakseg.pipeline.pretraining import pretraining_lines


def model_card(
    manifest: Mapping[str, Any], classes: Classes, about: Mapping[str, str], notes: Sequence[str] = ()
) -> str:
    """A model card in Markdown, of what the run's manifest holds and nothing else.

    Args:
        manifest: of the run.
        classes: of the network.
        about: the file's metadata_props.
        notes: how the file differs from ``weakseg predict``.
    """
    sections = {
        f"{manifest['recipe']}: a segmentation network from image-level tags": _summary(manifest, about),
        "Classes": _classes(classes),
        "Use": _use(about, notes),
        "Data and supervision": _data(manifest),
        "Scores": _scores(manifest),
        "Training": _training(manifest),
        "Limits": _limits(manifest),
    }
    marks = ["#", *["##"] * (len(sections) - 1)]
    parts = [
        f"{mark} {title}\n\n" + "\n".join(lines) for mark, (title, lines) in zip(marks, sections.items(), strict=True)
    ]
    return "\n\n".join(parts) + "\n"


def _summary(manifest: Mapping[str, Any], about: Mapping[str, str]) -> list[str]:
    methods = "; ".join(f"{stage}: {', '.join(names)}" for stage, names in manifest.get("methods", {}).items())
    return [
        f"Made by weakseg {manifest['weakseg']}, recipe `{manifest['recipe']}`, seed {manifest['seed']}.",
        f"Methods: {methods}.",
        f"Labels: {len(json.loads(about['names']))}, with background. Finished: {manifest.get('finished') or 'no'}.",
    ]


def _classes(classes: Classes) -> list[str]:
    rows = [f"| {label} | {name} | {value} |" for label, (name, value) in enumerate(_pairs(classes))]
    return ["| label | class | value in mask files |", "|---|---|---|", *rows]


def _pairs(classes: Classes) -> list[tuple[str, int]]:
    return [("background", 0), *zip(classes.names, classes.values, strict=True)]


def _use(about: Mapping[str, str], notes: Sequence[str]) -> list[str]:
    long_side, scale = json.loads(about["long_side"]), json.loads(about["scale"])
    size = "at its own size" if long_side is None else f"reduced to {long_side} pixels where its longer side is longer"
    lines = [
        f"- A photo is looked at {size}, times {scale:g}; the file's metadata say so as `long_side` and `scale`.",
        "- Input `images`: uint8 (N, H, W, 3), RGB, upright. Outputs: `probabilities` (N, labels, H, W) and `labels`.",
        f"- The mirrored photo counts too: {'yes' if json.loads(about['flip']) else 'no'}.",
    ]
    levels = json.loads(about["levels"])
    if levels:
        lines.append(f"- Grey of more than 8 bits: {levels[0]:g} is black and {levels[1]:g} white, as in training.")
    return lines + [f"- {note[0].upper()}{note[1:]}." for note in notes]


def _data(manifest: Mapping[str, Any]) -> list[str]:
    used = manifest.get("masks_used", {})
    tags = "tags of whole images" if used.get("drawn") else "tags of whole images alone, no masks"
    taken = {what: folder for what, folder in manifest.get("taken", {}).items() if folder}
    if taken:
        given = " and ".join(f"{what} of `{folder}`" for what, folder in taken.items())
        tags = f"tags of whole images, and what another code has made: {given} (what that has seen is not known here)"
    truth = "ground-truth masks" if used.get("for_training") else tags
    choosing = used.get("for_choosing", "unknown")
    lines = [f"- Source: `{manifest['data']}`."]
    lines += [f"- List {name}: {entry['images']} photos." for name, entry in manifest.get("lists", {}).items() if entry]
    drawn = drawn_line(dict(manifest))
    lines.append(f"- Supervision: {truth}." if drawn is None else f"- Supervision: {truth}, and reviews: {drawn}.")
    lines.append(f"- What masks were used to choose: {choosing}.")
    lines += [f"- More supervision: {line}." for line in pretraining_lines(dict(manifest))]
    left_out = manifest.get("left_out") or []
    if left_out:
        lines.append(f"- Left out, as they could not be read: {len(left_out)} photos.")
    return lines + [f"- Warning of the data: {warning}." for warning in manifest.get("warnings") or []]


def _scores(manifest: Mapping[str, Any]) -> list[str]:
    """IoU by class of the network's predictions; nothing where there is no ground truth."""
    found = (manifest.get("metrics") or {}).get("predict")
    if not found or "scores" not in found:
        return ["Not measured: the run had no validation photos with ground truth."]
    scores = found["scores"]
    rows = [f"| {name} | {_percent(value)} |" for name, value in scores.get("iou", {}).items()]
    return [
        f"On {found['images']} photos of the list {found['split']}, against their true masks, by `weakseg evaluate`'s "
        "measure:",
        "",
        "| class | IoU in % |",
        "|---|---|",
        *rows,
        f"| mean over the classes present | {_percent(scores.get('miou_present'))} |",
    ]


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f}"


def _training(manifest: Mapping[str, Any]) -> list[str]:
    machine = manifest.get("machine", {})
    stages = manifest.get("stages", {})
    seconds = sum(stage.get("seconds", 0) for stage in stages.values())
    lines = [
        f"- Time: {seconds:.0f} s over {len(stages)} stages on {machine.get('name', 'unknown')} "
        f"({machine.get('device', '?')}, {machine.get('threads', '?')} threads), "
        f"{_day(manifest.get('started'))}; most memory: {manifest.get('peak_memory_mib', '?')} MiB.",
        f"- Seed: {manifest['seed']}.",
    ]
    for stage, entry in manifest.get("weights", {}).items():
        origin = ", ".join(f"{key} {value}" for key, value in (entry.get("origin") or {}).items())
        lines.append(f"- Weights that {stage} started from: {origin or 'unknown'}.")
    libraries = manifest.get("libraries", {})
    return [*lines, "- Libraries: " + ", ".join(f"{name} {version}" for name, version in libraries.items()) + "."]


def _day(text: str | None) -> str:
    return datetime.fromisoformat(text).date().isoformat() if text else "date unknown"


def _limits(manifest: Mapping[str, Any]) -> list[str]:
    lines = [
        "- It knows the classes above and nothing else: what is of no class is background, or taken for one that "
        "looks alike.",
        "- It has learnt from photos like those of the source; on others (camera, place, season, size) its masks are "
        "to be checked first.",
    ]
    if not manifest.get("masks_used", {}).get("for_training"):
        lines.append(
            "- Masks learnt from tags follow what tells a class apart. What always comes with a class (water with "
            "boats, rails with trains) may be counted to it, and parts that all classes share may be missed."
        )
    if not (manifest.get("metrics") or {}).get("predict"):
        lines.append("- Nobody has measured it: label some photos and run `weakseg evaluate` before relying on it.")
    return lines
