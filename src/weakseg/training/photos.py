"""The loop over photos: one at a time, leaving out what is already on disk."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from torch.utils.data import DataLoader, Dataset

from weakseg.training.memory import working_on
from weakseg.training.progress import bar, warn
from weakseg.training.ranks import rank_share, told_by_first, wait_for_all, world_size

Item = TypeVar("Item")
Loaded = TypeVar("Loaded")


def loading(workers: int) -> dict[str, Any]:
    """Options of a DataLoader for so many loading processes; none where they cannot be forked (Windows).

    What a run loads with are functions of the run, which cannot be sent to a process that does not inherit them.
    """
    if workers and "fork" not in multiprocessing.get_all_start_methods():
        warn("hardware.workers: this system cannot fork processes; photos are loaded in the main one")
        workers = 0
    return {"num_workers": workers, "multiprocessing_context": "fork" if workers else None}


class _Loading(Dataset[tuple[int, Loaded]]):
    def __init__(self, items: Sequence[Item], load: Callable[[Item], Loaded]) -> None:
        self._items, self._load = items, load

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> tuple[int, Loaded]:
        return index, self._load(self._items[index])


def _as_it_is(loaded: Loaded) -> Loaded:
    return loaded


def undone(
    items: Sequence[Item],
    load: Callable[[Item], Loaded],
    output: Callable[[Item], Path],
    *,
    title: str,
    workers: int = 0,
) -> Iterator[tuple[Item, Loaded]]:
    """The items whose ``output`` file does not exist yet, with what was loaded of them; a progress bar counts them.

    The caller writes ``output(item)`` before it takes the next item, last and in one step: its presence says that the
    item is done. Several processes share the items out and go on together, when the last one is done.

    Args:
        items: what to process.
        load: reads an item's inputs (in ``workers`` other processes if not 0).
        output: the file whose presence says that an item is done.
        title: of the progress bar.
        workers: loading processes.
    """
    # Told by one, as the others may look when it has begun to write.
    missing = told_by_first(lambda: [index for index, item in enumerate(items) if not output(item).exists()])
    todo = [items[index] for index in rank_share(missing)]
    loader = DataLoader(
        _Loading(todo, load),
        batch_size=None,
        **loading(workers),
        collate_fn=_as_it_is,
    )
    with bar(title, len(items), done=len(items) - len(missing)) as running:
        for index, loaded in loader:
            working_on(output(todo[index]).stem)
            yield todo[index], loaded
            running.advance(min(world_size(), len(missing) - index * world_size()))
    working_on(None)
    wait_for_all()
