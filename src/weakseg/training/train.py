"""The training loop: one for every network, resumable at any step."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.data import DataLoader

from weakseg.errors import WeaksegError
from weakseg.training.checkpoint import load_state, save_state, save_weights
from weakseg.training.log import MetricsLog
from weakseg.training.memory import allocating
from weakseg.training.optim import Schedule, build_sgd, param_groups, set_lr
from weakseg.training.photos import loading
from weakseg.training.progress import bar, warn
from weakseg.training.ranks import is_first, rank, sum_over_ranks, wait_for_all, world_size
from weakseg.training.sampling import Batch, ExampleSource, Seeded, StepSampler
from weakseg.training.seeding import derive_seed

LOG_STEPS = 10
RISE = 3.0
"""Times its first loss at which a training has not settled; terms that a warm-up leaves out add less than that."""
WEIGHTS = "weights.safetensors"
"""What a trained network is called in its folder."""


class Trainable(Protocol):
    """What the loop asks of a network."""

    def losses(self, *batch: Tensor) -> dict[str, Tensor]:
        """Scalar loss terms of a batch; their sum is minimised."""

    def new_parameters(self) -> list[nn.Parameter]:
        """Parameters that learn ``new_lr_factor`` times faster: as a rule those that do not come from pretraining."""


def fit(
    model: nn.Module,
    examples: ExampleSource,
    schedule: Schedule,
    folder: Path,
    *,
    fabric: Fabric,
    seed: int,
    title: str,
    log: MetricsLog,
    workers: int = 0,
    checkpoint_seconds: float = 30.0,
    pace: Callable[[float], None] | None = None,
) -> dict[str, Any]:
    """Train ``model`` (a Trainable) and write ``folder/weights.safetensors``.

    A training state is kept in ``folder/state.pt`` and used when the same call is made again after an
    interruption, with as many processes as before or others; on the CPU the result is the same to the byte. ``pace`` is
    told before each step which share of all steps is done.

    Returns:
        steps and the mean loss terms of the last ``LOG_STEPS`` steps.

    Raises:
        WeaksegError: if the set is empty, a batch has less photos than there are processes, or the loss stops being
            finite.
    """
    if not len(examples):
        raise WeaksegError(f"{title}: no training images; check the split with `weakseg data`")
    optimizer = _optimizer(model, schedule)
    state = folder / "state.pt"
    start = _restore(state, model, optimizer)
    if is_first():
        log.rewind(title, start)
    stepper = Stepper(model, optimizer, fabric, seed, schedule.clip)
    sampler = StepSampler(len(examples), schedule, seed, start=start, rank=rank(), world=world_size())
    if sampler.batch_size < world_size():
        raise WeaksegError(
            f"{title}: {world_size()} devices cannot share the {sampler.batch_size} photos of a step; raise batch_size "
            "of its train, or lower hardware.devices"
        )
    loader = DataLoader(
        Seeded(examples, seed),
        batch_sampler=sampler,
        **loading(workers),
        pin_memory=fabric.device.type == "cuda",
    )
    window, saved = Window(), time.monotonic()
    with bar(title, sampler.total * sampler.batch_size, done=start * sampler.batch_size) as running:
        for done, batch in enumerate(loader, start=start + 1):
            set_lr(optimizer, done - 1, sampler.total, schedule)
            if pace is not None:
                pace((done - 1) / sampler.total)
            share = len(batch[0]) / sampler.batch_size
            window.add(stepper.step(done - 1, batch, share), sampler.batch_size, share)
            running.note(f"loss {window.loss:.3f}")
            running.advance(sampler.batch_size)
            if done % LOG_STEPS == 0 or done == sampler.total:
                rate, epoch = optimizer.param_groups[0]["lr"], (done - 1) // sampler.steps_per_epoch
                figures = window.close(title)
                if is_first():
                    log.write(title, done, epoch=epoch, lr=rate, **figures)
            if is_first() and (done == sampler.total or time.monotonic() - saved > checkpoint_seconds):
                save_state(state, {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": done})
                saved = time.monotonic()
    if is_first():
        save_weights(folder / WEIGHTS, model)
    wait_for_all()
    return {"steps": sampler.total, "losses": window.last}


class Stepper:
    """One update of a network at a time."""

    def __init__(self, model: nn.Module, optimizer: Optimizer, fabric: Fabric, seed: int, clip: float | None) -> None:
        """Place ``model`` and ``optimizer`` on the device of ``fabric``."""
        model.to(memory_format=torch.channels_last)
        self._model, self._optimizer = fabric.setup(model, optimizer)
        self._model.mark_forward_method("losses")
        self._fabric, self._seed, self._clip = fabric, seed, clip

    def step(self, step: int, batch: Batch, share: float = 1.0) -> dict[str, Tensor]:
        """Update by one batch.

        Args:
            step: seeds what the network draws (dropout).
            batch: the photos of this process.
            share: of the photos of all processes that these are.

        Returns:
            the loss terms of these photos.
        """
        # Beside the first each process draws otherwise: its photos are others.
        torch.manual_seed(derive_seed(self._seed, "step", step, *([rank()] if rank() else [])))
        self._model.train()
        terms: dict[str, Tensor] = self._model.losses(*(self._placed(tensor) for tensor in batch))
        self._optimizer.zero_grad()
        # The gradients are averaged over the processes.
        self._fabric.backward(torch.stack(list(terms.values())).sum() * (share * world_size()))
        if self._clip is not None:
            self._fabric.clip_gradients(self._model, self._optimizer, max_norm=self._clip)
        self._optimizer.step()
        return terms

    def _placed(self, tensor: Tensor) -> Tensor:
        layout = torch.channels_last if tensor.ndim == 4 else torch.contiguous_format
        return tensor.to(self._fabric.device, memory_format=layout, non_blocking=True)


class Window:
    """Mean loss terms and speed since the last log line."""

    def __init__(self) -> None:
        """Start the clock."""
        self.last: dict[str, float] = {}
        self.loss = float("nan")
        self._reset()

    def _reset(self) -> None:
        self._sums: dict[str, float] = {}
        self._steps = self._images = 0
        self._start = time.monotonic()

    def add(self, terms: dict[str, Tensor], images: int, share: float) -> None:
        """Count one step of so many images, of which this process has had a share."""
        values = {name: float(term.detach()) for name, term in terms.items()}
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, 0.0) + value * share
        self.loss = sum(values.values())
        self._steps += 1
        self._images += images

    def close(self, title: str) -> dict[str, Any]:
        """The figures of a log line, over all processes; then begin a new window."""
        sums = sum_over_ranks(torch.tensor(list(self._sums.values()), dtype=torch.float64)).tolist()
        self.last = {name: value / self._steps for name, value in zip(self._sums, sums, strict=True)}
        loss = sum(self.last.values())
        speed = self._images / max(time.monotonic() - self._start, 1e-9)
        self._reset()
        if loss != loss or loss in (float("inf"), float("-inf")):
            raise WeaksegError(f"{title}: the loss is {loss}; lower {title}.train.lr or set {title}.train.clip")
        return {"loss": loss, "terms": self.last, "images_per_second": speed}


def _optimizer(model: nn.Module, schedule: Schedule) -> Optimizer:
    trainable: Trainable = model  # type: ignore[assignment]
    groups = param_groups(
        model,
        trainable.new_parameters(),
        lr=schedule.lr,
        new_lr_factor=schedule.new_lr_factor,
        weight_decay=schedule.weight_decay,
        double_bias=schedule.double_bias,
    )
    return build_sgd(groups, momentum=schedule.momentum)


def _restore(path: Path, model: nn.Module, optimizer: Optimizer) -> int:
    state = load_state(path)
    if state is None:
        return 0
    try:
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        return int(state["step"])
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        raise WeaksegError(f"{path}: of another network; delete it to train this stage from its start") from error


def rise(log: MetricsLog, title: str) -> tuple[float, float] | None:
    """The first and the last loss of a training that ended `RISE` times worse than it began; None for any other."""
    losses = [float(row["loss"]) for row in log.rows() if row["stage"] == title]
    return (losses[0], losses[-1]) if len(losses) > 1 and losses[-1] > RISE * losses[0] else None


def rise_line(title: str, risen: Sequence[float]) -> str:
    """What to tell of a training that ended worse than it began, with the way out."""
    first, last = risen
    way = "lower lr of its train, or set its clip to 1"
    return f"{title}: the loss rose from {first:.3g} to {last:.3g}: nothing was learnt; {way}"


@dataclass(frozen=True)
class Trainer:
    """Where and how networks are trained.

    Attributes:
        fabric: the device.
        log: takes loss, rate and speed.
        workers: processes that load examples.
        checkpoint_seconds: how often the state of a training is kept.
    """

    fabric: Fabric
    log: MetricsLog
    workers: int = 0
    checkpoint_seconds: float = 30.0

    def fit(
        self,
        model: nn.Module,
        examples: ExampleSource,
        schedule: Schedule,
        folder: Path,
        *,
        seed: int,
        title: str,
        pace: Callable[[float], None] | None = None,
    ) -> dict[str, Any]:
        """Train a network into a folder; see `fit`.

        Raises:
            WeaksegError: also if the memory is too small.
        """
        remedy = "learn from less at a time (batch_size of its train, crop of its augment)"
        with allocating(f"training of {title}", remedy):
            summary = fit(
                model,
                examples,
                schedule,
                folder,
                fabric=self.fabric,
                seed=seed,
                title=title,
                log=self.log,
                workers=self.workers,
                checkpoint_seconds=self.checkpoint_seconds,
                pace=pace,
            )
        risen = rise(self.log, title)
        if risen is None:
            return summary
        warn(rise_line(title, risen))
        return summary | {"rose": risen}

    def keep(self, model: nn.Module, folder: Path, *, title: str) -> dict[str, Any]:
        """Write a network that came trained into a folder, as if it had been trained there."""
        if is_first():
            self.log.rewind(title, 0)
            save_weights(folder / WEIGHTS, model)
        wait_for_all()
        return {"steps": 0}
