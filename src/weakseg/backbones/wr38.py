"""WideResNet-38, which timm does not have (Wu, Shen and van den Hengel 2016; "resnet38d")."""

from __future__ import annotations

from typing import Any, NamedTuple

from timm.models import FeatureInfo
from torch import Tensor, nn
from torch.nn import functional as F


class Layout(NamedTuple):
    """Of the convolutions of a block.

    Attributes:
        widths: channels before, between and after them.
        kernels: their sizes.
        dilations: theirs.
        stride: of the first.
        dropout: probability of dropping a channel before each but the first, in training.
    """

    widths: tuple[int, ...]
    kernels: tuple[int, ...] = (3, 3)
    dilations: tuple[int, ...] = (1, 1)
    stride: int = 1
    dropout: float = 0.0


LAYOUTS = {
    "b2": Layout((64, 128, 128), stride=2),
    **dict.fromkeys(("b2_1", "b2_2"), Layout((128, 128, 128))),
    "b3": Layout((128, 256, 256), stride=2),
    **dict.fromkeys(("b3_1", "b3_2"), Layout((256, 256, 256))),
    "b4": Layout((256, 512, 512), stride=2),
    **dict.fromkeys(("b4_1", "b4_2", "b4_3", "b4_4", "b4_5"), Layout((512, 512, 512))),
    "b5": Layout((512, 512, 1024), dilations=(1, 2)),
    **dict.fromkeys(("b5_1", "b5_2"), Layout((1024, 512, 1024), dilations=(2, 2))),
    "b6": Layout((1024, 512, 1024, 2048), (1, 3, 1), (1, 4, 1), dropout=0.3),
    "b7": Layout((2048, 1024, 2048, 4096), (1, 3, 1), (1, 4, 1), dropout=0.5),
}
BRANCHES = ("branch2a", "branch2b1", "branch2b2")
LEVELS = {"b3": (128, 2), "b4": (256, 4), "b5": (512, 8), "b6": (1024, 8), "bn7": (4096, 8)}
"""Channels and stride of the levels, each the rectified input of a block or of nothing more."""


class Block(nn.Module):
    """Pre-activation residual block; its shortcut is a 1x1 convolution where channels or size change."""

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        widths, self.dropout = layout.widths, layout.dropout
        self.branches = BRANCHES[: len(layout.kernels)]
        strides = (layout.stride, 1, 1)
        for index, (branch, kernel, dilation) in enumerate(
            zip(self.branches, layout.kernels, layout.dilations, strict=True)
        ):
            self.add_module(f"bn_{branch}", nn.BatchNorm2d(widths[index]))
            options: dict[str, Any] = {"padding": kernel // 2 * dilation, "dilation": dilation, "bias": False}
            convolution = nn.Conv2d(widths[index], widths[index + 1], kernel, strides[index], **options)
            self.add_module(f"conv_{branch}", convolution)
        self.conv_branch1 = None
        if layout.stride > 1 or widths[0] != widths[-1]:
            self.conv_branch1 = nn.Conv2d(widths[0], widths[-1], 1, layout.stride, bias=False)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Features (N, C, h, w) -> the block's output and its input after batch normalisation and rectification."""
        activated = F.relu(self.get_submodule("bn_branch2a")(features))
        shortcut = features if self.conv_branch1 is None else self.conv_branch1(activated)
        output: Tensor = self.get_submodule("conv_branch2a")(activated)
        for branch in self.branches[1:]:
            output = F.relu(self.get_submodule(f"bn_{branch}")(output))
            output = self.get_submodule(f"conv_{branch}")(F.dropout2d(output, self.dropout, self.training))
        return shortcut + output, activated


class WR38(nn.Module):
    """The network of AffinityNet, SEAM and CPN: 38 layers, output stride 8, 4096 channels, no classifier.

    Its tensors are called as in the authors' checkpoints. They started from ImageNet weights in MXNet's format
    (ilsvrc-cls_rna-a1_cls1000_ep-0001.params), which is not read here: MXNet is no longer made.

    Attributes:
        feature_info: its levels as timm describes them; the last three are the taps conv4, conv5 and conv6 of the
            papers, and what the first depends on is what the authors froze.
        pretrained_cfg: how its input is normalised, as timm describes it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1a = nn.Conv2d(3, 64, 3, padding=1, bias=False)
        for name, layout in LAYOUTS.items():
            self.add_module(name, Block(layout))
        self.bn7 = nn.BatchNorm2d(4096)
        self.feature_info = FeatureInfo(
            [{"num_chs": channels, "reduction": stride, "module": name} for name, (channels, stride) in LEVELS.items()],
            tuple(range(len(LEVELS))),
        )
        self.pretrained_cfg = {
            "architecture": "wr38",
            "input_size": (3, 448, 448),
            "mean": (0.485, 0.456, 0.406),
            "std": (0.229, 0.224, 0.225),
        }

    def forward(self, images: Tensor) -> list[Tensor]:
        """Normalised images (N, 3, H, W) -> the levels, finest first."""
        features: Tensor = self.conv1a(images)
        levels: list[Tensor] = []
        for name in LAYOUTS:
            features, activated = self.get_submodule(name)(features)
            if name in LEVELS:
                levels.append(activated)
        return [*levels, F.relu(self.bn7(features))]
