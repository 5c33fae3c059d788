"""Views of a photo for multi-scale, flipped inference (docs/methods/cam.md)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor
from torchvision.transforms import v2


def scaled_size(size: tuple[int, int], factor: float) -> tuple[int, int]:
    """Both sides times ``factor``, rounded half to even as all released code does, at least 1.

    Example:
        >>> scaled_size((375, 500), 1.5)
        (562, 750)
    """
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def scaled_view(image: Tensor, factor: float, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Resize a photo (bicubic, antialiased) and normalise it.

    Args:
        image: uint8 (3, H, W), RGB.
        factor: of both sides.
        mean: RGB mean on [0, 1].
        std: RGB standard deviation on [0, 1].

    Returns:
        float32 (3, h, w).
    """
    return normalised(resized(image, scaled_size((image.shape[-2], image.shape[-1]), factor)), mean, std)


def resized(image: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize a photo, uint8 (3, H, W), to (3, h, w), bicubic and antialiased; itself where it has the size."""
    if size == tuple(image.shape[-2:]):
        return image
    found: Tensor = v2.functional.resize(image, list(size), interpolation=v2.InterpolationMode.BICUBIC, antialias=True)
    return found


def normalised(image: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """What a network takes of RGB, uint8 (3, H, W): float32, minus ``mean``, over ``std``, both on [0, 1]."""
    shift = image.new_tensor(mean, dtype=torch.float32).view(3, 1, 1)
    scale = image.new_tensor(std, dtype=torch.float32).view(3, 1, 1)
    return (image.float() / 255 - shift) / scale


def with_flip(view: Tensor) -> Tensor:
    """Stack a view (3, h, w) and its horizontal flip: (2, 3, h, w), channels last in memory."""
    return torch.stack([view, view.flip(-1)]).contiguous(memory_format=torch.channels_last)


def photo_views(
    photo: Tensor, scales: Iterable[float], mean: Sequence[float], std: Sequence[float], *, flip: bool
) -> Iterator[Tensor]:
    """What a network looks at: a photo at several scales, with its mirror image if asked.

    Args:
        photo: uint8 (3, H, W), RGB.
        scales: factors of its size.
        mean: RGB mean on [0, 1].
        std: RGB standard deviation on [0, 1].
        flip: also the mirrored photo.

    Yields:
        per scale (2, 3, h, w), the view and its mirror image, or (1, 3, h, w).
    """
    for factor in scales:
        view = scaled_view(photo, factor, mean, std)
        yield with_flip(view) if flip else view[None]


def photo_tensor(image: Tensor) -> Tensor:
    """uint8 (H, W, 3) to (3, H, W)."""
    return image.permute(2, 0, 1).contiguous()
