"""Every command line of the guides is understood, down to the recipes and studies that it names."""

import importlib
import re
import shlex

import pytest

import tiny
from guides import DOCS, blocks, commands
from test_guides import PAGES
from weakseg.cli import planned
from weakseg.data.downloads import sets
from weakseg.exporters import command as exporting
from weakseg.exporters.incoming import command as importing
from weakseg.exporters.registry import EXPORTERS
from weakseg.labelling import label as labelling
from weakseg.report import datalist, doubtful, run, scored
from weakseg.report.html import page
from weakseg.report.words import draw
from weakseg.review import serve
from weakseg.studies import ablate
from weakseg.studies.plan import make_plan


def lines() -> list[tuple[str, str]]:
    """The commands of all pages; those for users are run elsewhere, but for what trains."""
    found = [
        (page.name, line) for page in sorted(DOCS.rglob("*.md")) for block in blocks(page) for line in commands(block)
    ]
    return [(name, line) for name, line in found if name not in PAGES or line.startswith("weakseg run ")]


class UnderstoodError(BaseException):
    """The command got as far as to the work. No Exception: of these the command line makes exit codes."""


@pytest.mark.parametrize(("document", "line"), lines())
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
    monkeypatch.setattr(datalist, "list_source", work)
    monkeypatch.setattr(run, "run_and_draw", work)
    monkeypatch.setattr(planned, "planned", work)
    monkeypatch.setattr(planned, "run_and_draw", work)
    monkeypatch.setattr(draw, "draw_words", work)
    monkeypatch.setattr(page, "write_report", work)
    monkeypatch.setattr(doubtful, "most_doubtful", work)
    monkeypatch.setattr(ablate, "ablate", plan)
    monkeypatch.setattr(exporting, "export", export)
    monkeypatch.setattr(labelling, "label", work)
    monkeypatch.setattr(importing, "import_reviews", work)
    monkeypatch.setattr(serve, "serve", work)
    monkeypatch.setattr(scored, "score_folder", work)
    monkeypatch.setattr(sets, "download", work)
    command = shlex.split(line)[1:]
    if command[0] == "recipes":
        assert tiny.weakseg(*command).code == 0
    else:
        with pytest.raises(UnderstoodError):
            tiny.weakseg(*command)


GROUPS = {f"weakseg.{group}" for group in ("exporters", "refinements", "sources")}
"""Names of entry points that are no modules."""


def test_every_name_of_weakseg_exists():
    pages = [*DOCS.rglob("*.md"), *(DOCS.parent / name for name in ("README.md", "CONTRIBUTING.md"))]
    found = {name for page in pages for name in re.findall(r"`(weakseg(?:\.\w+)+)`", page.read_text(encoding="utf-8"))}
    assert len(found) > 20
    assert [name for name in sorted(found - GROUPS) if not exists(name)] == []


def exists(name: str) -> bool:
    """Whether a dotted name is a module or something in one."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        try:
            thing = importlib.import_module(".".join(parts[:count]))
        except ImportError:
            continue
        for part in parts[count:]:
            thing = getattr(thing, part, None)
        return thing is not None
    return False
