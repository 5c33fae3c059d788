"""The trained network as an ONNX file that needs nothing of weakseg, and its model card."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from weakseg import __version__
from weakseg.data.sample import Classes
from weakseg.errors import WeaksegError
from weakseg.exporters.base import Exported, Exporter, ExportJob
from weakseg.exporters.formats.card import model_card
from weakseg.exporters.formats.deployed import Deployed
from weakseg.exporters.lists import CLASSES, write_classes
from weakseg.files import replacing
from weakseg.pipeline.networks import backbone_of, segmentation_network, segmentation_weights
from weakseg.pipeline.rundir.run import Run
from weakseg.recipes.recipe import Recipe
from weakseg.training.checkpoint import trained

FILE, CARD = "network.onnx", "MODEL_CARD.md"
OPSET = 18
_EXAMPLE = (2, 70, 90)
_CHECKED = ((1, 64, 64), (2, 33, 47), (1, 100, 130))
"""Batch and sizes at which the file must answer as torch does."""
_TOLERANCE, _SAME_LABELS = 1e-3, 0.999


class Onnx(Exporter):
    """``network.onnx`` for photos of any size and number, ``classes.txt`` and ``MODEL_CARD.md``.

    Input ``images``, uint8 (N, H, W, 3); outputs ``probabilities``, float32 (N, C + 1, H, W), and ``labels``, uint8
    (N, H, W). Normalisation, padding and the mean with the mirrored photo are in the graph; metadata_props tell the
    classes, their mask values and colours, and the size to which a photo is to be reduced first.
    """

    about: ClassVar[str] = "the trained network as ONNX, with a model card"
    modules: ClassVar[tuple[str, ...]] = ("onnx", "onnxruntime")
    extra: ClassVar[str] = "onnx"

    def __call__(self, job: ExportJob) -> Exported:
        """Write `FILE`, checked against torch, and `CARD`; see `Exporter`."""
        given = [name for name in ("what", "photos", "url", "reviews") if getattr(job, name) is not None]
        if given:
            raise WeaksegError(f"--{given[0]}: is for masks; an export to onnx is of the network")
        run = Run(job.folder)
        recipe, manifest = run.read_recipe(), run.read_manifest()
        weights, classes = segmentation_weights(run, recipe), run.read_classes()
        network = segmentation_network(recipe, len(classes), pretrained=False)
        trained(network, weights, torch.device("cpu")).to(memory_format=torch.contiguous_format)
        scale = min(recipe.predict.scales, key=lambda factor: abs(factor - 1))
        deployed = Deployed(network, flip=recipe.predict.flip)
        expected = _answers(deployed)
        about = _metadata(recipe, classes, scale, manifest)
        with replacing(job.out / FILE) as temporary:
            _write(deployed, temporary, about)
            difference, same = _compare(temporary, expected)
        if difference > _TOLERANCE or same < _SAME_LABELS:
            raise WeaksegError(
                f"{job.folder}: the network {recipe.segment.network} on {backbone_of(recipe, 'segment').name} gives "
                f"other results as ONNX (probabilities differ by {difference:.2g}); use it by weakseg.load_segmenter"
            )
        write_classes(job.out / CLASSES, classes)
        notes = _differences(recipe, scale)
        with replacing(job.out / CARD) as temporary:
            temporary.write_text(model_card(manifest, classes, about, notes), encoding="utf-8")
        counts = {"labels": len(classes) + 1, "parameters": sum(value.numel() for value in network.parameters())}
        checked = (
            f"onnxruntime answers as torch does at {len(_CHECKED)} sizes: to {difference:.1g}, {same:.2%} of labels"
        )
        return Exported(counts, (FILE, CLASSES, CARD), (checked, *notes))


def _metadata(recipe: Recipe, classes: Classes, scale: float, manifest: dict[str, Any]) -> dict[str, str]:
    """What the graph cannot tell, for ``metadata_props``; values are JSON."""
    colours = [classes.palette[value] for value in (0, *classes.values)]
    about = {
        "names": ["background", *classes.names],
        "values": [0, *classes.values],
        "colours": colours,
        "long_side": recipe.data.long_side,
        "scale": scale,
        "levels": manifest.get("levels"),
        "flip": recipe.predict.flip,
        "weakseg": __version__,
        "recipe": recipe.name,
        "resize": "reduce a photo whose longer side is over long_side to it, multiply both sides by scale, bicubic; "
        "enlarge labels (nearest) or probabilities (bilinear) to the photo's size",
    }
    return {name: json.dumps(value) for name, value in about.items()}


def _write(deployed: Deployed, path: Path, about: dict[str, str]) -> None:
    """Trace the network and write it with its metadata.

    torch has two exporters. The one by tracing takes a second; the one by torch.export (dynamo) was measured with
    torch 2.14 at nine minutes for the default network, as it keeps a formula of the size for every layer. So this takes
    the first, which torch calls deprecated.
    """
    import onnx

    axes = {"images": {0: "batch", 1: "height", 2: "width"}, "labels": {0: "batch", 1: "height", 2: "width"}}
    axes["probabilities"] = {0: "batch", 2: "height", 3: "width"}
    try:
        with warnings.catch_warnings(), torch.inference_mode(False), torch.no_grad():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                deployed,
                (torch.zeros(*_EXAMPLE, 3, dtype=torch.uint8),),
                str(path),
                input_names=["images"],
                output_names=["probabilities", "labels"],
                dynamic_axes=axes,
                opset_version=OPSET,
                dynamo=False,
            )
        model = onnx.load(str(path))
        for name, value in about.items():
            model.metadata_props.add(key=name, value=value)
        onnx.checker.check_model(model)
        onnx.save(model, str(path))
    except WeaksegError:
        raise
    except Exception as error:  # exporters raise nearly anything for what they do not know
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise WeaksegError(f"this network cannot be written as ONNX ({reason}); use weakseg.load_segmenter") from error


def _photos() -> list[np.ndarray[Any, np.dtype[np.uint8]]]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in _CHECKED]


@torch.no_grad()
def _answers(deployed: Deployed) -> list[tuple[Any, Any]]:
    """What torch says of the checked photos."""
    found = [deployed(torch.from_numpy(photos)) for photos in _photos()]
    return [(probabilities.numpy(), labels.numpy()) for probabilities, labels in found]


def _compare(path: Path, expected: Sequence[tuple[Any, Any]]) -> tuple[float, float]:
    """The largest difference of a probability, and the smallest share of equal labels."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    difference, same = 0.0, 1.0
    for photos, (probabilities, labels) in zip(_photos(), expected, strict=True):
        try:
            found, found_labels = session.run(None, {"images": photos})
        except Exception as error:  # onnxruntime has exceptions of its own for what it cannot run
            raise WeaksegError(f"onnxruntime cannot run this network ({str(error).splitlines()[0]})") from error
        if found.shape != probabilities.shape:
            return float("inf"), 0.0
        difference = max(difference, float(np.abs(found - probabilities).max()))
        same = min(same, float((found_labels == labels).mean()))
    return difference, same


def _differences(recipe: Recipe, scale: float) -> tuple[str, ...]:
    """How `weakseg predict` looks at photos in another way than the file."""
    section, lines = recipe.predict, []
    if len(section.scales) > 1:
        scales = ", ".join(f"{factor:g}" for factor in section.scales)
        lines.append(f"weakseg predict takes the mean over the scales {scales}; the file looks at {scale:g} alone")
    if section.crf is not None:
        lines.append(f"weakseg predict refines by the dense CRF {section.crf}, which is not in the file")
    return tuple(lines)
