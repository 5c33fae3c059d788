"""The command line: parse, call, print."""

from __future__ import annotations

import inspect
import os
import shlex
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout
from typing import Annotated, NoReturn

import typer

from weakseg import __version__
from weakseg.cli.downloading import download
from weakseg.cli.exporting import bring_in, export
from weakseg.cli.labelling import label
from weakseg.cli.looking import data, recipes, words
from weakseg.cli.masks import evaluate, predict
from weakseg.cli.planning import plan
from weakseg.cli.reporting import doubtful, report
from weakseg.cli.reviewing import review
from weakseg.cli.running import ablate, demo, run
from weakseg.errors import ProcessLostError, WeaksegError
from weakseg.training.launch import started

app = typer.Typer(
    help="From image-level tags to pixel masks and a trained segmentation network.",
    epilog=(
        "weakseg --install-completion teaches your shell to complete commands, options and names of recipes.\n\n"
        "Exit codes: 0 done, 1 failed by an error that is no fault of the input, 2 input that cannot be used, "
        "130 interrupted: run, demo, ablate and label go on where they stopped."
    ),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

FAILED, WRONG_INPUT = 1, 2
INTERRUPTED = 130  # what typer makes of Ctrl-C
RESUMED = ("run", "demo", "ablate", "label")
"""The commands that go on where they stopped."""
SHARED = ("run", "demo")
"""The commands that processes of torchrun or srun can share."""
PATIENCE = 2.0
"""Seconds until a process that is not the first tells of an error: the first has told the same, or has met none."""


def _print_version(value: bool) -> None:
    if value:
        print(f"weakseg {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Options of every command."""


# By heading of `weakseg --help`, in order: the commands, each with an example for its own help.
PANELS: dict[str, list[tuple[Callable[..., None], str]]] = {
    "Start": [
        (run, "weakseg run --data photos.csv --out runs/photos"),
        (plan, "weakseg plan photos.csv --out plan.yaml"),
        (demo, "weakseg demo --out runs/demo"),
    ],
    "Your data": [
        (data, "weakseg data photos.csv"),
        (download, "weakseg download voc12 --to data"),
        (bring_in, "weakseg import corrected.zip --run runs/photos"),
        (recipes, "weakseg recipes irnet --settings"),
    ],
    "Results": [
        (report, "weakseg report runs/photos"),
        (doubtful, "weakseg doubtful runs/photos --count 50"),
        (review, "weakseg review runs/photos"),
        (evaluate, "weakseg evaluate masks --data voc:VOC2012 --split val"),
        (predict, "weakseg predict runs/photos new_photos --out masks"),
        (label, "weakseg label runs/photos --data new_photos --out labels"),
        (export, "weakseg export runs/photos --to coco"),
        (words, "weakseg words runs/vwe --per-class 4"),
    ],
    "Studies": [
        (ablate, "weakseg ablate cam --with small --data voc:VOC2012 --vary localize.stride=4,8"),
    ],
}


def _help(command: Callable[..., None]) -> str:
    """The docstring of a command, each paragraph on one line: the terminal breaks lines, not the source."""
    paragraphs = inspect.cleandoc(command.__doc__ or "").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


for panel, commands in PANELS.items():
    for command, example in commands:
        name = example.split()[1]
        app.command(name, help=_help(command), epilog=f"Example: {example}", rich_help_panel=panel)(command)


def main() -> None:
    """Entry point.

    Exit codes: 0 done; 2 input that cannot be used, one line on standard error says which; 1 any other error, with its
    traceback; 130 interrupted, with a line that says how to go on. Of several processes that torchrun or srun has
    started the first prints.
    """
    # Waiting threads soon sleep instead of spinning: on busy cores spinning makes two threads far slower than one.
    # OpenMP reads this once, when torch is imported.
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]  # wherever it stands
    debug = len(arguments) < len(sys.argv) - 1
    here = started()
    if here is not None:
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # each process would warn; likewise
    try:
        with nullcontext() if here is None or here.rank == 0 else _following():
            if here is not None and (command := _command(arguments)) not in ("", *SHARED):
                count = here.devices * here.nodes
                raise WeaksegError(f"{command} is work for one process, and {count} were started; start it alone")
            app(args=arguments, prog_name="weakseg")  # also of python -m weakseg
    except (WeaksegError, OSError) as error:
        if debug:
            raise
        # An error in a loading process comes with that process's traceback; what it says is the last line.
        _fail(_last_line(error).removeprefix("weakseg.errors.WeaksegError: "), WRONG_INPUT)
    except ProcessLostError as error:
        _fail(f"{error}, and with it the run{_way_on(arguments)}", FAILED)
    except Exception as error:
        if debug:
            raise
        traceback.print_exc()
        reason = f"{type(error).__name__}: {_last_line(error)}"
        _fail(f"failed, {reason} (not your input: an error in weakseg, see above){_way_on(arguments)}", FAILED)
    except SystemExit as stop:
        if stop.code == INTERRUPTED:
            _fail(f"interrupted{_way_on(arguments)}", INTERRUPTED)
        raise


def _fail(line: str, code: int) -> NoReturn:
    print(f"weakseg: {line}", file=sys.stderr)
    sys.exit(code)


def _last_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]


def _command(arguments: Sequence[str]) -> str:
    return next((argument for argument in arguments if not argument.startswith("-")), "")


@contextmanager
def _following() -> Iterator[None]:
    """Print nothing, and tell of an error only after a while: what has started this process may end it by then."""
    try:
        with open(os.devnull, "w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
            yield
    except BaseException as error:
        if not isinstance(error, SystemExit) or error.code:
            time.sleep(PATIENCE)
        raise


def _way_on(arguments: Sequence[str]) -> str:
    """The command that goes on with what a command that makes runs has left; nothing after other commands."""
    if _command(arguments) not in RESUMED:
        return ""
    # A second --overwrite would throw away what is done.
    again = shlex.join(["weakseg", *(argument for argument in arguments if argument != "--overwrite")])
    return f"; what is done stays, go on with: {again}"
