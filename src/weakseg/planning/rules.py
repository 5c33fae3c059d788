"""Rules from a fingerprint to settings. Each choice says why.

The rules carry over what suits voc-animals with the overlay small (photos of 320 pixels, 46 steps an epoch): sizes in
proportion to the photos, trainings in steps instead of epochs. The constants of that overlay were chosen with masks.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

from weakseg.planning.fingerprint import Fingerprint, Machine
from weakseg.recipes.recipe import Recipe

MODEL = 320
"""Long side of the photos that the overlay small was made for, in pixels."""
LONGEST = 640
"""Working size above which photos are reduced, see `weakseg.recipes.schema.DataSettings`."""
EPOCH = 46
"""Steps of 16 photos that an epoch had where the recipes' epochs were chosen: a training takes as many in all."""
MOST_STEPS = 4000
"""Steps after which more photos are seen once instead of again."""
UNTAGGED = 0.2
"""Share of photos without a tag from which the background outnumbers the classes by far."""
GIB = 1 << 30
ASPP_CROP = 513
"""Side of the crops that DeepLabV3+'s atrous rates were published with."""
WITH_ASPP = ("deeplabv3plus", "deeplabv3")
"""Networks whose atrous rates and pooled features depend on crops and photos."""
TIGHT = 6 * GIB
"""Free memory below which photos are looked at and learnt from smaller and in smaller batches."""


class Choice(NamedTuple):
    """A setting of a plan.

    Attributes:
        key: of the recipe, with dots.
        value: plain.
        reason: why, in a few words.
    """

    key: str
    value: Any
    reason: str


def choices(photos: Fingerprint, machine: Machine, recipe: Recipe) -> Iterator[Choice]:
    """The settings of a recipe that depend on photos and machine; those of stages that it lacks do no harm."""
    tight = machine.memory < TIGHT and not machine.gpu
    longest = LONGEST // 2 if tight else LONGEST
    work = min(photos.long_side, longest)
    batch = 8 if tight else 16
    yield Choice("data.long_side", max(32, longest), f"nine of ten photos are below {photos.long_side} px")
    largest = 448 if machine.gpu else 256
    crop = _multiple(0.8 * work, 32, least=64, most=largest)
    why = f"{crop} of about {work} px; at most {largest} on {'a GPU' if machine.gpu else 'a CPU'}"
    yield from _crops(crop, why)
    yield from _atrous_rates(crop, recipe)
    yield from _trainings(photos, batch, recipe)
    yield from _walks(work)
    if photos.grey:
        # At 0.004 without a clip the loss on magnetic tiles rises without end, at 0.002 with one it falls steadily.
        yield Choice("classify.train.lr", 0.002, "grey photos are unlike those of the backbone: slower")
        yield Choice("classify.train.clip", 5.0, "and no step is long")
        # On magnetic tiles a dense CRF leaves 85 of 146 masks without a pixel of their tags.
        yield Choice("selftrain.views.crf", None, "no colours that a dense CRF could go by")
        yield Choice("predict.crf", None, "no colours that a dense CRF could go by")
        # On magnetic tiles the variance of pooled features is 2e-5 (1.05 on voc-animals), and the running mean lags
        # behind the weights by more: whole photos came out in one label.
        if recipe.segment.network in WITH_ASPP:
            key = f"segment.{recipe.segment.network}.pooled_epsilon"
            yield Choice(key, 1.0, "grey photos look alike as a whole")
    if photos.untagged >= UNTAGGED * photos.photos:
        # With all pixels alike the network learns to say background everywhere.
        yield Choice("segment.balance", 0.5, f"{photos.untagged} photos have no tag: rare labels count more")
        # On magnetic tiles blowholes in first masks are eight times too large; with true masks it would lose them.
        yield Choice(
            "selftrain.unbalance",
            0.5,
            "half of segment.balance is taken back: first masks of rare labels are too large",
        )
    if tight:
        free = f"{machine.memory / GIB:.1f} GiB are free"
        yield Choice("localize.scales", [1.0], f"{free}: one scale")
        yield Choice("predict.scales", [1.0], f"{free}: one scale")
        yield Choice("backbone.recompute", True, f"{free}: less is kept for the backward pass")
    workers = max(0, machine.cores - 2) if machine.gpu else 0
    beside = f"{machine.cores} cores beside a GPU" if machine.gpu else "the cores are busy with the networks"
    yield Choice("hardware.workers", min(workers, 8), beside)


def _crops(crop: int, why: str) -> Iterator[Choice]:
    """What the trainings see of a photo."""
    yield Choice("classify.augment.crop", crop, why)
    sides = [max(16, round(crop * 0.875)), round(crop * 1.5)]
    yield Choice("classify.augment.long_side", sides, "objects larger and smaller than in the photos")
    # Affinity maps need at least one pixel with all its partners: 72 at stride 8 and radius 5, 76 at 4 and 10.
    related = max(96, crop)
    for name in ("affinitynet", "irnet"):
        yield Choice(f"relate.{name}.augment.crop", related, why if related == crop else "the least that pairs need")
    yield Choice(
        "relate.irnet.canvas", "photo", "photos fill most of these crops, so no more is padded after the training"
    )
    yield Choice("selftrain.augment.crop", crop, why)
    yield Choice("segment.augment.crop", crop, why)


def _atrous_rates(crop: int, recipe: Recipe) -> Iterator[Choice]:
    """Rates of ASPP that reach as large a part of a crop as the paper's do."""
    network = recipe.segment.network
    if network not in WITH_ASPP:
        return
    stride = (recipe.segment.backbone or recipe.backbone).output_stride
    # At the paper's rates the outer taps see nothing in a crop of 256, and noise in a whole photo of 320.
    rates = [max(1, round(rate * 16 / stride * crop / ASPP_CROP)) for rate in (6, 12, 18)]
    yield Choice(
        f"segment.{network}.atrous_rates", rates, f"6, 12 and 18 at stride 16 are made for crops of {ASPP_CROP}"
    )


def _trainings(photos: Fingerprint, batch: int, recipe: Recipe) -> Iterator[Choice]:
    """Epochs in place of steps."""
    schedules = {"classify": recipe.classify.train}
    schedules |= {f"relate.{name}": recipe.relate.of(name).train for name in ("affinitynet", "irnet")}
    schedules |= {"selftrain": recipe.selftrain.train, "segment": recipe.segment.train}
    for key, schedule in schedules.items():
        size = min(batch, schedule.batch_size, max(2, photos.photos))
        per_epoch = max(1, photos.photos // size)
        least = schedule.epochs * EPOCH * 16 // schedule.batch_size
        wanted = max(schedule.epochs, math.ceil(least / per_epoch))
        epochs = max(1, min(wanted, MOST_STEPS // per_epoch))
        why = f"{epochs * per_epoch} steps of {size} photos; at least {least} where photos are few"
        yield Choice(f"{key}.train.batch_size", size, "what the memory holds")
        yield Choice(f"{key}.train.epochs", epochs, why)


def _walks(work: int) -> Iterator[Choice]:
    """Steps of the walks: what they reach grows with the square root, so it stays a share of the photo."""
    moved = 2 * math.log2(work / MODEL)
    for key, base in (("refine.walk", 6), ("refine.boundary_walk", 8)):
        steps = min(10, max(3, round(base + moved)))
        yield Choice(f"{key}.log2_steps", steps, f"2^{base} at {MODEL} px; about {work} px here")


def _multiple(value: float, of: int, *, least: int, most: int) -> int:
    return int(min(most, max(least, of * round(value / of))))
