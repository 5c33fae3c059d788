"""What every command prints with --json and --quiet, and how a run ends."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

import tiny


def found(*arguments: object) -> dict[str, Any]:
    """The one JSON object that a command prints."""
    ended = tiny.weakseg(*arguments, "--json")
    assert ended.code == 0, ended.err
    (line,) = ended.out.splitlines()
    result = json.loads(line)
    assert isinstance(result, dict)
    return result


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return tiny.write_photos(tmp_path / "photos")


def test_data(photos: Path) -> None:
    (photos / "JPEGImages" / "p1.jpg").write_bytes(b"no picture")
    result = found("data", photos)
    assert (result["images"], result["classes"]) == (12, tiny.CLASSES)
    assert result["splits"]["val"] == {
        "images": 3,
        "with_mask": 3,
        "mean_tags": pytest.approx(4 / 3),
        "tags": {"cat": 1, "cow": 1, "dog": 2},
    }
    assert len(result["problems"]) == 1
    for mask in (photos / "SegmentationClassAug").iterdir():
        mask.write_bytes((photos / "SegmentationClassAug" / "p3.png").read_bytes())
    ended = tiny.weakseg("data", photos, "--json")
    assert "none holds a pixel" in tiny.error_line(ended)
    assert json.loads(ended.out)["images"] == 12


def test_recipes() -> None:
    listed = found("recipes")
    assert set(listed) == {"recipes", "overlays", "studies"}
    assert "small" in listed["overlays"]
    assert "vwe-table1" in listed["studies"]
    assert found("recipes", "vwe-table1")["content"]["name"] == "vwe-table1"
    printed = found("recipes", "cam")
    assert yaml.safe_load(printed["text"]) == printed["content"]
    rows = found("recipes", "cam", "--settings", "seed=4", "localize.scales=[1.0,2.0]")["settings"]
    values = {row["key"]: row["value"] for row in rows}
    assert (values["seed"], values["localize.scales"]) == (4, [1.0, 2.0])
    assert all(row["meaning"] for row in rows if row["key"] == "localize.stride")


def test_evaluate(photos: Path, tmp_path: Path) -> None:
    masks = shutil.copytree(photos / "SegmentationClassAug", tmp_path / "masks")
    (masks / "v0.png").write_bytes(b"broken")
    result = found("evaluate", masks, "--data", photos, "--split", "val")
    assert (result["images"], result["split"]) == (2, "val")
    assert result["scores"]["miou_present"] == 1
    assert len(result["left_out"]) == 1


def test_plan(photos: Path, tmp_path: Path) -> None:
    result = found("plan", photos, "seed=4", "--out", tmp_path / "plan.yaml")
    assert result["recipe"] == yaml.safe_load((tmp_path / "plan.yaml").read_text())
    assert result["reasons"]["seed"] == "given"
    assert result["photos"]["photos"] == 9
    assert found("plan", photos)["file"] is None


def test_predict_leaves_standard_output_to_the_result(finished_run: Any, tmp_path: Path) -> None:
    shutil.copy(finished_run.photos / "JPEGImages" / "v0.jpg", tmp_path / "v0.jpg")
    (tmp_path / "bad.jpg").write_text("hello")
    arguments = ("predict", finished_run.folder, tmp_path / "v0.jpg", tmp_path / "bad.jpg", "--out", tmp_path / "out")
    result = found(*arguments)
    assert set(result["found"]) == {"v0"}
    assert len(result["left_out"]) == 1
    assert Path(result["masks"], "v0.png").is_file()
    assert Path(result["list"]).is_file()
    quiet = tiny.weakseg(*arguments, "--overwrite", "--quiet")
    assert quiet.err.startswith("left out: ")
    assert quiet.out.startswith("1 mask in ")


def test_a_run_ends_with_its_table_its_report_and_what_to_do_next(finished_run: Any) -> None:
    folder, ended = finished_run.folder, finished_run.ended
    assert f"report: {folder / 'report.html'}" in ended.out
    steps = [" ".join(line.split()).removeprefix("next: ") for line in ended.err.splitlines()[-4:]]
    assert steps == [
        f"weakseg doubtful {folder} the masks that are worth a look first",
        f"weakseg review {folder} to accept, reject and correct them in the browser",
        f"weakseg predict {folder} PHOTOS --out MASKS masks of new photos",
        f"weakseg export {folder} --to coco the masks for another tool",
    ]
    assert "stages: classify, localize, relate, refine, segment, predict, evaluate (to do)" in ended.err


def test_a_finished_run_for_programs_quietly(finished_run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    result = found(*finished_run.arguments)
    assert result["run"] == str(finished_run.folder)
    assert result["metrics"]["refine"]["images"] == 9
    assert Path(result["report"]).is_file()
    assert result["next"][0] == f"weakseg doubtful {finished_run.folder}"
    quiet = tiny.weakseg(*finished_run.arguments, "--quiet")
    assert quiet.code == 0
    assert not [line for line in quiet.err.splitlines() if not line.startswith("data: ")]
    assert "report.html" in quiet.out
    monkeypatch.setattr("weakseg.report.run.run_and_draw", lambda *arguments, **options: None)
    assert found("demo", "--out", finished_run.folder)["metrics"] == result["metrics"]


def test_report_and_doubtful(finished_run: Any, tmp_path: Path) -> None:
    folder = shutil.copytree(finished_run.folder, tmp_path / "run")
    assert found("report", folder) == {"run": str(folder), "report": str(folder / "report.html")}
    assert len(found("doubtful", folder, "--count", 2)["photos"]) == 2


def test_export_and_import(finished_run: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = found("export", finished_run.folder, "--to", "png", "--out", out)
    assert result["counts"] == {"masks": 9}
    quiet = tiny.weakseg("export", finished_run.folder, "--to", "png", "--out", out, "--overwrite", "--quiet")
    assert (quiet.out.splitlines()[0], quiet.err) == (f"wrote 9 masks: {out}/masks, {out}/classes.txt", "")
    back = ("import", out, "--run", finished_run.folder, "--out", tmp_path / "back")
    assert found(*back)["decisions"] == {"accepted": 9}
    quiet = tiny.weakseg(*back, "--overwrite", "--quiet")
    assert quiet.out.startswith("read ")
    assert quiet.err == ""


def files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_dry_run_of_a_new_run_writes_nothing(photos: Path, tmp_path: Path) -> None:
    arguments = tiny.run_arguments(photos, tmp_path / "run", recipe="cam")
    before = files(tmp_path)
    ended = tiny.weakseg(*arguments, "--dry-run")
    assert ended.code == 0, ended.err
    assert ended.out.count(" to do ") == 6
    assert "disk: about" in ended.out
    assert "dry run: nothing was trained, and nothing written" in ended.out
    assert files(tmp_path) == before
    assert "unknown key" in tiny.error_line(tiny.weakseg(*arguments, "localize.treshold=1", "--dry-run"))


def test_a_dry_run_tells_what_stays_and_why_the_rest_does_not(finished_run: Any, tmp_path: Path) -> None:
    folder = shutil.copytree(finished_run.folder, tmp_path / "run")
    next((folder / "localize" / "maps").glob("*.safetensors")).unlink()
    (folder / "classify" / "stage.json").write_text(
        (folder / "classify" / "stage.json").read_text().replace('"done": true', '"done": false')
    )
    before = files(folder)
    arguments = tiny.run_arguments(finished_run.photos, folder, "predict.flip=true", "--dry-run")
    result = found(*arguments)
    fates = {name: stage["fate"] for name, stage in result["stages"].items()}
    assert fates == {
        "classify": "goes on where it stopped",
        "localize": "done anew: files of it are missing",
        **dict.fromkeys(("relate", "refine", "segment"), "done before, stays"),
        **dict.fromkeys(("predict", "evaluate"), fates["predict"]),
    }
    assert "settings" in fates["predict"]
    assert result["disk"]["held"] > 0
    anew = found(*arguments, "--overwrite")
    assert {stage["fate"] for stage in anew["stages"].values()} == {"done anew: --overwrite"}
    assert files(folder) == before


def test_a_dry_run_of_a_plan_tells_its_reasons_and_its_time(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from weakseg.planning import plan
    from weakseg.planning.rehearsal import Estimate, StageTime

    given = ("run", *tiny.overrides(), *tiny.AUTO, "--data", photos, "--out", tmp_path / "run", "--dry-run")
    near = []

    def rehearse(recipe: Any, source: Any, where: Path | None) -> Estimate:
        near.append(where)
        return Estimate({name: StageTime(60.0, 30.0) for name in recipe.stages})

    monkeypatch.setattr(plan, "rehearse", rehearse)
    result = found(*given)
    assert near == [None]  # in the system's folder for what goes, not beside the run
    assert result["seconds"] == 90 * len(result["stages"])
    assert all(choice["reason"] for choice in result["plan"])
    planned = {choice["key"] for choice in result["plan"]}
    assert {"classify.train.epochs", "selftrain.train.epochs", "segment.train.epochs"} <= planned
    assert not any(key.startswith(("relate.", "refine.boundary_walk")) for key in planned)
    ended = tiny.weakseg(*given)
    assert "classify.train.epochs=" in ended.out
    assert "relate." not in ended.out
    assert "1:30" in ended.out
    assert "planned, each with its reason" in ended.out
    assert not (tmp_path / "run").exists()
