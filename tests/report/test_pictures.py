"""The contact sheets of a run."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import tiny
from weakseg.data.classmaps import ClassMaps, load_maps, save_maps
from weakseg.data.images import voc_palette
from weakseg.data.instances import PhotoInstances, save_instances
from weakseg.data.sample import Classes, Sample
from weakseg.data.source import open_source
from weakseg.methods.irnet.instances import Instance
from weakseg.pipeline.outlook import prepare
from weakseg.pipeline.rundir.run import Run
from weakseg.report.pictures import SIZE, draw_pictures, spread, train_sheet, val_sheet
from weakseg.report.sheet import Cell, Row, Sheet, font


@pytest.fixture
def context(finished_run, tmp_path):
    """What the stages of a copy of the run share."""
    run = Run(Path(shutil.copytree(finished_run.folder, tmp_path / "run")))
    return prepare(run.read_recipe(), open_source(f"voc:{finished_run.photos}"), run, None)[0]


def of(context, *names):
    samples = [sample for role in ("train", "val") for sample in context.true_masks(role).samples]
    return [sample for name in names for sample in samples if sample.id == name]


def test_a_sheet_has_a_map_for_each_tag_in_its_class_s_colour(context):
    sheet = train_sheet(context, of(context, "p6", "p0", tiny.UNTAGGED))
    assert sheet.titles == ["photo", "map of each tag", "", "", "pseudo mask", "truth"]
    three, one, none = ([cell.label for cell in row.cells[1:4]] for row in sheet.rows)
    assert [label.removesuffix(": no evidence") for label in three] == ["cat", "cow", "dog"]
    assert [label.endswith("no evidence") for label in three] == [
        not load_maps(context.maps_path(of(context, "p6")[0])).scores[index].any() for index in range(3)
    ]
    assert one == ["cat", "", ""]
    assert none == ["no tag, no map", "", ""]
    assert sheet.rows[0].cells[1].colour == voc_palette()[tiny.CLASSES["cat"]]
    assert not (sheet.rows[0].cells[1].picture == sheet.rows[0].cells[2].picture).all()
    assert [row.caption for row in sheet.rows] == ["p6: cat, cow, dog", "p0: cat", f"{tiny.UNTAGGED}: no tag"]


def test_a_photo_of_many_tags_has_its_last_maps_in_one_place(context):
    names = tuple(f"c{number}" for number in range(9))
    classes = Classes(names, tuple(range(1, 10)), voc_palette())
    (sample,) = of(context, "p6")
    sample = replace(sample, tags=names)
    save_maps(context.maps_path(sample), ClassMaps(tuple(range(1, 10)), torch.rand(9, 4, 5), (60, 80)))
    context = replace(context, train=replace(context.train, classes=classes))
    row = train_sheet(context, [sample]).rows[0]
    assert [cell.label for cell in row.cells[1:4]] == ["c0", "c1", ", ".join(names[2:])]


def test_the_legend_names_what_is_shown(context):
    legend = train_sheet(context, of(context, "p0", "p1")).legend
    assert {name: legend[name] for name in ("cat", "cow")} == {
        name: voc_palette()[tiny.CLASSES[name]] for name in ("cat", "cow")
    }
    assert "dog" not in legend
    assert legend["ignored"] == (255, 255, 255)  # the truth's borders


def test_truth_of_no_class_is_shown_as_ignored(context):
    (sample,) = of(context, "v0")
    truth = sample.read_mask()
    truth[:] = 77
    sheet = val_sheet(context, [replace(sample, mask=lambda: truth)])
    ignored = val_sheet(context, [replace(sample, mask=lambda: np.full_like(truth, 255))])
    assert sheet.titles == ["photo", "prediction", "truth"]
    assert (sheet.rows[0].cells[-1].picture == ignored.rows[0].cells[-1].picture).all()
    assert "ignored" in sheet.legend


def test_truth_and_masks_have_the_same_colours(context):
    (sample,) = of(context, "v0")
    prediction = np.asarray(Image.open(context.prediction_path(sample)))
    cells = val_sheet(context, [replace(sample, mask=lambda: prediction)]).rows[0].cells
    assert (cells[1].picture == cells[2].picture).all()


def test_missing_and_broken_truth_is_said(context, tmp_path):
    first, second, third = of(context, "v0", "v1", "v2")
    (tmp_path / "broken.png").write_text("no picture")
    samples = [replace(first, mask=None), replace(second, mask=tmp_path / "broken.png"), third]
    labels = [row.cells[-1].label for row in val_sheet(context, samples).rows]
    assert labels == ["none", "cannot be read", ""]
    assert val_sheet(context, [replace(first, mask=None)]).titles == ["photo", "prediction"]


def test_objects_have_colours_of_their_own_and_names(context):
    (sample,) = of(context, "p6")
    height, width = sample.read_image().shape[:2]
    mask = torch.zeros(height, width, dtype=torch.bool)
    mask[10:30, 5:40] = True
    found = [Instance(1, 0.9, mask), Instance(3, 0.8, mask.flip(0)), Instance(2, 0.0, torch.ones_like(mask))]
    photo = PhotoInstances(sample.id, "x.jpg", (height, width), tuple(found))
    context = replace(context, recipe=context.recipe.model_copy(update={"stages": ("instances",)}))
    save_instances(context.instances_path(sample), [photo], context.train.classes)
    sheet = train_sheet(context, [sample])
    picture = sheet.rows[0].cells[1].picture
    colours = {tuple(colour) for colour in picture.reshape(-1, 3).tolist() if len(set(colour)) > 1}
    assert colours
    assert not colours & {voc_palette()[value] for value in tiny.CLASSES.values()}


def test_sheets_of_an_earlier_recipe_go_and_are_not_told(context, finished_run):
    folder = context.run.folder / "pictures"
    train, val = context.scored(), context.true_masks("val")
    assert [path.name for path in draw_pictures(context, train, val)] == ["train.png", "val.png"]
    fewer = replace(context, recipe=context.recipe.model_copy(update={"stages": ("classify", "localize")}))
    assert draw_pictures(fewer, train, val) == [folder / "train.png"]
    assert [path.name for path in folder.iterdir()] == ["train.png"]
    assert [title for title in train_sheet(fewer, train.samples[:1]).titles] == ["photo", "map", "truth"]
    assert f"pictures: {finished_run.folder}/pictures/train.png" in finished_run.ended.out
    ended = tiny.weakseg(*tiny.run_arguments(finished_run.photos, context.run.folder, "stages=[classify,localize]"))
    assert ended.code == 0, ended.err
    assert "pictures" not in ended.out


def test_a_sheet_holds_rows_captions_and_legend():
    picture = np.full((50, 100, 3), 7, np.uint8)
    legend = {f"class {number}": (number, 0, 0) for number in range(40)}
    small = Sheet(["a", "b"], [Row([Cell(picture), Cell(label="none")], "x" * 500)], {}, SIZE).draw()
    large = Sheet(["a", "b"], [Row([Cell(picture), Cell(label="none")], "x" * 500)], legend, SIZE).draw()
    assert small.shape[1] == large.shape[1] == 2 * SIZE[1] + 12
    assert large.shape[0] > small.shape[0] + 100
    for number in range(1, 40):
        assert (large == (number, 0, 0)).all(axis=2).any()
    assert ((small == 7).all(axis=2)).sum() >= 50 * 100
    assert small.shape[0] < 50 + 100  # a row is as high as its pictures


def test_tags_in_other_alphabets_can_be_read():
    missing = font().getmask("￿")
    for letter in "äñЖλ":
        assert bytes(font().getmask(letter)) != bytes(missing)


@pytest.mark.parametrize(("count", "wanted"), [(3, 3), (8, 8), (9, 8), (100, 8)])
def test_shown_photos_are_spread_over_the_list(count, wanted):
    samples = [Sample(str(index), lambda: None, ("cat",)) for index in range(count)]
    found = spread(samples, 8)
    assert len(found) == wanted
    assert found[0].id == "0"
    assert [int(sample.id) for sample in found] == sorted(int(sample.id) for sample in found)
    assert count <= 8 or int(found[-1].id) == count - 1


def test_every_class_is_shown_and_photos_without_a_tag_come_last():
    tags = ["dog"] * 20 + [""] * 20 + ["cat"]
    samples = [Sample(str(index), lambda: None, tuple(tag.split())) for index, tag in enumerate(tags)]
    shown = [sample.tags for sample in spread(samples, 8)]
    assert ("cat",) in shown
    assert () not in shown
    assert [sample.tags for sample in spread(samples[20:], 3)].count(("cat",)) == 1
