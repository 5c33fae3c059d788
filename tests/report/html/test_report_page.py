"""report.html of a run: one strict page with all that there is, and a reason for what there is not."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

import tiny
import weakseg
from strict_html import read_html
from weakseg.data.images import read_mask, voc_palette, write_gray, write_image
from weakseg.data.source import open_source
from weakseg.errors import WeaksegError
from weakseg.evaluation.calibration import Reliability
from weakseg.evaluation.expected import Expected
from weakseg.pipeline.masklist import write_mask_list
from weakseg.pipeline.rundir.run import Run
from weakseg.recipes.loading import load_recipe
from weakseg.report import run as running
from weakseg.report.html import page as pages
from weakseg.report.html.gallery import choose
from weakseg.report.html.page import write_report

SECTIONS = ("notes", "stages", "photos", "scores", "calibration", "settings")
LAYERS = {"localize": "Class map", "refine": "Pseudo mask", "predict": "Prediction", "truth": "Ground truth"}


@pytest.fixture
def copy(finished_run, tmp_path):
    """A copy of the run, to be changed."""
    return Path(shutil.copytree(finished_run.folder, tmp_path / "run"))


def change(folder, **entries):
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))


def made(folder, **options):
    return read_html(write_report(folder, **options).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def page(finished_run):
    """The page that the run has left."""
    return read_html((finished_run.folder / "report.html").read_text(encoding="utf-8"))


def test_a_run_ends_with_the_whole_page(page, finished_run):
    assert [section.attributes["id"] for section in page.all("section") if section.attributes["id"] != "training"] == [
        *SECTIONS
    ]
    manifest = json.loads((finished_run.folder / "manifest.json").read_text())
    assert manifest["data"] in page.one("h1").text
    assert {link.attributes["href"] for link in page.one("nav").all("a")} == {
        f"#{section.attributes['id']}" for section in page.all("section")
    }
    assert f"report: {finished_run.folder}/report.html" in finished_run.ended.out
    stages = page.one("section", id="stages").one("tbody").all("tr")
    assert [row.one("th").text for row in stages] == list(manifest["stages"])


def test_the_page_needs_nothing_else(finished_run):
    text = (finished_run.folder / "report.html").read_text(encoding="utf-8")
    page = read_html(text)
    sources = [
        element.attributes[name] for element in page.all("") for name in ("src", "href") if name in element.attributes
    ]
    assert sources
    assert all(source.startswith(("data:", "#")) for source in sources)
    assert not re.search(r"https?://|@import|url\(", text)
    assert "default-src 'none'" in page.one("meta", http_equiv="Content-Security-Policy").attributes["content"]


def test_every_photo_has_its_layers_in_the_order_of_the_stages(page):
    cards = page.one("ul", class_="gallery").all("li")
    by_list = {role: [card for card in cards if card.attributes["data-list"] == role] for role in ("train", "val")}
    assert {role: [card.one("span", class_="name").text for card in found] for role, found in by_list.items()} == {
        "train": list(tiny.TRAIN),
        "val": list(tiny.VAL),
    }
    for role, layers in (("train", ["localize", "refine", "truth"]), ("val", ["predict", "truth"])):
        for card in by_list[role]:
            assert [image.attributes["data-layer"] for image in card.all("img", class_="over")] == layers
    shown = [label.text.strip() for label in page.one("form").all("label") if label.all("input", name="layer")]
    assert shown == ["Nothing", *LAYERS.values()]
    assert all(0 <= float(card.attributes["data-miou"]) <= 1 for card in cards)
    assert all(
        0 <= float(card.attributes["data-doubt"]) <= 1
        for card in by_list["train"]
        if tiny.TRAIN[card.one("span", class_="name").text]
    )


def test_the_legend_and_the_tables_have_the_data_s_colours(page):
    chips = page.all("button", class_="chip")
    assert {chip.text: chip.one("i").attributes["style"] for chip in chips} == {
        name: "background:#{:02x}{:02x}{:02x}".format(*voc_palette()[value]) for name, value in tiny.CLASSES.items()
    }
    rows = page.one("table", class_="classes").one("tbody").all("tr")
    assert [row.one("th").text for row in rows] == ["background", *tiny.CLASSES]
    assert rows[1].one("i").attributes["style"] == chips[0].one("i").attributes["style"]


def test_figures_are_those_of_the_metrics(page, finished_run):
    metrics = json.loads((finished_run.folder / "metrics.json").read_text())
    table = page.one("table", class_="classes")
    for row in table.one("tbody").all("tr"):
        for cell, stage in zip(row.all("td"), metrics, strict=False):
            value = metrics[stage]["scores"]["iou"][row.one("th").text]
            assert float(cell.attributes["data-value"]) == pytest.approx(value, abs=1e-6)
            assert cell.text.strip() == f"{100 * value:.1f}"
    assert len(page.one("section", id="scores").all("table", class_="matrix")) == len(metrics)
    error = page.one("section", id="calibration").one("figcaption").one("b").text
    assert re.fullmatch(r"[\d.]+ %", error)


def test_calibration_is_of_the_pseudo_masks(finished_run):
    images = open_source(f"voc:{finished_run.photos}").image_set("train", masks=True)
    found = Reliability()
    for sample in images.samples:
        place = finished_run.folder / "refine"
        labels = images.classes.to_labels(read_mask(place / "masks" / f"{sample.id}.png"))
        sure = read_mask(place / "confidence" / f"{sample.id}.png")
        found.add(labels, sure, images.classes.to_labels(sample.read_mask()))
    page = read_html((finished_run.folder / "report.html").read_text(encoding="utf-8"))
    told = page.one("section", id="calibration").one("figcaption").one("b").text
    assert told == f"{100 * found.calibration().expected_error:.1f} %"


def test_settings_tell_thresholds_and_masks(page):
    pairs = page.one("section", id="settings").one("dl")
    told = {pair.one("dt").text: pair.one("dd").text for pair in pairs.all("div")}
    assert told["Masks in training"].startswith("none")
    assert told["Pseudo masks have"].startswith("background as strong as")
    assert "found with the masks" in told["Best for the maps"]
    assert "name: affinitynet" in page.one("pre").text
    assert "relate.method" in page.one("table", class_="plan").text


def test_made_again_it_is_the_same(copy, finished_run):
    before = (copy / "report.html").read_text()
    (copy / "report.html").unlink()
    ended = tiny.weakseg("report", copy)
    assert ended.code == 0, ended.err
    assert f"report: {copy}/report.html" in ended.out
    assert (copy / "report.html").read_text() == before


def test_what_comes_from_outside_is_escaped(copy):
    nasty = "<script>alert(1)</script>&amp;'\""
    change(copy, warnings=[nasty], left_out=[f"{nasty}.jpg"], data=f"csv:{nasty}")
    page = made(copy)
    notes = page.one("section", id="notes")
    assert nasty in [item.text for item in notes.all("li")]
    assert f"{nasty}.jpg" in [item.text for item in notes.all("li")]
    assert len(page.all("script")) == 1


def test_without_photos_the_rest_is_told_and_the_way_out(copy):
    change(copy, data="csv:/nowhere/photos.csv")
    page = made(copy)
    reason = page.one("section", id="photos").text
    assert "could not be opened" in reason
    assert f"weakseg report {copy} --data SOURCE" in reason
    assert page.all("section", id="scores")
    assert not page.all("section", id="calibration")
    error = tiny.error_line(tiny.weakseg("report", copy, "--data", "csv:/nowhere/else.csv"))
    assert "/nowhere/else.csv" in error


def test_moved_photos_are_found_by_data(copy, finished_run, tmp_path):
    moved = Path(shutil.copytree(finished_run.photos, tmp_path / "moved"))
    change(copy, data="csv:/nowhere/photos.csv")
    ended = tiny.weakseg("report", copy, "--data", f"voc:{moved}")
    assert ended.code == 0, ended.err
    page = read_html((copy / "report.html").read_text(encoding="utf-8"))
    assert len(page.one("ul", class_="gallery").all("li")) == len(tiny.TRAIN) + len(tiny.VAL)


def test_without_ground_truth_doubt_alone_orders_the_photos(copy, finished_run, tmp_path):
    photos = Path(shutil.copytree(finished_run.photos, tmp_path / "photos"))
    shutil.rmtree(photos / "SegmentationClassAug")
    bare = {"split": "train", "images": 0, "without_mask": 9, "left_out": []}
    (copy / "metrics.json").write_text(json.dumps({"refine": bare}))
    page = made(copy, data=f"voc:{photos}")
    assert not page.all("section", id="scores")
    assert not page.all("section", id="calibration")
    assert "no ground-truth masks" in page.one("section", id="stages").text
    orders = [option.attributes["value"] for option in page.one("select").all("option")]
    assert orders == ["list", "doubt-down", "doubt-up"]
    assert "Ground truth" not in page.one("form").text


def test_a_run_of_single_stages_shows_what_it_has(copy, finished_run):
    out = copy.parent / "maps"
    arguments = tiny.run_arguments(finished_run.photos, out, "stages=[classify,localize]", "classify.train.epochs=1")
    assert tiny.weakseg(*arguments).code == 0
    page = read_html((out / "report.html").read_text(encoding="utf-8"))
    section = page.one("section", id="stages")
    assert "evaluate was not run" in section.text
    assert [
        image.attributes["data-layer"] for image in page.one("li", data_list="train").all("img", class_="over")
    ] == ["localize"]
    out = copy.parent / "tags"
    arguments = tiny.run_arguments(finished_run.photos, out, "stages=[classify]", "classify.train.epochs=1")
    assert tiny.weakseg(*arguments).code == 0
    page = read_html((out / "report.html").read_text(encoding="utf-8"))
    assert "nothing to see here" in page.one("section", id="photos").text


def test_expected_ious_make_the_doubt(copy):
    rows = [Expected(name, "cat", 0.1, 0.5, None, number / 10) for number, name in enumerate(tiny.TRAIN)]
    write_mask_list(copy / "refine", rows)
    cards = made(copy).all("li", data_list="train")
    doubts = [float(card.attributes["data-doubt"]) for card in cards]
    assert doubts == pytest.approx([1 - number / 10 for number in range(len(tiny.TRAIN))])


def test_broken_masks_are_told(copy):
    (copy / "refine" / "masks" / "p0.png").write_text("no picture")
    page = made(copy)
    assert "p0.png" in page.one("section", id="notes").text
    assert "p0" not in [name.text for name in page.all("span", class_="name")]


def test_the_page_keeps_its_size(copy, monkeypatch):
    whole = (copy / "report.html").stat().st_size
    empty = write_report_without_room(copy, monkeypatch, 1)
    limit = empty + (whole - empty) // 2
    assert write_report_without_room(copy, monkeypatch, limit) <= limit < whole


def write_report_without_room(folder, monkeypatch, size):
    monkeypatch.setattr(pages, "LARGEST", size)
    monkeypatch.setattr(pages, "SPARE", 0)
    monkeypatch.setattr(pages, "LEAST_ROOM", 1)
    return write_report(folder).stat().st_size


def test_more_photos_than_are_shown_are_counted(copy, monkeypatch):
    monkeypatch.setattr(pages, "choose", lambda lists: choose(lists, 6))
    page = made(copy)
    assert len(page.one("ul", class_="gallery").all("li")) == 6
    text = page.one("section", id="photos").text
    assert "3 of 9 photos of the list train: the 1 most doubtful and 2 spread evenly over the list" in text
    assert "all 3 photos of the list val" in text


def test_a_report_that_fails_does_not_harm_the_run(copy, finished_run, monkeypatch):
    def fail(*arguments, **options):
        raise RuntimeError("no room\nfor anything")

    monkeypatch.setattr(running, "write_report", fail)
    (copy / "report.html").unlink()
    ended = tiny.weakseg(*tiny.run_arguments(finished_run.photos, copy))
    assert ended.code == 0, ended.err
    assert "report.html: could not be made (no room)" in ended.err
    assert f"`weakseg report {copy}` tries again" in ended.err
    assert "report:" not in ended.out
    assert json.loads((copy / "manifest.json").read_text())["finished"]


def test_a_report_is_kept_until_a_stage_is_done_anew(copy, finished_run):
    stamp = (copy / "report.html").stat().st_mtime_ns
    assert tiny.weakseg(*tiny.run_arguments(finished_run.photos, copy)).code == 0
    assert (copy / "report.html").stat().st_mtime_ns == stamp
    Run(copy).drop_results()
    assert not (copy / "report.html").exists()


def test_no_run_no_report(tmp_path):
    assert "no manifest.json" in tiny.error_line(tiny.weakseg("report", tmp_path))
    with pytest.raises(WeaksegError):
        write_report(tmp_path / "nowhere")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_two_hundred_noisy_photos_are_less_than_five_megabytes(tmp_path):
    photos, rng = tmp_path / "photos", np.random.default_rng(0)
    rows = []
    for number in range(200):
        name, split = f"{number}.png", "val" if number % 5 == 4 else "train"
        write_image(photos / name, rng.integers(0, 256, (375, 500, 3), dtype=np.uint8))
        write_gray(photos / "masks" / name, rng.integers(0, 4, (375, 500), dtype=np.uint8))
        rows.append(f"{name},{'cat' if number % 2 else 'dog;cow'},{split},masks/{name}")
    (photos / "photos.csv").write_text("\n".join(["image,tags,split,mask", *rows]) + "\n")
    short = ["stages=[classify,localize,refine,segment,predict,evaluate]", "refine.steps=[background]"]
    short += [
        f"{stage}.train.{setting}" for stage in ("classify", "segment") for setting in ("epochs=1", "batch_size=40")
    ]
    ended = tiny.weakseg(*tiny.run_arguments(f"csv:{photos}/photos.csv", tmp_path / "run", *short, recipe="cam"))
    assert ended.code == 0, ended.err
    report = tmp_path / "run" / "report.html"
    page = read_html(report.read_text(encoding="utf-8"))
    assert len(page.one("ul", class_="gallery").all("li")) == 200
    assert len(page.all("img")) == 160 * 4 + 40 * 3
    assert 4_000_000 < report.stat().st_size <= 5_000_000


def test_photos_with_tags_and_nothing_else_have_a_report(tmp_path: Path) -> None:
    """A table of images and tags: no list val, no true masks."""
    photos = tiny.write_photos(tmp_path / "photos")
    lines = [f"photos/JPEGImages/{name}.jpg,{tags}" for name, tags in tiny.TRAIN.items()]
    lines = [line for line in lines if (tmp_path / line.partition(",")[0]).is_file()]
    (tmp_path / "photos.csv").write_text("\n".join(["image,tags", *lines]) + "\n")
    recipe = load_recipe("auto", [], [*tiny.overrides(), *tiny.AUTO])
    finished = weakseg.run(recipe, str(tmp_path / "photos.csv"), tmp_path / "run")
    assert photos.is_dir()
    assert finished.report is not None
    assert "nothing to predict" in finished.report.read_text(encoding="utf-8")
    assert finished.scores == {}
    with pytest.raises(WeaksegError, match="has made no predict/masks"):
        finished.prediction(next(iter(tiny.TRAIN)))
