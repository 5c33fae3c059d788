"""Optimiser and learning-rate schedule shared by all published systems."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from annotated_types import Ge, Lt
from torch import nn
from torch.optim import SGD, Optimizer

from weakseg.settings import Count, NonNegative, Positive, PositiveInt, settings


@settings
class Schedule:
    """How long and how fast to train: SGD with a polynomial decay."""

    epochs: PositiveInt = 5
    """Passes over the data."""
    batch_size: PositiveInt = 16
    """Photos a step, over all devices; an incomplete last batch of an epoch is dropped."""
    lr: Positive = 0.1
    """Initial rate of pretrained parameters."""
    new_lr_factor: Positive = 10.0
    """Times ``lr`` for parameters that do not come from pretraining."""
    weight_decay: NonNegative = 5e-4
    """L2 penalty."""
    momentum: Annotated[float, Ge(0), Lt(1)] = 5e-4
    """Of SGD. The authors' optimiser hands the weight decay over in its place, in effect none."""
    power: NonNegative = 0.9
    """Of the polynomial decay of the rate, (1 - step / steps)^power."""
    lr_every: PositiveInt = 1
    """Steps that pass between two changes of the rate; DeepLabV2's code has 10."""
    lr_beyond: Count = 0
    """Steps that the decay is laid out for beyond those that are done; DeepLabV1's code has 1."""
    clip: Positive | None = None
    """Largest gradient norm; null for no clipping."""
    double_bias: bool = False
    """Biases of convolutions at twice the rate and without decay (AffinityNet)."""


def poly_factor(step: int, total: int, power: float = 0.9) -> float:
    """Polynomial decay factor of step 0-based ``step``: (1 - step/total)^power.

    The factor stays at that of the last step when ``step`` goes past the end.
    """
    return float((1 - min(step, total - 1) / total) ** power)


def set_lr(optimizer: Optimizer, step: int, total: int, schedule: Schedule) -> None:
    """Set every group's rate to its ``initial_lr`` times the poly factor, before the update of ``step``."""
    factor = poly_factor(step - step % schedule.lr_every, total + schedule.lr_beyond, schedule.power)
    for group in optimizer.param_groups:
        group["lr"] = group["initial_lr"] * factor


def param_groups(
    model: nn.Module,
    new: Iterable[nn.Parameter],
    *,
    lr: float,
    new_lr_factor: float = 10.0,
    weight_decay: float = 0.0,
    double_bias: bool = False,
) -> list[dict[str, Any]]:
    """Split the trainable parameters into groups with their own rate.

    Args:
        model: the network; parameters with requires_grad False are left out.
        new: its parameters that learn ``new_lr_factor`` times faster, as a rule those not from pretraining.
        lr: rate of the pretrained parameters.
        new_lr_factor: 10 in all published systems.
        weight_decay: L2 penalty of every group (but of biases when ``double_bias``).
        double_bias: AffinityNet's rule: biases of convolutions and group norms learn twice as fast, without decay.

    Returns:
        Non-empty groups with keys params, lr, initial_lr, weight_decay.
    """
    fresh = {id(parameter) for parameter in new}
    layers = (module for module in model.modules() if isinstance(module, (nn.Conv2d, nn.GroupNorm)))
    biases = {id(layer.bias) for layer in layers if layer.bias is not None}
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for parameter in model.parameters():
        if not parameter.requires_grad:
            continue
        rate, decay = lr * (new_lr_factor if id(parameter) in fresh else 1.0), weight_decay
        if double_bias and id(parameter) in biases:
            rate, decay = 2 * rate, 0.0
        groups.setdefault((rate, decay), []).append(parameter)
    return [
        {"params": params, "lr": rate, "initial_lr": rate, "weight_decay": decay}
        for (rate, decay), params in groups.items()
    ]


def build_sgd(groups: list[dict[str, Any]], *, momentum: float) -> SGD:
    """SGD over ``param_groups``.

    The authors' shared optimiser passes the weight decay in the place of the momentum, so the published numbers
    come from momentum = weight decay, in effect none; the recipes say so where they set it.
    """
    return SGD(groups, lr=0.0, momentum=momentum)
