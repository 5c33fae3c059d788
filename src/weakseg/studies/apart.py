"""One run in a process of its own: its memory is measured alone, and whatever ends it ends nothing else."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import traceback
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from weakseg.errors import WeaksegError
from weakseg.recipes.loading import validate
from weakseg.recipes.recipe import Recipe
from weakseg.report.run import run_and_draw

# Not fork: this process may have threads by now. The server imports once and forks for every run.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["weakseg.report.run"])

TRACEBACK = "error.txt"


def execute_apart(recipe: Recipe, data: str, folder: Path) -> str:
    """`weakseg.report.run.run_and_draw` in a process of its own.

    Returns:
        Nothing if it went well, else what went wrong in one line. The traceback of an unforeseen error is in
        ``folder/error.txt``.
    """
    (folder / TRACEBACK).unlink(missing_ok=True)
    receiving, sending = PROCESSES.Pipe(duplex=False)
    # As a tree: the class of a recipe is made of what methods there are, and has no place to be found at.
    tree = recipe.model_dump(mode="json")
    process = PROCESSES.Process(target=_child, args=(sending, tree, data, folder))
    process.start()
    sending.close()  # so that the end of the process ends the waiting
    message: str | None = None
    try:
        message = receiving.recv()
    except EOFError:
        pass
    except BaseException:  # Ctrl-C
        process.terminate()
        raise
    finally:
        process.join()
    return _ended(process.exitcode or 0) if message is None else message


def _child(sending: Connection, tree: dict[str, Any], data: str, folder: Path) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        run_and_draw(validate(tree), data, folder)
        message = ""
    except KeyboardInterrupt:
        return
    except (WeaksegError, OSError) as error:
        message = _last_line(error)
    except Exception as error:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / TRACEBACK).write_text(traceback.format_exc(), encoding="utf-8")
        message = f"{type(error).__name__}: {_last_line(error)} (traceback in {folder / TRACEBACK})"
    sending.send(message)


def _end_with_parent() -> None:
    """A killed parent must not leave a run behind that holds its directory."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)


def _last_line(error: BaseException) -> str:
    # An error in a loading process comes with that process's traceback; what it says is the last line.
    line = (str(error).strip().splitlines() or [type(error).__name__])[-1]
    return line.removeprefix("weakseg.errors.WeaksegError: ")


def _ended(code: int) -> str:
    if code >= 0:
        return f"the process ended with exit code {code}"
    name = signal.Signals(-code).name
    memory = "; out of memory?" if name == "SIGKILL" else ""
    return f"the process was ended by {name}{memory}"
