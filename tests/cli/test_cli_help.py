"""What --help shows, and what a shell completes."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys

import pytest
import typer

import tiny
from weakseg.cli.app import PANELS, app

EXAMPLES = [example for commands in PANELS.values() for _, example in commands]


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


@pytest.mark.usefixtures("narrow")
def test_commands_stand_under_headings() -> None:
    text = tiny.weakseg("--help").out
    places = [text.index(f"─ {panel} ─") for panel in PANELS]
    assert places == sorted(places)
    assert max(map(len, text.splitlines())) <= 80
    assert "weakseg --install-completion" in text
    assert "Exit codes: 0 done, 1 failed" in text
    assert len(EXAMPLES) == len(app.registered_commands)


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("example", EXAMPLES)
def test_every_command_shows_an_example_that_can_be_typed(example: str) -> None:
    name, *arguments = shlex.split(example)[1:]
    text = tiny.weakseg(name, "--help").out
    assert f"Example: {example}" in " ".join(text.split())
    assert max(map(len, text.splitlines())) <= 80
    command = typer.main.get_command(app).commands[name]  # type: ignore[attr-defined]
    command.make_context(name, arguments)  # raises for an option that there is not


@pytest.mark.parametrize(
    ("typed", "completed"),
    [("weakseg do", "doubtful"), ("weakseg run --over", "--overwrite"), ("weakseg run irn", "irnet")],
)
def test_a_shell_completes(typed: str, completed: str) -> None:
    environment = os.environ | {
        "_WEAKSEG_COMPLETE": "complete_bash",
        "COMP_WORDS": typed,
        "COMP_CWORD": str(len(typed.split()) - 1),
    }
    command = [sys.executable, "-m", "weakseg"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert completed in ended.stdout.split()


def test_the_script_of_completion_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
    code = "from weakseg.cli.app import main; main()"
    ended = subprocess.run(
        [sys.executable, "-c", code, "--show-completion", "bash"], capture_output=True, text=True, check=True
    )
    assert "complete -o default -F _weakseg_completion weakseg" in ended.stdout
