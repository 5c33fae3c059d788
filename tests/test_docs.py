"""Every command line of the guides is understood, down to the recipes and studies that it names."""

import re
import shlex
from pathlib import Path

import pytest

import tiny
from weakseg.cli import planned
from weakseg.export import command as exporting
from weakseg.export.incoming import command as importing
from weakseg.export.registry import EXPORTERS
from weakseg.report import doubtful, run, words
from weakseg.report.html import page
from weakseg.review import serve
from weakseg.studies import ablate
from weakseg.studies.plan import make_plan

DOCS = Path(__file__).resolve().parents[1] / "docs"


def commands() -> list[tuple[str, str]]:
    blocks = [
        (path.name, block)
        for path in sorted(DOCS.rglob("*.md"))
        for block in re.findall(r"^```\n(.*?)^```", path.read_text(encoding="utf-8"), flags=re.S | re.M)
    ]
    lines = [
        (name, line[line.index("weakseg ") :])  # also what torchrun or srun starts
        for name, block in blocks
        for line in block.splitlines()
        if re.match(r"weakseg |(torchrun|srun) .*weakseg ", line)
    ]
    return [(name, line) for name, line in lines if "NAME" not in line]


class UnderstoodError(BaseException):
    """The command got as far as to the work. No Exception: of these the command line makes exit codes."""


@pytest.mark.parametrize(("document", "line"), commands())
def test_a_command_is_understood(document, line, monkeypatch, tmp_path):
    def work(*arguments, **options):
        raise UnderstoodError

    def plan(request):
        assert make_plan(request)
        request.study.only(request.rows)
        raise UnderstoodError

    def export(folder, to, *arguments, **options):
        assert EXPORTERS.get(to)
        raise UnderstoodError

    (tmp_path / "benchmarks").symlink_to(DOCS.parent / "benchmarks")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run, "run_and_draw", work)
    monkeypatch.setattr(planned, "planned", work)
    monkeypatch.setattr(planned, "run_and_draw", work)
    monkeypatch.setattr(words, "draw_words", work)
    monkeypatch.setattr(page, "write_report", work)
    monkeypatch.setattr(doubtful, "most_doubtful", work)
    monkeypatch.setattr(ablate, "ablate", plan)
    monkeypatch.setattr(exporting, "export", export)
    monkeypatch.setattr(importing, "import_reviews", work)
    monkeypatch.setattr(serve, "serve", work)
    command = shlex.split(line)[1:]
    if command[0] == "recipes":
        assert tiny.weakseg(*command).code == 0
    else:
        with pytest.raises(UnderstoodError):
            tiny.weakseg(*command)
