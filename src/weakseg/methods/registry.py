"""The methods by name: those of this package, and what other packages add as entry points `weakseg.methods`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from weakseg.backbones.backbone import Backbone
from weakseg.errors import WeaksegError
from weakseg.methods.base import AffinityMethod, CamMethod, SeedMethod
from weakseg.registry import Kind, Registry

GROUP = "weakseg.methods"


class _Methods(Registry[Kind]):
    """The methods of one kind; an entry point counts where its class is of that kind."""

    def __init__(self, kind: str, base: type, own: Mapping[str, str]) -> None:
        super().__init__(kind, GROUP, own)
        self._base = base

    def names(self) -> list[str]:
        """All names, those of the package first."""
        return [name for name in super().names() if name in self._own or self._fits(name)]

    def _fits(self, name: str) -> bool:
        """Whether an entry point is of this kind; one that cannot be loaded is of none until it is asked for."""
        try:
            found: Any = self.get(name)
        except WeaksegError:
            return False
        return isinstance(found, type) and issubclass(found, self._base)


SEEDS: Registry[type[SeedMethod]] = _Methods(
    "seed method",
    SeedMethod,
    {
        "cam": "weakseg.methods.cam.cam:PlainCam",
        "seam": "weakseg.methods.seam.seam:Seam",
        "vwe": "weakseg.methods.vwe.vwe:VWE",
        "cpn": "weakseg.methods.cpn.cpn:Cpn",
        "sipe": "weakseg.methods.sipe.sipe:Sipe",
        "ae-sipe": "weakseg.methods.sipe.ae_sipe:AeSipe",
    },
)
"""Seed methods: subclasses of `SeedMethod`."""

AFFINITIES: Registry[type[AffinityMethod]] = _Methods(
    "affinity method",
    AffinityMethod,
    {
        "affinitynet": "weakseg.methods.affinitynet.method:AffinityNetMethod",
        "irnet": "weakseg.methods.irnet.method:IRNetMethod",
    },
)
"""Affinity methods: subclasses of `AffinityMethod`."""


def build_cam(method: str, backbone: Backbone, n_classes: int, **options: Any) -> CamMethod:
    """Build a CAM method by name.

    Args:
        method: a name of ``SEEDS`` that is trained on tags.
        backbone: see `weakseg.backbones.backbone.build_backbone`.
        n_classes: number of foreground classes.
        options: fields of the method's settings.

    Raises:
        WeaksegError: no such method, or one that is not trained.
        ValueError: the method has no such option, or not that value of it.
    """
    kind = SEEDS.get(method)
    if not issubclass(kind, CamMethod):
        raise WeaksegError(f"{method} is not trained on tags; available: {', '.join(SEEDS.names())}")
    names = [f"class {index}" for index in range(n_classes)]
    return kind.build(names, kind.Settings(**options), lambda: backbone)
