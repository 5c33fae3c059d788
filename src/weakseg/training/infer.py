"""The inference loop: one item at a time, skipping what is already on disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import torch
from torch.utils.data import DataLoader, Dataset

from weakseg.training.memory import allocating
from weakseg.training.progress import bar

Item = TypeVar("Item")
Loaded = TypeVar("Loaded")


class _Loading(Dataset[tuple[int, Loaded]]):
    def __init__(self, items: Sequence[Item], load: Callable[[Item], Loaded]) -> None:
        self._items, self._load = items, load

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> tuple[int, Loaded]:
        return index, self._load(self._items[index])


def _as_it_is(loaded: Loaded) -> Loaded:
    return loaded


def process(
    items: Sequence[Item],
    load: Callable[[Item], Loaded],
    work: Callable[[Item, Loaded], None],
    output: Callable[[Item], Path],
    *,
    title: str,
    workers: int = 0,
    remedy: str = "free some",
) -> int:
    """Run ``work`` on every item whose ``output`` file does not exist yet.

    Args:
        items: what to process.
        load: reads an item's inputs (in ``workers`` other processes if not 0).
        work: computes the result and writes it to ``output(item)`` in one step.
        output: the file whose presence says that an item is done.
        title: of the progress bar.
        workers: loading processes.
        remedy: what to tell where the memory is too small.

    Returns:
        How many items were processed now.

    Raises:
        WeaksegError: the memory is too small for an item; the message names its output.
    """
    todo = [item for item in items if not output(item).exists()]
    loader = DataLoader(
        _Loading(todo, load),
        batch_size=None,
        num_workers=workers,
        multiprocessing_context="fork" if workers else None,  # functions of a run cannot be pickled
        collate_fn=_as_it_is,
    )
    with torch.inference_mode(), bar(title, len(items), done=len(items) - len(todo)) as running:
        for index, loaded in loader:
            with allocating(f"{title}: {output(todo[index]).stem}", remedy):
                work(todo[index], loaded)
            running.advance()
    return len(todo)
