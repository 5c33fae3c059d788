"""What the training stages share: the call of the training loop, and what takes its place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from weakseg.pipeline.stage import Context
from weakseg.training.checkpoint import save_weights
from weakseg.training.memory import allocating
from weakseg.training.optim import Schedule
from weakseg.training.sampling import ExampleSource
from weakseg.training.train import fit


def keep(context: Context, stage: str, model: nn.Module) -> dict[str, Any]:
    """Write a network that came trained into the stage's folder, as if it had been trained there."""
    context.run.log.rewind(stage, 0)
    save_weights(context.run.weights_path(stage), model)
    return {"steps": 0}


def train(
    context: Context,
    stage: str,
    model: nn.Module,
    examples: ExampleSource,
    schedule: Schedule,
    pace: Callable[[float], None] | None = None,
) -> dict[str, Any]:
    """Train a stage's network into its folder; see `weakseg.training.train.fit`."""
    hardware = context.recipe.hardware
    with allocating(f"training of {stage}", "learn from less at a time (batch_size of its train, crop of its augment)"):
        return fit(
            model,
            examples,
            schedule,
            context.folder(stage),
            fabric=context.fabric,
            seed=context.seed(stage),
            title=stage,
            log=context.run.log,
            workers=hardware.workers,
            checkpoint_seconds=hardware.checkpoint_seconds,
            pace=pace,
        )
