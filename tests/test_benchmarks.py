"""Every benchmark runs at a tiny size and writes its JSON; every command and example of docs/refinement.md is right."""

from __future__ import annotations

import argparse
import importlib
import json
import re
import runpy
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

import browser
import tiny
import weakseg
from browser import executable
from weakseg.data.images import voc_palette
from weakseg.ops.densecrf.crf import PRESETS
from weakseg.recipes.loading import load_recipe

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = ROOT / "benchmarks"
GUIDE = (ROOT / "docs" / "refinement.md").read_text(encoding="utf-8")
KERNELS = {
    "affinity": "--side 20 --batch 2 --channels 8 --radii 3 5",
    "crf": "--height 40 --width 50 --batch 2 --exact",
    "pamr": "--height 24 --width 30",
    "paths": "--cases 24,5,1 24,5,2",
    "walk": "--sizes 10x12 9x14",
}


@pytest.fixture(autouse=True)
def _beside_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))


def run(monkeypatch: pytest.MonkeyPatch, name: str, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
    runpy.run_path(str(SCRIPTS / f"{name}.py"), run_name="__main__")


def kernel(monkeypatch: pytest.MonkeyPatch, folder: Path, name: str, *arguments: str) -> dict[str, Any]:
    out = folder / f"{name}.json"
    run(monkeypatch, name, *arguments, "--threads", 1, "--repeats", 1, "--out", out)
    record: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return record


@pytest.mark.parametrize(
    "name", ["pamr", *(pytest.param(name, marks=pytest.mark.slow) for name in KERNELS if name != "pamr")]
)
def test_a_kernel_runs_and_is_written_up(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = kernel(monkeypatch, tmp_path, name, *KERNELS[name].split())
    assert record["machine"]["versions"]["torch"]
    assert record["machine"]["threads"] == 1
    assert all(row["peak MB"] >= 0 for row in record["rows"])
    differences = [row.get("max difference") or 0 for row in record["rows"]]
    assert max(differences) < 5e-5
    page = tmp_path / "page.md"
    page.write_text(f"# Page\n<!-- table:{name} -->\nOUTDATED\n<!-- end -->\nrest\n", encoding="utf-8")
    run(monkeypatch, "report", "--into", page, "--results", tmp_path)
    text = page.read_text(encoding="utf-8")
    assert text.startswith(f"# Page\n<!-- table:{name} -->\n| ")
    assert text.endswith(".\n<!-- end -->\nrest\n")
    assert "OUTDATED" not in text
    assert text.count("\n|") == len(record["rows"]) + 2


@pytest.mark.slow
def test_both_forms_of_a_kernel_stand_side_by_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = kernel(monkeypatch, tmp_path, "paths", "--cases", "24,5,2")["rows"]
    assert [row["way"] for row in rows] == ["weakseg", "gathered paths"]
    assert rows[0]["times faster"] == pytest.approx(rows[1]["s"] / rows[0]["s"])
    assert rows[0]["pairs"] == 2 * 34 * 20 * 16


@pytest.mark.slow
def test_dense_crf_of_a_voc_photo_stays_below_a_gigabyte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = kernel(monkeypatch, tmp_path, "crf", "--batch", "1")["rows"]
    assert all(row["peak MB"] < 1000 for row in rows if row["way"].startswith("lattice"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "arguments"), [("paths", ["--cases", "24,5,3"]), ("walk", ["--sizes", "5x6", "40x50"])]
)
def test_what_does_not_fit_is_computed(
    name: str, arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = kernel(monkeypatch, tmp_path, name, *arguments, "--limit-gb", "0.0001")["rows"]
    assert "not run" in rows[-1]["way"]
    assert rows[-1]["s"] == rows[-2]["times faster"] == ""
    assert rows[-1]["peak MB"] > 0
    assert rows[-2]["max difference"] < 5e-5


def test_what_a_canvas_costs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(2):
        Image.new("RGB", (40, 30), "red").save(tmp_path / f"{number}.jpg")
    page = tmp_path / "page.md"
    page.write_text("# Page\n<!-- table:canvas -->\n<!-- end -->\n", encoding="utf-8")
    options = ("--canvas", "160", "--backbone", "test_resnet", "--long-side", "60", "--into", str(page))
    rows = kernel(monkeypatch, tmp_path, "canvas", str(tmp_path), *options)["rows"]
    assert [row["canvas"] for row in rows] == ["photo", "160"]
    assert rows[1]["times"] == pytest.approx(rows[1]["CPU s"] / rows[0]["CPU s"])
    text = page.read_text(encoding="utf-8")
    assert "| photo |" in text
    assert "2 photos of 3 thousand pixels" in text


@pytest.mark.skipif(torch.cuda.is_available(), reason="has a GPU")
def test_a_missing_gpu_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        run(monkeypatch, "pamr", "--device", "cuda")
    assert "finds no GPU here" in capsys.readouterr().err


def measured(walk: list[float], other: float = 45.0) -> list[dict[str, Any]]:
    """Rows of `refinements.measure` of two seeds: scores of IRNet's walk, and one score of every other row."""
    rows = importlib.import_module("refinements").ROWS
    common = {
        "best_cam": 42.0,
        "refine_seconds": 0.25,
        "relate_seconds": None,
        "images": 9,
        "machine": {"name": "Processor", "threads": 2},
        "libraries": {"torch": "2.9"},
        "chosen": "nothing",
        "finished": "2026-01-01",
        "weakseg": "0.1",
    }
    return [
        {"name": name, "seed": seed, "cam": cam, "miou": score if name == "+ IRNet walk" else other, **common}
        for name in rows
        for seed, cam, score in zip((0, 4), (40.0, 42.0), walk, strict=True)
    ]


GIVEN = argparse.Namespace(seeds=[0, 4], data="voc:some/where/photos", split="train", overlays=["small"])


def test_the_readme_s_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], finished_run: Any
) -> None:
    run(monkeypatch, "picture", finished_run.folder, "--out", tmp_path / "demo.png")
    with Image.open(tmp_path / "demo.png") as picture:
        assert picture.mode == "P"
        colours = {colour for _, colour in picture.convert("RGB").getcolors(1 << 16) or ()}
    assert {voc_palette()[value] for value in tiny.CLASSES.values()} <= colours  # the legend's, exact
    assert (tmp_path / "demo.png").stat().st_size <= 300_000
    with pytest.raises(SystemExit):
        run(monkeypatch, "picture", tmp_path, "--out", tmp_path / "none.png")
    assert "no manifest.json" in capsys.readouterr().err


def test_what_doubt_is_worth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, finished_run: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, "doubt", finished_run.folder, "--name", "photos")
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].startswith("| photos | ")
    doubtful, random = (line.split(" | ")[2:] for line in lines if "first |" in line or "random |" in line)
    assert doubtful[0] == random[0]  # nothing corrected yet
    assert doubtful[-1] == random[-1] == "100.0 |"
    assert float(doubtful[0]) < 100


@pytest.mark.slow
def test_labelling_is_measured_and_reckoned_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, finished_run: Any
) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- table:label -->\n<!-- end -->\n", encoding="utf-8")
    photos = f"voc:{finished_run.photos}"
    run(monkeypatch, "label", finished_run.folder, photos, "--engines", "local", "--part", 2, "--into", page)
    text = page.read_text(encoding="utf-8")
    rates = [float(line.split(" | ")[4]) for line in text.splitlines() if line.startswith("| local | 1 | ")]
    assert all(rate > 0 for rate in rates)
    assert "12 photos of " in text
    assert "seed 0" in text
    machines = [line.split(" | ") for line in text.splitlines() if re.match(r"\| 10?0? \|", line)]
    assert [cells[0] for cells in machines] == ["| 1", "| 10", "| 100"]
    hours = [float(cells[3].removesuffix(" |")) for cells in machines]
    assert hours[0] == hours[1] == hours[2]
    rate = float(re.search(r"from ([\d.]+) photos a second and core", text)[1])  # type: ignore[index]
    assert hours[0] == pytest.approx(10_000_000 / (64 * rate) / 3600, rel=0.01, abs=1)


def test_calibration_error_is_the_distance_of_equal_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module("doubt")
    expected = torch.linspace(0, 1, 100).numpy()
    assert module.calibration_error(expected, expected) == 0
    assert module.calibration_error(expected, expected - 0.25) == pytest.approx(0.25)


def test_the_pictures_of_the_pages_are_small() -> None:
    images = ROOT / "docs" / "images"
    assert (images / "demo.png").stat().st_size <= 300_000
    assert (images / "opening.webp").stat().st_size <= 300_000
    assert sum(path.stat().st_size for path in images.glob("walk-*")) <= 400_000


@pytest.mark.slow
def test_the_opening_picture(finished_run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if executable() is None:
        pytest.skip("no browser")
    run(monkeypatch, "opening", finished_run.folder, "--out", tmp_path / "opening.webp")
    with Image.open(tmp_path / "opening.webp") as picture:
        assert picture.format == "WEBP"
        assert picture.width == 1240


def test_table_of_refinements() -> None:
    module = importlib.import_module("refinements")
    rows = measured([50.0, 55.0])
    lines = module.full_table(rows, GIVEN).splitlines()
    assert lines[0].split(" | ")[1:5] == ["seed 0", "seed 4", "mean", "spread"]
    assert "| CAM, the recipe's threshold | 40.0 | 42.0 | 41.0 | 2.0 |  |  |  |" in lines
    assert "| + IRNet walk | 50.0 | 55.0 | 52.5 | 5.0 | +11.5 | 0.25 |  |" in lines
    verdict = "Best: IRNet walk, 11.5 points over the CAM and 10.5 over the CAM at its best threshold; all beat the CAM"
    assert any(line.startswith(verdict) for line in lines)
    assert "`voc:photos`, 9 photos of train, overlays small, seeds 0, 4" in lines[-1]
    assert "| + IRNet walk | 52.5 | +11.5 | 0.25 |" in module.short_table(rows, GIVEN)


def test_a_refinement_that_loses_is_named() -> None:
    module = importlib.import_module("refinements")
    assert module.verdict(measured([41.0, 42.0])).endswith("not better than the CAM in every seed: IRNet walk.")


@pytest.mark.slow
def test_refinements_of_both_networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module("refinements")
    few = ("+ PAMR", "+ AffinityNet walk", "+ IRNet walk")
    monkeypatch.setattr(module, "ROWS", {name: module.ROWS[name] for name in few})
    data = tiny.write_photos(tmp_path / "photos")
    overlay, page = tiny.write_overlay(tmp_path), tmp_path / "page.md"
    page.write_text("<!-- table:x -->\n<!-- end -->\n<!-- table:x-short -->\n<!-- end -->\n", encoding="utf-8")
    arguments = ["--data", f"voc:{data}", "--overlays", "small", overlay, "--out", tmp_path / "runs", "--device", "cpu"]
    arguments += ["--table", "x", "--into", page, "--short", page]
    monkeypatch.setattr(sys, "argv", ["refinements", *map(str, arguments)])
    module.main()
    text = page.read_text(encoding="utf-8")
    assert all(text.count(f"\n| {name} | ") == 2 for name in few)
    training = [line.split(" | ")[-1] for line in text.splitlines() if line.startswith("| + IRNet walk")]
    assert float(training[0].removesuffix(" |")) > 0
    manifest = tmp_path / "runs" / "train-seed0" / "manifest.json"
    changed = manifest.stat().st_mtime_ns
    module.main()
    assert manifest.stat().st_mtime_ns == changed  # nothing was run again
    assert page.read_text(encoding="utf-8") == text


def commands(text: str) -> Iterator[list[str]]:
    """The command lines of a text; a remark may follow after two spaces."""
    for line in re.findall(r"^ *(?:weakseg|python benchmarks/\w+\.py)\b.*$", text, flags=re.M):
        yield shlex.split(re.split(r"\s{2,}", line.strip())[0])


class ParsedError(Exception):
    """The command line was understood."""


@pytest.mark.slow
def test_the_pictures_of_the_guides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, finished_run: Any) -> None:
    run(monkeypatch, "guide_pictures", "--only", "refined", "--into", tmp_path)
    with Image.open(tmp_path / "refined.png") as picture:
        colours = {colour for _, colour in picture.convert("RGB").getcolors(1 << 18) or ()}
    assert {voc_palette()[value] for value in (4, 6)} <= colours  # fish and taxi
    if browser.executable() is None:
        pytest.skip("no Chromium on this machine")
    pictures = importlib.import_module("guide_pictures")
    assert pictures.report(finished_run.folder).size == (1280, 900)
    assert pictures.review(finished_run.folder).size == (1280, 760)
    assert not (finished_run.folder.parent / "run-reviews").exists()


@pytest.mark.parametrize("path", [ROOT / "docs" / "refinement.md", *sorted(SCRIPTS.glob("*.py"))], ids=lambda p: p.name)
def test_commands_are_understood(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopping(parse: Callable[[argparse.ArgumentParser], object]) -> Callable[[argparse.ArgumentParser], None]:
        def parsed(self: argparse.ArgumentParser) -> None:
            parse(self)
            raise ParsedError

        return parsed

    for name in ("parse_args", "parse_intermixed_args"):
        monkeypatch.setattr(argparse.ArgumentParser, name, stopping(getattr(argparse.ArgumentParser, name)))
    for command in commands(path.read_text(encoding="utf-8")):
        if command[0] == "python":
            with pytest.raises(ParsedError):
                run(monkeypatch, Path(command[1]).stem, *command[2:])
        elif command[1] == "run":
            options = dict(zip(command[3:-1:2], command[4::2], strict=False))
            overrides = [word for word in command if "=" in word]
            assert load_recipe(command[2], [options["--with"]], overrides)


def test_examples_of_the_guide_run() -> None:
    examples = re.findall(r"^```python\n(.*?)^```", GUIDE, flags=re.S | re.M)
    assert len(examples) == 4
    for example in examples:
        exec(compile(example, "docs/refinement.md", "exec"), {})


def test_presets_of_the_guide() -> None:
    rows = re.findall(r"^\| ([\w-]+) \| (\d+) \| (\d+), (\d+) \| (\d+), (\d+), (\d+) \|", GUIDE, flags=re.M)
    told = {name: tuple(map(float, figures)) for name, *figures in rows}
    assert told == {
        name: (p.iterations, p.gaussian_sxy, p.gaussian_weight, p.bilateral_sxy, p.bilateral_srgb, p.bilateral_weight)
        for name, p in PRESETS.items()
    }


def test_published_settings_of_the_guide() -> None:
    recipes = {name: load_recipe(name).model_dump(mode="json") for name in ("affinitynet", "irnet")}
    rows = re.findall(r"^\| (`.*?`) \| ([^|]+) \|", GUIDE, flags=re.M)
    checked = 0
    for keys, figures in rows:
        names = re.findall(r"`([\w.]+)`", keys)
        if "." not in names[0]:
            continue
        prefix = names[0].rpartition(".")[0]
        for name, figure in zip(names, figures.split(", "), strict=True):
            path = name if "." in name else f"{prefix}.{name}"
            recipe = recipes["irnet" if "irnet" in path or "boundary" in path else "affinitynet"]
            value: Any = recipe
            for key in path.split("."):
                value = value[key]
            value = value["threshold"] if isinstance(value, dict) else value
            assert value == (float(figure) if figure[0].isdigit() else figure), path
            checked += 1
    assert checked == 17


def test_make_bench_runs_every_kernel() -> None:
    names = re.search(r"for name in ([\w ]+); do", (ROOT / "Makefile").read_text(encoding="utf-8"))
    assert names is not None
    assert names[1].split() == sorted(KERNELS)
    places = re.findall(r"<!-- table:([\w-]+) -->", GUIDE)
    assert set(places) >= {*KERNELS, "refinements", "refinements-all"}


@pytest.mark.slow
def test_planned_runs_are_written_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos = f"voc:{tiny.write_photos(tmp_path / 'photos')}"
    weak = load_recipe("auto", [], [*tiny.overrides(), *tiny.AUTO])
    changes = ["stages=[segment, predict, evaluate]", "segment.targets=truth", "segment.start=backbone"]
    upper = load_recipe("auto", [], [*tiny.overrides(), *tiny.AUTO, *changes])
    for name, recipe in {"weak": weak, "upper": upper}.items():
        weakseg.run(recipe, photos, tmp_path / name)
    page = tmp_path / "page.md"
    page.write_text("<!-- table:auto -->\n<!-- end -->\n<!-- table:stages -->\n<!-- end -->\n", encoding="utf-8")
    run(monkeypatch, "auto", f"{tmp_path / 'weak'}:{tmp_path / 'upper'}", "--name", "boxes", "--into", page)
    run(monkeypatch, "stages", tmp_path / "weak", "--into", page)
    text = page.read_text(encoding="utf-8")
    scores = json.loads((tmp_path / "weak" / "metrics.json").read_text(encoding="utf-8"))
    masks = 100 * scores["selftrain"]["scores"]["miou_present"]
    assert f"| {masks:.1f} |" in next(line for line in text.splitlines() if line.startswith("| boxes |"))
    assert "boxes: 9 training, 3 val photos" in text
    assert "| selftrain | deeplabv3plus, 3 epochs |" in text


@pytest.mark.slow
def test_stages_of_one_and_two_processes_stand_side_by_side(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """That two are faster is for an idle machine to show."""
    data, overlay = f"voc:{tiny.write_photos(tmp_path / 'photos')}", tiny.write_overlay(tmp_path)
    stages = "stages=[classify, localize, relate, refine, evaluate]"
    run(monkeypatch, "devices", "--recipe", "affinitynet", "--with", overlay, "--data", data, stages)
    header, _, *rows, blank, told = capsys.readouterr().out.splitlines()
    assert blank == ""
    assert told.startswith("Seconds of the stages of `affinitynet --with ")
    assert "photo stages: localize, refine." in told
    assert header == "| stage | 1 process, s | 2 processes, s | times faster with 2 |"
    cells = [row.strip("| ").split(" | ") for row in rows]
    assert [row[0] for row in cells] == ["classify", "localize", "relate", "refine", "photo stages"]
    assert all(float(figure) >= 0 for row in cells for figure in row[1:])
