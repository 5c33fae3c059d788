"""The authors' checkpoints, loaded into the networks of this package by the names of their tensors.

What fits where, with ``build = weakseg.backbones.backbone.build_backbone``, and for ResNets
``output_stride=16, dilation=False``, for the others ``output_stride=8``:

=========================  ==========================================================
checkpoint                 network
=========================  ==========================================================
psa resnet38_cls           ``PlainCam(build("wr38", ...), 20)``
psa vgg16_cls              ``PlainCam(build("vgg16_20m", ...), 20)``
psa (SEAM) resnet38_aff    ``AffinityNet(build("wr38", ...))``
psa vgg16_aff              ``AffinityNet(build("vgg16_20m_d4", ...), group_norm=True)``
irn resnet50_cam           ``PlainCam(build("resnet50", ...), 20)``
irn resnet50_irn           ``IRNet(build("resnet50", ...))``
SEAM, CPN                  ``Seam(build("wr38", ...), 20)``, ``Cpn(...)``
SIPE, AE-SIPE              ``Sipe(build("resnet50", ...), 20)``, ``AeSipe(...)``
VWE, VWL-L                 ``VWE(build("resnet50", ...), 20)``, with resnet101 for VWL-L
seamv1 (DeepLabV1)         ``DeepLabV1(build("wr38", ...), 21, ...)``
deeplab-pytorch V2, V3     ``DeepLabV2(build("resnet101_caffe", ...), 21, ...)``, DeepLabV3 with multi_grid 1, 2, 4
=========================  ==========================================================

A network class says in ``RELEASED`` which tensors are which. The classes are VOC's in VOC's order. The images that the
ResNets want are normalised as timm's ``tv_in1k`` weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from weakseg.backbones.weights import put_state, read_state
from weakseg.errors import WeaksegError

# The beginnings of names there and here; the longest that fits counts. WR38 and VGG16 stand at the root there.
OWN_BACKBONE = "backbone.features."
BACKBONES = dict.fromkeys(("", "resnet50.", "resnet101.", "resnet."), OWN_BACKBONE)
# What is stored once more under another name.
ALIASES = ("stage", "backbone.", "newly_added.", "edge_layers.", "dp_layers.", "mean_shift.")


def load_checkpoint(model: nn.Module, path: Path) -> None:
    """Load a trained network, of a run or of the authors' code, in place.

    Args:
        model: any for a run's ``weights.safetensors``; for the authors' as the table above says. The number of classes
            must be the checkpoint's. Tensors of parts that the network has not are left out, and the log says which.
        path: a .pth, .pt or .safetensors file of the whole network's ``state_dict()``.

    Raises:
        WeaksegError: the file cannot be read, is of another network, or the authors have no such network.
    """
    state, own = {key.removeprefix("module."): value for key, value in read_state(path).items()}, model.state_dict()
    if any(key.startswith(OWN_BACKBONE) for key in state) or set(state) == set(own):
        put_state(model, {key: state[key] for key in state if key in own}, str(path), state.keys() - own.keys())
    else:
        put_released(model, state, str(path))


def put_released(model: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Load the tensors of a checkpoint of the authors' code into a network, in place.

    Args:
        model: as the table above says.
        state: tensors by the authors' names.
        source: what to call them in an error.

    Raises:
        WeaksegError: the network is none of those, or the tensors are of another.
    """
    heads: Mapping[str, str] | None = getattr(model, "RELEASED", None)
    if heads is None:
        kind = type(model).__name__
        raise WeaksegError(f"{source}: no released checkpoint is of a {kind}; see weakseg.methods.released")
    own = model.state_dict()
    found, left_out = {}, []
    for key, value in state.items():
        name = _name(key.removeprefix("module."), heads)
        if name in own:
            # Codebooks are stored as 1x1 convolutions.
            found[name] = value.flatten(1) if own[name].dim() == 2 else value
        elif name:
            left_out.append(key)
    put_state(model, found, source, left_out)


def _name(key: str, heads: Mapping[str, str]) -> str:
    """The name here of a tensor there; "" for one that is stored under another name too."""
    if key.startswith(ALIASES) and not key.startswith(tuple(heads)):
        return ""
    table = {**BACKBONES, **heads}
    begin = max((begin for begin in table if key.startswith(begin)), key=len)
    return table[begin] + key.removeprefix(begin)
