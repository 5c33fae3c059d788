"""Changes to finished convolutional networks: dilation undone, batch normalisation held still."""

from __future__ import annotations

from typing import Any, Literal, get_args

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from weakseg.errors import one_of

BatchNormMode = Literal["frozen", "affine", "train"]


def remove_dilation(network: nn.Module, natural: nn.Module) -> None:
    """Give every convolution of a dilated network the dilation that it has by nature, in place.

    What is left of a reduced output stride is then only the removed stride, as in IRNet's ResNet50 (SPEC 0.6). Sizes
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
    """Say what of the batch normalisation is trained (SPEC 0.5); call `hold_batch_norm` after every ``train()``.

    Args:
        network: any network.
        mode: "frozen": neither statistics nor weight and bias; "affine": weight and bias only; "train": all.

    Raises:
        WeaksegError: no such mode.
    """
    if mode not in get_args(BatchNormMode):
        raise one_of("batch_norm", mode, get_args(BatchNormMode))
    if mode == "frozen":
        for module in _batch_norms(network):
            module.requires_grad_(False)


def hold_batch_norm(network: nn.Module, mode: BatchNormMode) -> None:
    """Put batch normalisation with frozen statistics back into evaluation mode."""
    if mode != "train":
        for module in _batch_norms(network):
            module.eval()


def _batch_norms(network: nn.Module) -> list[nn.Module]:
    return [module for module in network.modules() if isinstance(module, _BatchNorm)]
