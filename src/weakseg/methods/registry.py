"""CAM methods: one file each, built by name."""

from __future__ import annotations

from collections.abc import Callable
from inspect import Parameter, signature
from typing import Any

from weakseg.backbones.backbone import Backbone
from weakseg.errors import one_of
from weakseg.methods.base import CamMethod
from weakseg.methods.cam.cam import PlainCam
from weakseg.methods.cpn.cpn import Cpn
from weakseg.methods.seam.seam import Seam
from weakseg.methods.sipe.ae_sipe import AeSipe
from weakseg.methods.sipe.sipe import Sipe
from weakseg.methods.vwe.vwe import VWE

CAM_METHODS: dict[str, type[CamMethod]] = {
    "cam": PlainCam,
    "seam": Seam,
    "vwe": VWE,
    "cpn": Cpn,
    "sipe": Sipe,
    "ae-sipe": AeSipe,
}


def build_cam(method: str, backbone: Backbone, n_classes: int, **options: Any) -> CamMethod:
    """Build a CAM method by name.

    Args:
        method: a key of ``CAM_METHODS``.
        backbone: see `weakseg.backbones.backbone.build_backbone`.
        n_classes: number of foreground classes.
        options: keyword arguments of the method's class.

    Raises:
        WeaksegError: no such method, or the method has no such option.
    """
    if method not in CAM_METHODS:
        raise one_of("CAM method", method, CAM_METHODS)
    known = option_names(method)
    for name in options:
        if name not in known:
            raise one_of(f"option of {method}", name, known)
    build: Callable[..., CamMethod] = CAM_METHODS[method]
    return build(backbone, n_classes, **options)


def option_names(method: str) -> list[str]:
    """The options of a CAM method, its own first, then those that it hands on to its base (``**common``)."""
    names: dict[str, None] = {}
    for maker in (vars(kind)["__init__"] for kind in CAM_METHODS[method].__mro__ if "__init__" in vars(kind)):
        _, _, _, *options = signature(maker).parameters.values()  # self, backbone, number of classes
        names |= {option.name: None for option in options if option.kind is not Parameter.VAR_KEYWORD}
        if not any(option.kind is Parameter.VAR_KEYWORD for option in options):
            break
    return list(names)


__all__ = ["CAM_METHODS", "VWE", "AeSipe", "CamMethod", "Cpn", "PlainCam", "Seam", "Sipe", "build_cam"]
