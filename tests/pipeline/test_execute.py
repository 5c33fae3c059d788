import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file

import tiny
from weakseg.data.classmaps import load_maps
from weakseg.data.images import read_mask
from weakseg.data.source import SOURCES, open_source
from weakseg.pipeline.bindings import ALL
from weakseg.pipeline.rundir.run import Run
from weakseg.report import run as report

QUICK = (
    "localize.scales=[0.25]",
    "predict.scales=[0.25]",
    "relate.affinitynet.crf=null",
    "refine.steps=[background,walk]",
    *(f"{part}.train.epochs=1" for part in ("classify", "relate.affinitynet", "relate.irnet", "segment")),
)
"""Settings for photos of more than a few pixels."""

STAGES = ("classify", "localize", "relate", "refine", "segment", "predict", "evaluate")


def manifest(folder):
    return json.loads((folder / "manifest.json").read_text())


def metrics(folder):
    return json.loads((folder / "metrics.json").read_text())


def values_of(tags):
    return {0} | {tiny.CLASSES[tag] for tag in tags.split()}


def check_weak_masks(folder, source):
    """Maps and pseudo masks hold tagged classes only."""
    classes = source.classes
    for sample in source.image_set("train").samples:
        shape = sample.read_image().shape[:2]
        maps = load_maps(folder / "localize" / "maps" / f"{sample.id}.safetensors")
        labels = {classes.index(tag) + 1 for tag in sample.tags}
        assert set(maps.classes) == labels
        assert maps.size == shape
        assert len(maps.scores) == len(labels)
        if labels:
            assert 0 <= maps.scores.min() <= maps.scores.max() <= 1
        mask = read_mask(folder / "refine" / "masks" / f"{sample.id}.png")
        confidence = read_mask(folder / "refine" / "confidence" / f"{sample.id}.png")
        assert mask.shape == confidence.shape == shape
        assert set(np.unique(mask)) <= {0, *(classes.values[label - 1] for label in labels)}


def check_scores(folder, classes, stages=("localize", "refine", "predict")):
    found = metrics(folder)
    assert tuple(found) == stages
    for stage, entry in found.items():
        scores = entry["scores"]
        assert 0 <= scores["miou_all"] <= scores["miou_present"] <= 1
        assert list(scores["iou"]) == ["background", *classes.names]
        assert ("best" in entry) == (stage == "localize")
        assert entry["left_out"] == []
    return found


def test_every_output_is_there(finished_run):
    folder = finished_run.folder
    for stage in STAGES:
        assert Run(folder).record(stage)["done"] is True
        assert not (folder / stage / "state.pt").exists()
    for stage in ("classify", "relate", "segment"):
        assert load_file(folder / stage / "weights.safetensors")
    for place, suffix, names in (
        ("localize/maps", ".safetensors", tiny.TRAIN),
        ("refine/masks", ".png", tiny.TRAIN),
        ("refine/confidence", ".png", tiny.TRAIN),
        ("predict/masks", ".png", tiny.VAL),
    ):
        assert {path.name for path in (folder / place).iterdir()} == {f"{name}{suffix}" for name in names}
    for sheet in ("train", "val"):
        with Image.open(folder / "pictures" / f"{sheet}.png") as picture:
            assert min(picture.size) > 100
    assert not list(folder.rglob("*.tmp"))


def test_masks_hold_tagged_classes_only(finished_run):
    check_weak_masks(finished_run.folder, open_source(f"voc:{finished_run.photos}"))


def test_a_photo_without_tags_is_all_background(finished_run):
    path = finished_run.folder / "refine" / "masks" / f"{tiny.UNTAGGED}.png"
    assert not read_mask(path).any()
    assert load_maps(finished_run.folder / "localize" / "maps" / f"{tiny.UNTAGGED}.safetensors").classes == ()
    confidence = read_mask(finished_run.folder / "refine" / "confidence" / f"{tiny.UNTAGGED}.png")
    assert (confidence == 255).all()


def test_masks_are_palette_pngs_of_vocs_values(finished_run):
    with Image.open(finished_run.folder / "refine" / "masks" / "p6.png") as mask:
        assert mask.mode == "P"
        assert mask.getpalette()[3 * 8 : 3 * 8 + 3] == [64, 0, 0]
    for name in tiny.VAL:
        with Image.open(finished_run.folder / "predict" / "masks" / f"{name}.png") as mask:
            assert set(np.unique(np.asarray(mask))) <= {0, 8, 10, 12}


def test_metrics_give_both_means_and_mark_what_uses_masks(finished_run):
    source = open_source(f"voc:{finished_run.photos}")
    found = check_scores(finished_run.folder, source.classes)
    assert found["localize"]["best"]["uses_masks"] is True
    assert found["localize"]["best"]["scores"]["miou_present"] >= found["localize"]["scores"]["miou_present"]
    assert [found[stage]["images"] for stage in found] == [9, 9, 3]
    assert [found[stage]["split"] for stage in found] == ["train", "train", "val"]


def test_the_manifest_says_what_a_result_depends_on(finished_run):
    found = manifest(finished_run.folder)
    assert {"weakseg", "libraries", "machine", "started", "finished", "peak_memory_mib", "weights"} <= set(found)
    assert found["libraries"].keys() >= {"torch", "timm", "python"}
    assert (found["recipe"], found["seed"], found["data"]) == ("affinitynet", 0, f"voc:{finished_run.photos}")
    assert found["lists"]["train"]["images"] == 9
    assert found["lists"]["val"]["images"] == 3
    assert len(found["lists"]["train"]["hash"]) == 16
    assert found["masks_used"]["for_training"] is False
    assert found["left_out"] == []
    assert tuple(found["stages"]) == STAGES
    assert all(record["done"] and record["seconds"] >= 0 and record["key"] for record in found["stages"].values())
    assert found["metrics"] == metrics(finished_run.folder)


def test_the_same_command_again_leaves_the_manifest(finished_run, tmp_path):
    folder = shutil.copytree(finished_run.folder, tmp_path / "run")
    before = (folder / "manifest.json").read_bytes()
    ended = tiny.weakseg(*tiny.run_arguments(finished_run.photos, folder))
    assert ended.code == 0, ended.err
    assert (folder / "manifest.json").read_bytes() == before
    moved = shutil.copytree(finished_run.photos, tmp_path / "moved")
    ended = tiny.weakseg(*tiny.run_arguments(moved, folder))
    assert ended.code == 0, ended.err
    assert manifest(folder) == json.loads(before) | {"data": f"voc:{moved}"}
    record = folder / "classify" / "stage.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"peak_memory_mib": 99999}))
    ended = tiny.weakseg(*tiny.run_arguments(moved, folder, "localize.background.threshold=0.3"))
    assert ended.code == 0, ended.err
    assert manifest(folder)["metrics"] != json.loads(before)["metrics"]
    assert manifest(folder)["finished"] > json.loads(before)["finished"]
    assert manifest(folder)["peak_memory_mib"] == 99999


def test_the_log_holds_loss_rate_and_speed_of_every_training(finished_run):
    rows = Run(finished_run.folder).log.rows()
    assert [row["stage"] for row in rows] == ["classify", "relate", "segment"]
    assert all(row["loss"] > 0 and row["lr"] > 0 and row["images_per_second"] > 0 for row in rows)
    assert [row["step"] for row in rows] == [6, 6, 6]


def test_the_command_prints_the_table_and_where_things_are(finished_run):
    text = finished_run.ended.out
    for stage in STAGES:
        assert stage in text
    assert "uses masks" in text
    assert "mIoU" in text
    assert str(finished_run.folder / "pictures" / "train.png") in text.replace("\n", "")


@pytest.fixture
def spied(monkeypatch, finished_run):
    """A source ``spy:`` whose training masks may be opened while ``spy.allowed`` only; says how many were."""

    class Spy:
        allowed = False
        opened = 0

        def guard(self, sample):
            def open_mask():
                assert self.allowed, f"mask of {sample.id} opened"
                self.opened += 1
                return sample.read_mask()

            return replace(sample, mask=open_mask)

    spy = Spy()

    def open_spy(path):
        source = open_source(f"voc:{path}")
        splits = {name: [spy.guard(sample) for sample in samples] for name, samples in source.splits.items()}
        return replace(source, splits=splits)

    def during(stage):
        def work(context):
            spy.allowed = True
            try:
                return stage.work(context)
            finally:
                spy.allowed = False

        return replace(stage, work=work)

    monkeypatch.setitem(SOURCES.registered, "spy", open_spy)

    def drawn(context):
        spy.allowed = True
        draw(context)
        spy.allowed = False

    draw = report._draw
    monkeypatch.setattr(report, "_draw", drawn)
    spy.allow = lambda name: monkeypatch.setitem(ALL, name, during(ALL[name]))
    return spy


def test_training_masks_are_opened_by_evaluate_alone(tmp_path, finished_run, spied):
    spied.allow("evaluate")
    ended = tiny.weakseg(*tiny.run_arguments(f"spy:{finished_run.photos}", tmp_path / "run"))
    assert ended.code == 0, ended.err
    assert spied.opened
    assert metrics(tmp_path / "run") == metrics(finished_run.folder)


def test_supervised_opens_training_masks_and_says_so(tmp_path, finished_run, spied):
    spied.allowed = True
    ended = tiny.weakseg(*tiny.run_arguments(f"spy:{finished_run.photos}", tmp_path / "run", recipe="supervised"))
    assert ended.code == 0, ended.err
    found = manifest(tmp_path / "run")
    assert found["masks_used"]["for_training"] is True
    assert "upper bound" in ended.out
    assert tuple(found["stages"]) == ("segment", "predict", "evaluate")
    check_scores(tmp_path / "run", open_source(f"voc:{finished_run.photos}").classes, ("predict",))
    assert not (tmp_path / "run" / "localize").exists()


def test_weak_training_is_the_same_whatever_the_training_masks_hold(tmp_path, finished_run):
    photos = tiny.write_photos(tmp_path / "photos")
    for name in tiny.TRAIN:
        (photos / "SegmentationClassAug" / f"{name}.png").write_bytes(b"no picture")
    ended = tiny.weakseg(*tiny.run_arguments(photos, tmp_path / "run"))
    assert ended.code == 0, ended.err
    for stage in ("classify", "relate", "segment"):
        weights = f"{stage}/weights.safetensors"
        assert (tmp_path / "run" / weights).read_bytes() == (finished_run.folder / weights).read_bytes()
    assert metrics(tmp_path / "run")["predict"] == metrics(finished_run.folder)["predict"]
    assert len(metrics(tmp_path / "run")["refine"]["left_out"]) == len(tiny.TRAIN)
    assert manifest(tmp_path / "run")["left_out"] == []


def test_the_same_seed_gives_the_same_run_and_another_seed_another(tmp_path, finished_run):
    ended = tiny.weakseg(*tiny.run_arguments(finished_run.photos, tmp_path / "run", "seed=1", recipe="cam"))
    assert ended.code == 0, ended.err
    first, other = (folder / "classify" / "weights.safetensors" for folder in (finished_run.folder, tmp_path / "run"))
    assert first.read_bytes() != other.read_bytes()
    assert not (tmp_path / "run" / "relate").exists()


def test_the_built_in_scenes_run_end_to_end(tmp_path):
    ended = tiny.weakseg(*tiny.run_arguments("scenes:4,seed=1", tmp_path / "run", *QUICK))
    assert ended.code == 0, ended.err
    source = open_source("scenes:4,seed=1")
    check_weak_masks(tmp_path / "run", source)
    check_scores(tmp_path / "run", source.classes)


def test_photos_of_a_few_pixels_run_like_any_other(tmp_path):
    photos = tiny.write_photos(tmp_path / "photos")
    for name, size in (("p0", (1, 1)), ("p1", (400, 3)), ("v0", (2, 90))):
        Image.new("RGB", size, "red").save(photos / "JPEGImages" / f"{name}.jpg")
        Image.new("L", size).save(photos / "SegmentationClassAug" / f"{name}.png")
    ended = tiny.weakseg(*tiny.run_arguments(photos, tmp_path / "run"))
    assert ended.code == 0, ended.err
    check_weak_masks(tmp_path / "run", open_source(f"voc:{photos}"))


def test_photos_by_folder_run_without_a_val_split_and_without_masks(tmp_path, finished_run):
    for name, tags in tiny.TRAIN.items():
        if len(tags.split()) == 1:
            path = tmp_path / "photos" / tags / f"{name}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes((finished_run.photos / "JPEGImages" / f"{name}.jpg").read_bytes())
    ended = tiny.weakseg(*tiny.run_arguments(f"folders:{tmp_path / 'photos'}", tmp_path / "run"))
    assert ended.code == 0, ended.err
    assert "no split 'val'" in ended.err
    assert (tmp_path / "run" / "refine" / "masks" / "cat" / "p0.png").is_file()
    assert "no true masks" in ended.out
    assert metrics(tmp_path / "run")["refine"]["without_mask"] == 6


def test_a_list_of_its_own_is_scored(tmp_path, finished_run):
    """As VOC's: learned from train_aug, scored on its train."""
    photos, folder = tmp_path / "photos", tmp_path / "run"
    shutil.copytree(finished_run.photos, photos)
    shutil.copytree(finished_run.folder, folder)
    (photos / "ImageSets" / "Segmentation" / "few.txt").write_text("p0\np2\n")
    ended = tiny.weakseg(*tiny.run_arguments(photos, folder, "data.score=few"))
    assert ended.code == 0, ended.err
    assert "refine: done before, unchanged" in ended.err
    found, before = metrics(folder), metrics(finished_run.folder)
    assert [(found[stage]["split"], found[stage]["images"]) for stage in ("localize", "refine")] == [("few", 2)] * 2
    assert found["refine"]["scores"] != before["refine"]["scores"]
    assert found["predict"] == before["predict"]
    assert manifest(folder)["lists"]["score"]["images"] == 2


def test_a_list_to_score_must_have_maps(tmp_path, finished_run):
    ended = tiny.weakseg(*tiny.run_arguments(finished_run.photos, tmp_path / "run", "data.score=val"))
    expected = "data.score: 3 of 3 photos of 'val' are not in data.train 'train'; they would have no maps"
    assert tiny.error_line(ended) == f"weakseg: {expected}"
    for key in ("train", "val", "score"):
        ended = tiny.weakseg(*tiny.run_arguments(finished_run.photos, tmp_path / "run", f"data.{key}=most"))
        assert f"data.{key}: unknown split of voc:{finished_run.photos} 'most'" in tiny.error_line(ended)
    bound = ("data.score=most", "stages=[segment]")
    ended = tiny.weakseg(*tiny.run_arguments(finished_run.photos, tmp_path / "run", *bound, recipe="supervised"))
    assert "data.score: unknown split" in tiny.error_line(ended)
    assert not (tmp_path / "run" / "recipe.yaml").exists()


@pytest.mark.slow
def test_real_photos_run_end_to_end(tmp_path, animals):
    lists = ("data.train=train_tiny", "data.val=val_tiny")
    ended = tiny.weakseg(*tiny.run_arguments(animals, tmp_path / "run", *lists, *QUICK))
    assert ended.code == 0, ended.err
    source = open_source(f"voc:{animals}")
    kept = replace(source, splits={"train": source.splits["train_tiny"]})
    check_weak_masks(tmp_path / "run", kept)
    found = check_scores(tmp_path / "run", source.classes)
    assert found["refine"]["images"] == 60
    assert found["predict"]["images"] == 30
