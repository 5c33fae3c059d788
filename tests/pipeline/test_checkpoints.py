"""Runs whose networks come trained from another run; those of the authors are in tests/models/test_released.py."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import tiny
from weakseg.pipeline.rundir.run import Run

STAGES = ("classify", "localize", "relate", "refine")


def arguments(photos: Path, folder: Path, *more: str, recipe: str) -> list[str]:
    return tiny.run_arguments(photos, folder, f"stages=[{','.join(STAGES)}]", *more, recipe=recipe)


def given(run: Path) -> list[str]:
    return [f"{stage}.checkpoint={run / stage / 'weights.safetensors'}" for stage in ("classify", "relate")]


@pytest.fixture(scope="module", params=["affinitynet", "irnet"])
def trained(request, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A recipe, and a folder with ``photos`` and the finished ``run``."""
    root = tmp_path_factory.mktemp(request.param)
    ended = tiny.weakseg(*arguments(tiny.write_photos(root / "photos"), root / "run", recipe=request.param))
    assert ended.code == 0, ended.err
    return request.param, root


def test_given_networks_are_kept_as_they_are(trained, tmp_path: Path):
    recipe, root = trained
    ended = tiny.weakseg(*arguments(root / "photos", tmp_path / "run", *given(root / "run"), "seed=5", recipe=recipe))
    assert ended.code == 0, ended.err
    for stage in ("classify", "relate"):
        # The seed is another one: trained networks would differ.
        kept = load_file(tmp_path / "run" / stage / "weights.safetensors")
        there = load_file(root / "run" / stage / "weights.safetensors")
        assert all(torch.equal(kept[key], there[key]) for key in there | kept)
        assert Run(tmp_path / "run").record(stage)["summary"]["steps"] == 0
    origin = json.loads((tmp_path / "run" / "manifest.json").read_text())["weights"]["classify"]["origin"]
    assert origin["checkpoint"] == str(root / "run" / "classify" / "weights.safetensors")
    masks = [path.name for path in (root / "run" / "refine" / "masks").iterdir()]
    assert masks
    for name in masks:
        assert (tmp_path / "run/refine/masks" / name).read_bytes() == (root / "run/refine/masks" / name).read_bytes()


def test_another_file_of_the_same_name_is_noticed(trained, tmp_path: Path):
    recipe, root = trained
    file = tmp_path / "cam.safetensors"
    there = load_file(root / "run" / "classify" / "weights.safetensors")
    keys = []
    for factor in (1.0, 2.0):
        save_file(there | {"classifier.weight": factor * there["classifier.weight"]}, file)
        more = (f"classify.checkpoint={file}", "stages=[classify]")
        ended = tiny.weakseg(*arguments(root / "photos", tmp_path / "run", *more, recipe=recipe))
        assert ended.code == 0, ended.err
        keys.append(Run(tmp_path / "run").record("classify")["key"])
    assert keys[0] != keys[1]
    kept = load_file(tmp_path / "run" / "classify" / "weights.safetensors")
    assert torch.equal(kept["classifier.weight"], 2 * there["classifier.weight"])


def test_a_network_counts_by_its_content_wherever_it_lies(trained, tmp_path: Path):
    recipe, root = trained
    there = root / "run" / "classify" / "weights.safetensors"
    for file in (there, Path(shutil.copy(there, tmp_path / "cam.safetensors"))):
        more = (f"classify.checkpoint={file}", "stages=[classify,localize]")
        ended = tiny.weakseg(*arguments(root / "photos", tmp_path / "run", *more, recipe=recipe))
        assert ended.code == 0, ended.err
    assert "localize: done before, unchanged" in ended.err + ended.out


@pytest.mark.parametrize("content", ['["cat", "cow"]', '{"names": 3}', "no JSON"])
def test_a_file_of_that_name_that_is_no_runs_is_left_alone(trained, tmp_path: Path, content: str):
    recipe, root = trained
    (tmp_path / "classes.json").write_text(content)
    (tmp_path / "models").mkdir()
    file = shutil.copy(root / "run" / "classify" / "weights.safetensors", tmp_path / "models" / "cam.safetensors")
    more = (f"classify.checkpoint={file}", "stages=[classify]")
    ended = tiny.weakseg(*arguments(root / "photos", tmp_path / "run", *more, recipe=recipe))
    assert ended.code == 0, ended.err
    assert (tmp_path / "classes.json").read_text() == content


def test_a_run_does_not_delete_what_it_is_given(trained, tmp_path: Path):
    recipe, root = trained
    folder = shutil.copytree(root / "run", tmp_path / "run")
    for stage in ("classify", "relate"):
        file = folder / stage / "weights.safetensors"
        ended = tiny.weakseg(*arguments(root / "photos", folder, f"{stage}.checkpoint={file}", recipe=recipe))
        line = tiny.error_line(ended)
        assert f"{stage}.checkpoint: {file} lies where this run writes" in line
        assert "choose another --out" in line
        assert file.is_file()


def test_a_network_of_other_classes_is_refused(trained, tmp_path: Path):
    recipe, root = trained
    other = shutil.copytree(root / "run", tmp_path / "other")
    classes = json.loads((other / "classes.json").read_text())
    (other / "classes.json").write_text(json.dumps(classes | {"names": classes["names"][::-1]}))
    ended = tiny.weakseg(*arguments(root / "photos", tmp_path / "run", *given(other), recipe=recipe))
    assert "was trained for the classes dog, cow, cat, not cat, cow, dog" in tiny.error_line(ended)
    # An ablation says it before its first row is run.
    fitting = root / "run" / "classify" / "weights.safetensors"
    arguments_ = ["ablate", recipe, "--with", str(tiny.write_overlay(tmp_path)), "--data", f"voc:{root / 'photos'}"]
    vary = f"classify.checkpoint={fitting},{other / 'classify' / 'weights.safetensors'}"
    ended = tiny.weakseg(*arguments_, "--vary", vary, "--out", str(tmp_path / "ablation"), "--seeds", "1")
    assert "was trained for the classes dog, cow, cat, not cat, cow, dog" in tiny.error_line(ended)
    assert not (tmp_path / "ablation").exists()


def test_the_curve_of_a_training_goes_with_its_network(trained, tmp_path: Path):
    recipe, root = trained
    folder = shutil.copytree(root / "run", tmp_path / "run")
    assert {row["stage"] for row in Run(folder).log.rows()} == {"classify", "relate"}
    ended = tiny.weakseg(
        *arguments(root / "photos", folder, given(root / "run")[0], "stages=[classify]", recipe=recipe)
    )
    assert ended.code == 0, ended.err
    assert "classify" not in {row["stage"] for row in Run(folder).log.rows()}


def test_a_wrong_file_is_told_before_anything_is_written(trained, tmp_path: Path):
    recipe, root = trained
    other = root / "run" / "relate" / "weights.safetensors"
    for key, file in (("classify.checkpoint", other), ("relate.checkpoint", tmp_path / "none.pth")):
        ended = tiny.weakseg(*arguments(root / "photos", tmp_path / "run", f"{key}={file}", recipe=recipe))
        assert ended.code == 2
        line = tiny.error_line(ended)
        assert key in line
        assert str(file) in line
    assert not (tmp_path / "run" / "recipe.yaml").exists()


def test_a_given_segmentation_network_is_taken_as_it_is(tmp_path: Path):
    photos, small = tiny.write_photos(tmp_path / "photos"), "segment.deeplabv1={width: 8, rate: 1}"
    choice = ("segment.network=deeplabv1", small)
    first = tiny.run_arguments(photos, tmp_path / "first", "stages=[segment]", "segment.targets=truth", *choice)
    assert tiny.weakseg(*first).code == 0
    weights = tmp_path / "first" / "segment" / "weights.safetensors"
    more = ("stages=[segment,predict,evaluate]", f"segment.checkpoint={weights}", *choice)
    ended = tiny.weakseg(*tiny.run_arguments(photos, tmp_path / "second", *more))
    assert ended.code == 0, ended.err
    kept = load_file(tmp_path / "second" / "segment" / "weights.safetensors")
    assert all(torch.equal(value, kept[name]) for name, value in load_file(weights).items())
    assert Run(tmp_path / "second").record("segment")["summary"]["steps"] == 0
    assert "is a trained segmentation network: masks that it has learnt from are not known here" in ended.out
    other = ("stages=[segment,predict,evaluate]", f"segment.checkpoint={weights}", "segment.network=deeplabv2")
    line = tiny.error_line(tiny.weakseg(*tiny.run_arguments(photos, tmp_path / "third", *other)))
    assert f"segment.checkpoint: {weights}: " in line
