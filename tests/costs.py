"""What a computation costs: the tensors that it makes, and the processor's time."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode


class LargestTensors(TorchDispatchMode):
    """Within a ``with`` block, keeps the size of the largest result of any operation, backward passes included.

    Attributes:
        bytes: of the largest tensor.
        indices: elements of the largest tensor of 32- or 64-bit integers.
    """

    def __init__(self) -> None:
        super().__init__()
        self.bytes = self.indices = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, (list, tuple)) else [result]:
            if hasattr(tensor, "untyped_storage"):
                self.bytes = max(self.bytes, tensor.untyped_storage().nbytes())
                if not tensor.is_floating_point() and tensor.element_size() >= 4:
                    self.indices = max(self.indices, tensor.numel())
        return result


def processor_seconds(calls: Sequence[Callable[[], object]], rounds: int = 7) -> list[float]:
    """The least processor time of each call, in turns: other processes of the machine hardly count."""
    least = [float("inf")] * len(calls)
    for _ in range(rounds):
        for place, call in enumerate(calls):
            start = time.process_time()
            call()
            least[place] = min(least[place], time.process_time() - start)
    return least
