"""ResNet as first published (He, Zhang, Ren and Sun, CVPR 2016) and as DeepLabV2's Caffe weights want it.

timm's ResNets halve the size in a block's 3x3 convolution and pool without a margin at the end; these do it in the
first 1x1 convolution, and pool with ``ceil_mode``.
"""

from __future__ import annotations

from collections import OrderedDict

from timm.models import FeatureInfo
from torch import Tensor, nn
from torch.nn import functional as F

WIDTHS = (256, 512, 1024, 2048)
"""Channels of the stages layer2 to layer5."""
STRIDES = {8: ((1, 2, 1, 1), (1, 1, 2, 4)), 16: ((1, 2, 2, 1), (1, 1, 1, 2)), 32: ((1, 2, 2, 2), (1, 1, 1, 1))}
"""Strides and dilations of the stages by output stride."""


def _convolution(channels: int, width: int, kernel: int, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    """A convolution and its batch normalisation."""
    padding = kernel // 2 * dilation
    convolution = nn.Conv2d(channels, width, kernel, stride, padding, dilation, bias=False)
    return nn.Sequential(OrderedDict(conv=convolution, bn=nn.BatchNorm2d(width)))


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolution; the first has the stride."""

    def __init__(self, channels: int, width: int, stride: int, dilation: int) -> None:
        super().__init__()
        inner = width // 4
        self.reduce = _convolution(channels, inner, 1, stride)
        self.conv3x3 = _convolution(inner, inner, 3, dilation=dilation)
        self.increase = _convolution(inner, width, 1)
        self.shortcut = _convolution(channels, width, 1, stride) if channels != width else nn.Identity()

    def forward(self, features: Tensor) -> Tensor:
        """(N, channels, h, w) -> (N, width, ⌈h / stride⌉, ⌈w / stride⌉)."""
        found = F.relu(self.conv3x3(F.relu(self.reduce(features))))
        return F.relu(self.increase(found) + self.shortcut(features))


class CaffeResNet(nn.Module):
    """ResNet in Caffe's form, no classifier. Its tensors are called as in deeplab-pytorch (kazuto1011).

    It wants BGR from 0 to 255 minus a mean: ``pretrained_cfg`` says so for RGB in [0, 1], and the order of the channels
    is turned inside. With ``ceil_mode`` levels from stride 4 on have a row or column more where a side is even at
    stride 2; a side of 8n + 1 pixels has n + 1 at stride 8.

    Args:
        blocks: in each of the four stages.
        output_stride: of the last level; dilation makes up for removed strides.

    Attributes:
        feature_info: its levels as timm describes them.
        pretrained_cfg: how its input is normalised, as timm describes it.
    """

    def __init__(self, blocks: tuple[int, int, int, int], output_stride: int = 32) -> None:
        super().__init__()
        if output_stride not in STRIDES:
            raise ValueError(f"output_stride {output_stride}")
        self.layer1 = nn.Sequential(OrderedDict(conv1=_convolution(3, 64, 7, 2)))
        channels, reduction, info = 64, 4, [{"num_chs": 64, "reduction": 2, "module": "layer1"}]
        plan = zip(blocks, WIDTHS, *STRIDES[output_stride], strict=True)
        for stage, (count, width, stride, dilation) in enumerate(plan, start=2):
            layers = OrderedDict[str, nn.Module]()
            for index in range(count):
                first = index == 0
                layers[f"block{index + 1}"] = Bottleneck(
                    channels if first else width, width, stride if first else 1, dilation
                )
            self.add_module(f"layer{stage}", nn.Sequential(layers))
            channels, reduction = width, reduction * stride
            info.append({"num_chs": width, "reduction": reduction, "module": f"layer{stage}"})
        self.feature_info = FeatureInfo(info, tuple(range(len(info))))
        self.pretrained_cfg = {
            "architecture": "resnet_caffe",
            "input_size": (3, 321, 321),
            "mean": (122.675 / 255, 116.669 / 255, 104.008 / 255),
            "std": (1 / 255, 1 / 255, 1 / 255),
        }

    def forward(self, images: Tensor) -> list[Tensor]:
        """Normalised images (N, 3, H, W), RGB -> the levels, finest first."""
        levels = [F.relu(self.layer1(images.flip(1)))]
        features = F.max_pool2d(levels[0], 3, 2, 1, ceil_mode=True)
        for stage in range(2, 6):
            features = self.get_submodule(f"layer{stage}")(features)
            levels.append(features)
        return levels
