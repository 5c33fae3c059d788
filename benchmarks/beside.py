"""One table for several ways of one computation: seconds, ratio, difference of the results, memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor

import common

Row = dict[str, Any]


def compare(calls: Mapping[str, Callable[[], Tensor]], *, exact: Tensor, repeats: int, device: str) -> list[Row]:
    """Run every way, then measure its memory, then time all in turns.

    Args:
        calls: name -> the computation.
        exact: the result that it should have.
        repeats: timed rounds.
        device: where it runs.

    Returns:
        One row per way, in seconds (median and fastest) and MB.
    """
    exact = exact.double().cpu()
    errors = {name: (call().detach().double().cpu() - exact).abs().max().item() for name, call in calls.items()}
    memory = {name: common.peak_memory(call, device) for name, call in calls.items()}
    times = common.median_times(calls, repeats=repeats, device=device)
    return [
        {
            "way": name,
            "s": times[name]["median"],
            "fastest s": times[name]["min"],
            "max difference": errors[name],
            "peak MB": memory[name],
        }
        for name in calls
    ]


def computed(way: str, memory: float) -> Row:
    """The row of a way that was not run: its memory, in bytes, as computed."""
    return {"way": way, "s": "", "fastest s": "", "max difference": "", "peak MB": memory / common.MB}


def ratios(rows: Sequence[Row]) -> list[Row]:
    """Add how many times faster every way is than the last one, the authors'; empty where that was not run."""
    slowest = rows[-1]["s"]
    return [{**row, "times faster": slowest / row["s"] if slowest else ""} for row in rows]
