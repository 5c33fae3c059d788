"""Which examples a training step sees: a function of the seed and the step alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from weakseg.training.optim import Schedule
from weakseg.training.seeding import derive_seed

Batch = tuple[Tensor, ...]
Place = tuple[int, int]
"""(epoch, index in the data set): enough to seed one example's augmentation."""


class ExampleSource(Protocol):
    """Training examples; random augmentation draws from torch's global generator."""

    def __len__(self) -> int:
        """Number of examples."""

    def example(self, index: int) -> Batch:
        """One augmented example, the tensors in the order that ``losses`` takes them."""


class StepSampler(Sampler[list[Place]]):
    """Batches from step ``start`` on; the order of an epoch is a function of (seed, epoch)."""

    def __init__(self, length: int, schedule: Schedule, seed: int, *, start: int = 0, rank: int = 0, world: int = 1):
        """Plan ``schedule`` over a data set of ``length``; each of ``world`` processes takes its share of a batch."""
        self._length, self._seed, self._start, self._rank, self._world = length, seed, start, rank, world
        self.batch_size = min(schedule.batch_size, length)
        self.steps_per_epoch = length // self.batch_size
        self.total = self.steps_per_epoch * schedule.epochs

    def __len__(self) -> int:
        return self.total - self._start

    def __iter__(self) -> Iterator[list[Place]]:
        for epoch in range(self._start // self.steps_per_epoch, self.total // self.steps_per_epoch):
            generator = torch.Generator().manual_seed(derive_seed(self._seed, "order", epoch))
            order = torch.randperm(self._length, generator=generator).tolist()
            first = max(0, self._start - epoch * self.steps_per_epoch)
            for step in range(first, self.steps_per_epoch):
                batch = order[step * self.batch_size : (step + 1) * self.batch_size]
                yield [(epoch, index) for index in batch[self._rank :: self._world]]


class Seeded(Dataset[Batch]):
    """A training set asked by place: ``examples.example(index)`` runs under a seed of (seed, epoch, index)."""

    def __init__(self, examples: ExampleSource, seed: int) -> None:
        """Wrap ``examples``."""
        self._examples, self._seed = examples, seed

    def __getitem__(self, place: Place) -> Batch:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(self._seed, "example", *place))
            return self._examples.example(place[1])
