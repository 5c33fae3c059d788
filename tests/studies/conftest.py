"""An ablation as small as can be, run in this process unless a test says otherwise."""

import pytest

import tiny
from weakseg.pipeline.execute import execute
from weakseg.studies import ablate
from weakseg.studies.find import find_study
from weakseg.studies.plan import Request

QUICK = ("classify.train.epochs=1", "localize.scales=[0.5]")


@pytest.fixture(scope="session")
def tiny_photos(tmp_path_factory):
    """Photos that tests leave as they are."""
    return tiny.write_photos(tmp_path_factory.mktemp("ablation") / "photos")


@pytest.fixture
def ask(tmp_path, tiny_photos):
    """``ask("key=a,b", ..., seeds=1)``: the request to vary that, of the recipe cam up to its maps."""

    def request(*vary, recipe="cam", overrides=QUICK, until="localize", **options):
        options = {"seeds": 1, "out": tmp_path / "out", **options}
        overlays = [str(tiny.write_overlay(tmp_path))]
        data = f"voc:{tiny_photos}"
        return Request(find_study(recipe, vary), data, overlays=overlays, overrides=overrides, until=until, **options)

    return request


@pytest.fixture
def executed(monkeypatch):
    """Runs take place in this process; the list of their folders, in order."""
    folders = []

    def here(recipe, data, folder):
        folders.append(folder)
        execute(recipe, data, folder)
        return ""

    monkeypatch.setattr(ablate, "execute_apart", here)
    return folders
