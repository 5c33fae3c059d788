"""Joint augmentation of an image and the maps that belong to it (docs/methods/cam.md)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

import numpy as np
import torch
from annotated_types import Ge, Interval, MultipleOf
from numpy.typing import NDArray
from torchvision import tv_tensors
from torchvision.transforms import v2

from weakseg.settings import Positive, PositiveInt, Unit, settings

RGB = tuple[float, float, float]


@settings
class Augmentation:
    """Random changes of a training photo."""

    crop: Annotated[int, Ge(32), MultipleOf(8)] = 448
    """Side of the square crop in pixels."""
    long_side: tuple[PositiveInt, PositiveInt] | None = None
    """Range of the longer side after resizing, drawn uniformly; null keeps it."""
    scale: tuple[Positive, Positive] | None = None
    """Range of a factor on both sides instead; null keeps them."""
    flip: Unit = 0.5
    """Probability of a horizontal flip."""
    jitter: tuple[Unit, Unit, Unit, Annotated[float, Interval(ge=0, le=0.5)]] | None = None
    """ColorJitter's brightness, contrast, saturation and hue; null for none."""
    pad: Literal["mean", "black"] = "mean"
    """What surrounds a photo smaller than the crop: "mean" (0 after normalising) or "black" (0 before normalising, as
    in AffinityNet's training)."""
    nearest: Literal["corner", "centre"] = "corner"
    """Which pixel of a mask stands for a pixel of the resized one: what lies at its "centre", as in PIL, or at its
    upper left "corner", up to half a pixel off."""

    def __post_init__(self) -> None:
        for name, interval in (("long_side", self.long_side), ("scale", self.scale)):
            if interval is not None and interval[0] > interval[1]:
                raise ValueError(f"{name} must be [low, high] with low <= high, not {list(interval)}")


class RandomResize(v2.Transform, ABC):  # type: ignore[misc]
    """Resize by a random rule; images bicubic, masks nearest.

    Attributes:
        nearest: see `Augmentation`.
    """

    nearest: Literal["corner", "centre"] = "corner"

    @abstractmethod
    def draw(self, height: int, width: int) -> float:
        """The factor of both sides."""

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Draw the target size from the inputs' common size."""
        height, width = v2.functional.get_size(flat_inputs[0])
        factor = self.draw(height, width)
        return {"size": [max(1, round(height * factor)), max(1, round(width * factor))]}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Resize one input."""
        if self.nearest == "centre" and isinstance(inpt, tv_tensors.Mask):
            return resize_mask_at_centres(inpt, params["size"])
        return self._call_kernel(
            v2.functional.resize, inpt, size=params["size"], interpolation=v2.InterpolationMode.BICUBIC
        )


def resize_mask_at_centres(mask: tv_tensors.Mask, size: Sequence[int]) -> tv_tensors.Mask:
    """A mask (..., H, W) at another size (h, w), each pixel the one that its centre falls into, as PIL does."""
    rows, columns = (_centres(wanted, side) for wanted, side in zip(size, mask.shape[-2:], strict=True))
    found: tv_tensors.Mask = tv_tensors.wrap(mask.as_subclass(torch.Tensor)[..., rows[:, None], columns], like=mask)
    return found


def _centres(wanted: int, side: int) -> torch.Tensor:
    """Which of ``side`` pixels the centres of ``wanted`` ones fall into; added up, as PIL does, which decides ties."""
    steps = np.full(wanted, side / wanted)
    steps[0] /= 2
    return torch.from_numpy(steps.cumsum().astype(np.int64).clip(max=side - 1))


class RandomLongSide(RandomResize):
    """The longer side becomes a uniform integer of a range."""

    def __init__(self, low: int, high: int) -> None:
        """Draw from ``low`` to ``high`` pixels, both included."""
        super().__init__()
        self.low, self.high = low, high

    def draw(self, height: int, width: int) -> float:
        """The factor that gives the drawn side."""
        return int(torch.randint(self.low, self.high + 1, ())) / max(height, width)


class RandomFactor(RandomResize):
    """Both sides by one uniform factor."""

    def __init__(self, low: float, high: float) -> None:
        """Draw from ``low`` to ``high``."""
        super().__init__()
        self.low, self.high = low, high

    def draw(self, height: int, width: int) -> float:
        """The factor."""
        return float(torch.empty(()).uniform_(self.low, self.high))


def random_crop(side: int, *, mask_fill: float) -> v2.RandomCrop:
    """A uniformly placed window; a smaller image lands at a uniformly drawn place of the window."""
    fill = {tv_tensors.Image: 0, tv_tensors.Mask: mask_fill}
    return v2.RandomCrop(side, pad_if_needed=True, fill=fill)


def build_transform(augmentation: Augmentation, mean: RGB, std: RGB, *, mask_fill: float = 255) -> Callable[..., Any]:
    """Compose an augmentation with normalisation.

    Args:
        augmentation: what to draw; draws come from torch's global generator.
        mean: of the network's input, RGB in [0, 1].
        std: likewise.
        mask_fill: value of the maps outside the photo (255 for labels, 0 for scores).

    Returns:
        A function of an image tensor uint8 (3, H, W) (and any number of tv_tensors.Mask) to the same with
        the image as normalised float32 (3, crop, crop).
    """
    resizing: list[RandomResize] = []
    if augmentation.long_side is not None:
        resizing.append(RandomLongSide(*augmentation.long_side))
    if augmentation.scale is not None:
        resizing.append(RandomFactor(*augmentation.scale))
    for step in resizing:
        step.nearest = augmentation.nearest
    steps: list[Any] = [v2.ToImage(), *resizing]
    if augmentation.flip:
        steps.append(v2.RandomHorizontalFlip(augmentation.flip))
    if augmentation.jitter is not None:
        brightness, contrast, saturation, hue = augmentation.jitter
        steps.append(v2.ColorJitter(brightness, contrast, saturation, hue))
    crop = random_crop(augmentation.crop, mask_fill=mask_fill)
    to_float = v2.ToDtype({tv_tensors.Image: torch.float32, "others": None}, scale=True)
    normalize = v2.Normalize(list(mean), list(std))
    steps += [crop, to_float, normalize] if augmentation.pad == "black" else [to_float, normalize, crop]
    return v2.Compose(steps)  # type: ignore[no-any-return]


def to_tensor(image: NDArray[np.uint8]) -> tv_tensors.Image:
    """uint8 (H, W, 3) to an image tensor (3, H, W)."""
    return tv_tensors.Image(torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1))
