"""The command line: parse, call, print."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from weakseg import __version__
from weakseg.cli.exporting import bring_in, export
from weakseg.cli.looking import data, recipes, words
from weakseg.cli.masks import evaluate, predict
from weakseg.cli.planning import plan
from weakseg.cli.reporting import report
from weakseg.cli.reviewing import review
from weakseg.cli.running import ablate, demo, run
from weakseg.errors import WeaksegError

app = typer.Typer(
    help="From image-level tags to pixel masks and a trained segmentation network.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

INTERRUPTED = 130  # what typer makes of Ctrl-C


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


for command in (run, plan, ablate, demo, data, recipes, evaluate, predict, words, report, review, export):
    app.command()(command)
app.command("import")(bring_in)  # a word of Python, which no function can be called


def main() -> None:
    """Entry point: an input error is one line on standard error and exit code 2."""
    # Waiting threads soon sleep instead of spinning: on busy cores spinning makes two threads far slower than one.
    # OpenMP reads this once, when torch is imported.
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]  # wherever it stands
    try:
        app(args=arguments)
    except (WeaksegError, OSError) as error:
        if len(arguments) < len(sys.argv) - 1:
            raise
        # An error in a loading process comes with that process's traceback; what it says is the last line.
        line = (str(error).strip().splitlines() or [type(error).__name__])[-1]
        print(f"weakseg: {line.removeprefix('weakseg.errors.WeaksegError: ')}", file=sys.stderr)
        sys.exit(2)
    except SystemExit as stop:
        if stop.code == INTERRUPTED:
            way = "starts anew" if "predict" in arguments[:1] else "goes on from here"
            print(f"weakseg: interrupted; the same command {way}", file=sys.stderr)
        raise
