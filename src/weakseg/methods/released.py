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
=========================  ==========================================================

Their classes are VOC's in VOC's order. The images that the ResNets want are normalised as timm's ``tv_in1k`` weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from weakseg.backbones.weights import put_state, read_state
from weakseg.errors import one_of
from weakseg.methods.affinitynet.network import AffinityNet
from weakseg.methods.cam.cam import PlainCam
from weakseg.methods.irnet.network import IRNet
from weakseg.methods.seam.pcm import ContextCam
from weakseg.methods.sipe.sipe import Sipe
from weakseg.methods.vwe.vwe import VWE

# The beginnings of names there and here; the longest that fits counts. WR38 and VGG16 stand at the root there.
OWN_BACKBONE = "backbone.features."
BACKBONES = dict.fromkeys(("", "resnet50.", "resnet101.", "resnet."), OWN_BACKBONE)
# What is stored once more under another name.
ALIASES = ("stage", "backbone.", "newly_added.", "edge_layers.", "dp_layers.", "mean_shift.")
HEADS: dict[type[nn.Module], dict[str, str]] = {
    PlainCam: {"fc8.": "classifier.", "classifier.": "classifier."},
    ContextCam: {
        "fc8.": "classifier.",
        "f8_3.": "context.reduce.0.",
        "f8_4.": "context.reduce.1.",
        "f9.": "context.pixels.",
        "f10.": "context.regions.",
    },
    Sipe: {"classifier.": "classifier.", **{f"side{n + 1}.": f"hierarchy.sides.{n}." for n in range(4)}},
    VWE: {
        "classifier.": "classifier.",
        "fc_a.": "words.head.",
        "fc_b.": "words_of_features.",
        "VWE.centroid": "words.codebook",
    },
    AffinityNet: {
        **{f"f8_{n + 3}.": f"head.reduce.{n}." for n in range(3)},
        **{f"gn8_{n + 3}.": f"head.norms.{n}." for n in range(3)},
        "f9.": "head.join.",
    },
    IRNet: {
        **{f"fc_edge{n + 1}.": f"edge.reduce.{n}." for n in range(5)},
        "fc_edge6.": "edge.join.",
        **{f"fc_dp{n + 1}.": f"displacement.reduce.{n}." for n in range(5)},
        "fc_dp6.": "displacement.join_coarse.",
        "fc_dp7.": "displacement.join.",
        "fc_dp7.3.": "displacement.point.",
        "fc_dp7.4.running_mean": "mean_shift",
    },
}


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
    if any(key.startswith(OWN_BACKBONE) for key in state):
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
    heads = next((table for kind, table in HEADS.items() if isinstance(model, kind)), None)
    if heads is None:
        raise one_of("network of a released checkpoint", type(model).__name__, (kind.__name__ for kind in HEADS))
    own = model.state_dict()
    found, left_out = {}, []
    for key, value in state.items():
        name = _name(key.removeprefix("module."), BACKBONES | heads)
        if name in own:
            # Codebooks are stored as 1x1 convolutions.
            found[name] = value.flatten(1) if own[name].dim() == 2 else value
        elif name:
            left_out.append(key)
    put_state(model, found, source, left_out)


def _name(key: str, table: Mapping[str, str]) -> str:
    """The name here of a tensor there; "" for one that is stored under another name too."""
    if key.startswith(ALIASES):
        return ""
    begin = max((begin for begin in table if key.startswith(begin)), key=len)
    return table[begin] + key.removeprefix(begin)
