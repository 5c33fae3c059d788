"""The tests on several versions of Python and of the dependencies: ``pipx run nox`` runs what this machine has.

nox -l                                  lists the sessions
nox -s "tests-3.11(versions='lowest')"  runs one
nox -s checks                           ruff, mypy, import-linter
"""

import re
import tomllib
from pathlib import Path

import nox

PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
ROOT = Path(__file__).parent

nox.options.sessions = ["tests", "checks"]
nox.options.error_on_missing_interpreters = False


@nox.session(python=PYTHONS)
@nox.parametrize("versions", ["highest", "lowest"])
def tests(session: nox.Session, versions: str) -> None:
    """Install weakseg as a user does and run its tests."""
    options = ["--constraint", str(lowest(session))] if versions == "lowest" else []
    session.install(".[test]", *options)
    session.run("pytest", *session.posargs)


@nox.session(python=PYTHONS[0])
def checks(session: nox.Session) -> None:
    """What is checked without running anything."""
    session.install(".[test]")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("mypy")
    session.run("lint-imports")


def lowest(session: nox.Session) -> Path:
    """A file that holds every dependency at the lowest version that pyproject.toml allows."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    found = [re.match(r"([\w.\[\]-]+)\s*>=\s*([\w.]+)", text) for text in wanted]
    path = Path(session.create_tmp()) / "lowest.txt"
    path.write_text("".join(f"{match[1].split('[')[0]}=={match[2]}\n" for match in found if match), encoding="utf-8")
    return path
