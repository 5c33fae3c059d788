"""VGG16 in the form that AffinityNet uses (Simonyan and Zisserman 2015; DeepLab-LargeFOV "20M")."""

from __future__ import annotations

from timm.models import FeatureInfo
from torch import Tensor, nn
from torch.nn import functional as F

# Per stage: convolutions, channels, dilation, stride of the pooling after it.
STAGES = ((2, 64, 1, 2), (2, 128, 1, 2), (3, 256, 1, 2), (3, 512, 1, 1), (3, 512, 2, None))
LEVELS = {"conv2_2": (128, 2), "conv3_3": (256, 4), "conv4_3": (512, 8), "conv5_3": (512, 8), "fc7": (1024, 8)}
"""Channels and stride of the levels, each a rectified convolution."""


class VGG16(nn.Module):
    """VGG16 of output stride 8 with 1024 channels at the end, no classifier.

    Its tensors are called as in the authors' checkpoints. They started from Caffe's vgg16_20M weights, which is why
    it wants BGR from 0 to 255 minus a mean: ``pretrained_cfg`` says so for RGB in [0, 1], and the order of the channels
    is turned inside.

    Args:
        fc6_dilation: of the 3x3 convolution fc6; the released CAM network has 1, the affinity network 4,
            DeepLab-LargeFOV 12.

    Attributes:
        feature_info: its levels as timm describes them; the last three are the taps conv4, conv5 and conv5fc of
            docs/methods/cam.md, and what the first depends on is what the authors froze.
        pretrained_cfg: how its input is normalised, as timm describes it.
    """

    def __init__(self, fc6_dilation: int = 1) -> None:
        super().__init__()
        channels = 3
        for stage, (count, width, dilation, _) in enumerate(STAGES, start=1):
            for index in range(1, count + 1):
                convolution = nn.Conv2d(channels, width, 3, padding=dilation, dilation=dilation)
                self.add_module(f"conv{stage}_{index}", convolution)
                channels = width
        self.fc6 = nn.Conv2d(channels, 1024, 3, padding=fc6_dilation, dilation=fc6_dilation)
        self.fc7 = nn.Conv2d(1024, 1024, 1)
        self.feature_info = FeatureInfo(
            [{"num_chs": width, "reduction": stride, "module": name} for name, (width, stride) in LEVELS.items()],
            tuple(range(len(LEVELS))),
        )
        self.pretrained_cfg = {
            "architecture": "vgg16_20m",
            "input_size": (3, 448, 448),
            "mean": (122.675 / 255, 116.669 / 255, 104.008 / 255),
            "std": (1 / 255, 1 / 255, 1 / 255),
        }

    def forward(self, images: Tensor) -> list[Tensor]:
        """Normalised images (N, 3, H, W), RGB -> the levels, finest first."""
        features, levels = images.flip(1), []
        for stage, (count, _, _, pooling) in enumerate(STAGES, start=1):
            for index in range(1, count + 1):
                features = F.relu(self.get_submodule(f"conv{stage}_{index}")(features))
            if stage > 1:
                levels.append(features)
            if pooling is not None:
                features = F.max_pool2d(features, 3, pooling, 1)
        features = F.dropout2d(F.relu(self.fc6(features)), 0.5, self.training)
        return [*levels, F.relu(self.fc7(features))]
