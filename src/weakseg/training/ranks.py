"""The processes that share a run, one for each device: what is each one's part, and what they have to agree on.

One process works on one device and has a number, its rank. All of them go through the same calls; inside of `sharing`
they split photos and batches. Outside of it there is one process, and nothing here changes anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar, cast

import torch
import torch.distributed as dist
from lightning_fabric import Fabric
from torch import Tensor

from weakseg.errors import ProcessLostError
from weakseg.training.progress import silently

T = TypeVar("T")
Result = TypeVar("Result")


@dataclass
class _Place:
    rank: int = 0
    world: int = 1


_here = _Place()


@contextmanager
def sharing(fabric: Fabric) -> Iterator[None]:
    """Share the work with the other processes of ``fabric``; all but the first say nothing.

    Raises:
        ProcessLostError: another one has ended.
    """
    before = _here.rank, _here.world
    _here.rank, _here.world = fabric.global_rank, fabric.world_size
    try:
        with silently(not is_first()):
            yield
    except RuntimeError as error:  # gloo has no type of its own
        if isinstance(error, dist.DistError) or (_here.world > 1 and "gloo" in str(error).lower()):
            raise ProcessLostError(f"process {_here.rank + 1} of {_here.world} has lost another") from error
        raise
    finally:
        _here.rank, _here.world = before


def rank() -> int:
    """The number of this process, from 0."""
    return _here.rank


def is_first() -> bool:
    """Whether this is the process that scores, logs and writes what there is one of."""
    return _here.rank == 0


def world_size() -> int:
    """How many processes share the work."""
    return _here.world


def rank_share(items: Sequence[T]) -> Sequence[T]:
    """This process's part of some photos: every n-th, so that neighbours, which are often alike, are spread."""
    return items[_here.rank :: _here.world]


def shared_out(items: Sequence[T], work: Callable[[T], Result]) -> list[Result]:
    """What some work finds in each of some items, each looked at by one process, for all processes."""
    mine = [work(item) for item in rank_share(items)]
    if _here.world == 1:
        return mine
    parts: list[list[Result]] = [[] for _ in range(_here.world)]
    dist.all_gather_object(parts, mine)
    return [parts[index % _here.world][index // _here.world] for index in range(len(items))]


def sum_over_ranks(values: Tensor) -> Tensor:
    """The sum of a tensor over all processes, without gradient: a loss divides by counts over the whole batch."""
    if _here.world == 1:
        return values
    total = values.detach().clone()
    dist.all_reduce(total)
    return total


def photo_share(photos: int) -> float:
    """This process's share of the photos of a step.

    The loop adds the losses of all processes up in these shares, as is right for means over photos. A sum over pixels
    or pairs that is divided by a count over the whole batch is divided by this too, so that it comes out whole.

    Args:
        photos: how many of them this process has.
    """
    return 1.0 if _here.world == 1 else photos / int(sum_over_ranks(torch.tensor(photos)))


def told_by_first(make: Callable[[], T]) -> T:
    """What the first process makes, in all of them, which wait for it."""
    if _here.world == 1:
        return make()
    told = [make() if is_first() else None]
    dist.broadcast_object_list(told)
    return cast(T, told[0])


def wait_for_all() -> None:
    """Go on when every process has come here."""
    if _here.world > 1:
        dist.all_reduce(torch.zeros(1))  # on the CPU: nccl's barrier would keep the GPU busy
