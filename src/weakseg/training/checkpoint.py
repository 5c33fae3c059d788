"""Weights and training states on disk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from weakseg.errors import WeaksegError
from weakseg.files import replacing

Network = TypeVar("Network", bound=nn.Module)
Weights = dict[str, Tensor]


def save_weights(path: Path, model: nn.Module) -> None:
    """Write a network's state as safetensors, in one step."""
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    with replacing(path) as temporary:
        save_file(state, temporary)


def read_weights(path: Path) -> Weights:
    """Read the file of a network's state, without a network. Raises WeaksegError if it is missing or broken."""
    with naming_weights(path):
        return load_file(path)


def load_weights(path: Path, model: nn.Module) -> None:
    """Read a network's state. Raises WeaksegError if the file is missing, broken or of another network."""
    with naming_weights(path):
        model.load_state_dict(load_file(path))


@contextmanager
def naming_weights(path: Path) -> Iterator[None]:
    """Turn what goes wrong with weights into one line that names their file."""
    try:
        yield
    except (OSError, SafetensorError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise WeaksegError(
            f"{path}: cannot load the weights ({reason}); delete its folder to have them made again"
        ) from error


def trained(model: Network, weights: Path | Weights, device: torch.device) -> Network:
    """Load a trained state and make the network ready for inference on ``device``.

    Raises:
        WeaksegError: as `load_weights`, where the weights are a file.
        RuntimeError: they are no file, and of another network; see `naming_weights`.
    """
    if isinstance(weights, Path):
        load_weights(weights, model)
    else:
        model.load_state_dict(weights)
    model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model.eval()


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Write a training state (tensors, numbers, lists and dicts only), in one step."""
    with replacing(path) as temporary:
        torch.save(state, temporary)


def load_state(path: Path) -> dict[str, Any] | None:
    """Read a training state without running code from it; None if there is none. Raises WeaksegError if broken."""
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # the unpickler raises nearly anything on broken files
        raise WeaksegError(f"{path}: broken training state; delete it to train this stage from its start") from error
    return state
