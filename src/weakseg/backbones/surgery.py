"""Changes to finished convolutional networks: dilation undone, batch normalisation held still."""

from __future__ import annotations

from collections.abc import Sequence
from types import MethodType
from typing import Any, Literal, get_args

import torch
from timm.layers.norm_act import BatchNormAct2d
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from weakseg.errors import WeaksegError, one_of

BatchNormMode = Literal["frozen", "affine", "statistics", "train"]


def remove_dilation(network: nn.Module, natural: nn.Module) -> None:
    """Give every convolution of a dilated network the dilation that it has by nature, in place.

    What is left of a reduced output stride is then only the removed stride, as in IRNet's ResNet50. Sizes
    do not change: fixed padding shrinks with the dilation, and timm's Conv2dSame computes its own at every call. A
    convolution with an even kernel (ConvNeXt's patch merging) keeps its dilation where it could not be centred without.

    Args:
        network: a timm network made with an output stride.
        natural: the same network as timm makes it without one; may lie on the meta device.
    """
    for name, module in network.named_modules():
        if not isinstance(module, nn.Conv2d) or isinstance(module.padding, str):
            continue
        reference: Any = natural.get_submodule(name)
        dilation: tuple[int, ...] = reference.dilation
        scaled = [pad * new for pad, new in zip(module.padding, dilation, strict=True)]
        if all(pad % old == 0 for pad, old in zip(scaled, module.dilation, strict=True)):
            module.padding = tuple(pad // old for pad, old in zip(scaled, module.dilation, strict=True))
            module.dilation = dilation


def set_batch_norm(network: nn.Module, mode: BatchNormMode) -> None:
    """Say what of the batch normalisation is trained; call `hold_batch_norm` after every ``train()``.

    Args:
        network: any network.
        mode: "frozen": neither statistics nor weight and bias; "affine": weight and bias only; "statistics": these
            only, each batch normalised by its own; "train": all.

    Raises:
        WeaksegError: no such mode.
    """
    if mode not in get_args(BatchNormMode):
        raise one_of("batch_norm", mode, get_args(BatchNormMode))
    if mode in ("frozen", "statistics"):
        for module in _batch_norms(network):
            module.requires_grad_(False)
            if mode == "frozen":
                forget_inputs(module)


def hold_batch_norm(network: nn.Module, mode: BatchNormMode) -> None:
    """Put batch normalisation with frozen statistics back into evaluation mode."""
    if not by_batch(mode):
        for module in _batch_norms(network):
            module.eval()


def by_batch(mode: BatchNormMode) -> bool:
    """Whether a batch is normalised by its own statistics in training, which needs 2 photos."""
    return mode in ("statistics", "train")


def set_multi_grid(features: nn.Module, grid: Sequence[int]) -> None:
    """Multiply the dilation in the blocks of the last stage, in place (DeepLabV3, section 3.2.1).

    Args:
        features: a network that describes its levels as timm does, such as a ResNet.
        grid: a factor for each block.

    Raises:
        WeaksegError: the last stage has another number of blocks.
    """
    info: Any = features.feature_info
    name = info.module_name()[-1]
    parts = dict(features.named_modules())
    blocks = list(parts[name].children()) if name in parts else []
    if len(blocks) != len(grid):
        raise WeaksegError(
            f"multi_grid has {len(grid)} factors; the last stage of this backbone has {len(blocks)} blocks"
        )
    for block, factor in zip(blocks, grid, strict=True):
        for layer in block.modules():
            if isinstance(layer, nn.Conv2d) and layer.kernel_size > (1, 1) and not isinstance(layer.padding, str):
                layer.dilation = tuple(side * factor for side in layer.dilation)
                layer.padding = tuple(side * factor for side in layer.padding)


class _FixedNorm(torch.autograd.Function):
    """Batch normalisation by fixed statistics and weights, which keeps no input for the backward pass."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, norm: _BatchNorm) -> Tensor:
        """Normalise (N, C, ...) as torch does in evaluation mode."""
        assert norm.running_mean is not None
        assert norm.running_var is not None
        scale = (norm.running_var + norm.eps).rsqrt()
        ctx.save_for_backward(scale if norm.weight is None else scale * norm.weight)
        return F.batch_norm(
            features, norm.running_mean, norm.running_var, norm.weight, norm.bias, training=False, eps=norm.eps
        )

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        """Scale the gradient (N, C, ...) channel by channel."""
        (gradient,), (scale,) = gradients, ctx.saved_tensors
        return (gradient * scale.view(1, -1, *[1] * (gradient.dim() - 2))).to(gradient.dtype), None


def forget_inputs(norm: nn.Module) -> None:
    """Have a frozen batch normalisation keep nothing of its input for the backward pass, in place.

    Torch keeps the input for the gradient of a weight that is not trained: a third of what a training step holds.
    Results are the same, gradients but for rounding. Classes with a forward of their own stay as they are.
    """
    plain = type(norm).forward
    if plain not in (nn.BatchNorm1d.forward, BatchNormAct2d.forward):
        return

    def forward(self: Any, features: Tensor) -> Tensor:
        if self.training or self.running_mean is None or not (torch.is_grad_enabled() and features.requires_grad):
            return plain(self, features)  # type: ignore[no-any-return]
        found: Tensor = _FixedNorm.apply(features, self)
        return self.act(self.drop(found)) if isinstance(self, BatchNormAct2d) else found

    setattr(norm, "forward", MethodType(forward, norm))  # noqa: B010


def _batch_norms(network: nn.Module) -> list[nn.Module]:
    return [module for module in network.modules() if isinstance(module, _BatchNorm)]
