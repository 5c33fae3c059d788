"""IRNet: confident labels of every photo, then boundaries and displacements learned from them (SPEC 3)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from weakseg.data.classmaps import ClassMaps
from weakseg.data.examples import LabelledExamples
from weakseg.data.images import read_mask, write_mask
from weakseg.data.sample import Array, Sample
from weakseg.methods.irnet.labels import ir_label
from weakseg.methods.irnet.network import IRNet
from weakseg.ops.densecrf.crf import PRESETS, dense_crf, unary_from_labels
from weakseg.ops.views import photo_tensor
from weakseg.pipeline.mapped import for_each_photo
from weakseg.pipeline.networks import boundary_network, trained
from weakseg.pipeline.stage import Context
from weakseg.pipeline.training import keep, train
from weakseg.refine.background import add_background
from weakseg.training.checkpoint import save_weights
from weakseg.training.progress import track


def relate(context: Context) -> dict[str, Any]:
    """Train the network of the recipe's section ``relate.irnet``; gives the summary of the training."""
    section, classes = context.recipe.relate.irnet, context.train.classes
    model = boundary_network(context.recipe, pretrained=True)
    if context.recipe.relate.checkpoint is not None:
        return keep(context, "relate", model)
    _write_labels(context)
    examples = LabelledExamples(
        context.train,
        lambda sample, _: classes.to_labels(read_mask(_label_path(context, sample))),
        section.augment.build(),
        model.mean,
        model.std,
    )
    summary = train(context, "relate", model, examples, section.train.build())
    return summary | {"mean_shift": _calibrate(context, model)}


def _write_labels(context: Context) -> None:
    """What is certainly a class or background in every photo, once, before the training (SPEC 3, "IR label")."""
    section, classes, device = context.recipe.relate.irnet, context.train.classes, context.fabric.device

    def refine(image: Tensor, labels: Tensor, n_labels: int) -> Tensor:
        if section.crf is None:
            return labels
        unary = unary_from_labels(labels.to(device), n_labels, section.certainty)
        return dense_crf(image, unary, PRESETS[section.crf]).argmax(dim=0).cpu()

    def work(sample: Sample, image: Array, maps: ClassMaps) -> None:
        strict, lenient = add_background(maps, section.foreground), add_background(maps, section.background)
        labels = ir_label(torch.from_numpy(image), strict.scores, lenient.scores, strict.classes[1:], refine)
        write_mask(_label_path(context, sample), classes.to_values(labels.numpy()), classes.palette)

    for_each_photo(context, work, lambda sample: _label_path(context, sample), "relate: confident labels")


def _calibrate(context: Context, model: IRNet) -> list[float]:
    """Set the network's mean displacement over all training photos; the weights on disk are replaced in one step."""
    weights, device = context.folder("relate") / "weights.safetensors", context.fabric.device
    model = trained(model, weights, device)

    def photos() -> Iterator[Tensor]:
        samples = context.train.samples
        for sample in track(samples, "relate: mean displacement", len(samples)):
            yield photo_tensor(torch.from_numpy(sample.read_image())).to(device)

    model.calibrate(photos())
    save_weights(weights, model)
    return [float(value) for value in model.mean_shift]


def _label_path(context: Context, sample: Sample) -> Path:
    return context.file("relate", "labels", sample, ".png")
