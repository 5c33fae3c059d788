"""A run of IRNet: confident labels, calibration, walk, instances; killed, changed, and on maps with a background."""

import contextlib
import io
import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from pycocotools.coco import COCO
from safetensors.torch import load_file
from torch import Tensor

import tiny
from weakseg.data.classmaps import load_levels, load_maps
from weakseg.data.images import read_mask
from weakseg.data.source import open_source
from weakseg.methods.cam.cam import PlainCam
from weakseg.methods.registry import SEEDS
from weakseg.ops.maps import max_normalise
from weakseg.ops.views import photo_tensor
from weakseg.pipeline.networks import affinity_network
from weakseg.pipeline.rundir.run import Run
from weakseg.training.checkpoint import trained

STAGES = ("classify", "localize", "relate", "refine", "instances", "evaluate")
SHORT = f"stages=[{','.join(STAGES)}]"

MOMENTS = [
    ("relate/labels/", 4),
    ("relate/state.pt", 4),
    ("relate/weights.safetensors", 2),
    ("relate/stage.json", 2),
    ("refine/masks/", 3),
    ("instances/photos/", 5),
    ("instances/instances.json", 1),
]
"""Just before which file comes into its place the process is killed; the second weights are the calibrated ones."""


def arguments(photos: Path, folder: Path, *more: str) -> list[str]:
    return tiny.run_arguments(photos, folder, SHORT, *more, recipe="irnet")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``photos`` and the finished ``run``."""
    root = tmp_path_factory.mktemp("irnet")
    ended = tiny.weakseg(*arguments(tiny.write_photos(root / "photos"), root / "run"))
    assert ended.code == 0, ended.err
    assert "relate: irnet" in ended.out
    assert "refine: boundary_walk, background" in ended.out
    return root


@pytest.fixture
def redone(run: Path, tmp_path: Path) -> Callable[..., tuple[str, ...]]:
    """``redone(*overrides)``: which stages of a copy of the run are done anew."""
    shutil.copytree(run / "run", tmp_path / "run")

    def again(*overrides: str) -> tuple[str, ...]:
        before = stamps(tmp_path / "run")
        ended = tiny.weakseg(*arguments(run / "photos", tmp_path / "run", *overrides))
        assert ended.code == 0, ended.err
        after = stamps(tmp_path / "run")
        return tuple(stage for stage in STAGES if before[stage] != after[stage])

    return again


def stamps(folder: Path) -> dict[str, list[int]]:
    return {stage: [path.stat().st_mtime_ns for path in sorted((folder / stage).rglob("*"))] for stage in STAGES}


def outputs(folder: Path) -> dict[str, bytes]:
    named = [path for path in folder.rglob("*") if path.suffix in (".png", ".safetensors") or "instances" in path.parts]
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in named
        if path.name not in ("stage.json", "outputs.json") and path.is_file()
    }


def test_confident_labels_are_masks_of_tagged_classes(run: Path) -> None:
    for name, tags in tiny.TRAIN.items():
        with Image.open(run / "run" / "relate" / "labels" / f"{name}.png") as picture:
            assert picture.mode == "P"
        labels = read_mask(run / "run" / "relate" / "labels" / f"{name}.png")
        assert labels.shape == read_mask(run / "run" / "refine" / "masks" / f"{name}.png").shape
        assert set(np.unique(labels)) <= {0, 255, *(tiny.CLASSES[tag] for tag in tags.split())}
    assert not read_mask(run / "run" / "relate" / "labels" / f"{tiny.UNTAGGED}.png").any()


def test_displacements_have_no_mean_over_the_photos(run: Path) -> None:
    weights = run / "run" / "relate" / "weights.safetensors"
    shift = load_file(weights)["mean_shift"]
    assert shift.abs().min() > 0
    summary = Run(run / "run").record("relate")["summary"]
    assert summary["mean_shift"] == pytest.approx(shift.tolist())
    model = trained(affinity_network(Run(run / "run").read_recipe(), pretrained=False), weights, torch.device("cpu"))
    samples = open_source(f"voc:{run / 'photos'}").image_set("train").samples
    photos = [photo_tensor(torch.from_numpy(sample.read_image())) for sample in samples]
    left = torch.stack([model.maps(photo)[1].mean(dim=(1, 2)) for photo in photos]).mean(dim=0)
    torch.testing.assert_close(left, torch.zeros(2), rtol=0, atol=1e-4)


def test_coco_tools_read_the_instances(run: Path) -> None:
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(run / "run" / "instances" / "instances.json")
    assert {category["name"]: category["id"] for category in coco.cats.values()} == tiny.CLASSES
    assert [image["sample_id"] for image in coco.imgs.values()] == list(tiny.TRAIN)
    assert len(coco.anns) == Run(run / "run").record("instances")["summary"]["instances"] > 0
    for image in coco.imgs.values():
        with Image.open(run / "photos" / "JPEGImages" / image["file_name"]) as picture:
            assert picture.size == (image["width"], image["height"])
        found = coco.imgToAnns[image["id"]]
        assert {item["category_id"] for item in found} <= {
            tiny.CLASSES[tag] for tag in tiny.TRAIN[image["sample_id"]].split()
        }
        together = sum((coco.annToMask(item) for item in found), np.zeros((image["height"], image["width"]), np.uint8))
        assert together.max() <= 1


def test_the_manifest_names_the_methods(run: Path) -> None:
    found = json.loads((run / "run" / "manifest.json").read_text())
    assert found["methods"] == {"classify": ["cam"], "relate": ["irnet"], "refine": ["boundary_walk", "background"]}
    assert found["weights"]["relate"]["origin"]["network"] == "test_resnet"


@pytest.mark.slow
def test_a_run_killed_in_every_stage_ends_as_if_it_never_was(run: Path, tmp_path: Path) -> None:
    folder, log = tmp_path / "run", tmp_path / "log.txt"
    for moment in MOMENTS:
        code = tiny.in_process(arguments(run / "photos", folder), log, die_at=moment)
        assert code == -signal.SIGKILL, (moment, log.read_text())
    assert tiny.in_process(arguments(run / "photos", folder), log) == 0, log.read_text()
    assert outputs(folder) == outputs(run / "run")


@pytest.mark.parametrize(
    ("override", "stages"),
    [
        ("relate.affinitynet.alpha_low=3", ()),
        ("relate.irnet.certainty=0.8", ("relate", "refine", "instances", "evaluate")),
        ("refine.background.threshold=0.5", ("refine", "evaluate")),
        ("refine.boundary_walk.beta=4", ("refine", "instances", "evaluate")),
        ("instances.min_area=0.2", ("instances", "evaluate")),
        ("localize.background={rule: power, alpha: 8}", ("evaluate",)),
    ],
)
def test_a_changed_setting_redoes_what_depends_on_it(
    redone: Callable[..., tuple[str, ...]], override: str, stages: tuple[str, ...]
) -> None:
    assert redone(override) == stages


@pytest.mark.parametrize(
    ("override", "named", "way_out"),
    [
        ("relate.irnet.augment.crop=32", "relate.irnet: augment.crop", "at least 36 for stride 4 and radius 5"),
        ("relate.irnet.crf=psi", "relate.irnet.crf: unknown dense CRF preset 'psi'; available: psa", "irn"),
        ("relate.irnet.certainty=1", "relate.irnet.certainty", "less than 1"),
        (
            "refine.steps=[background,walk]",
            "refine.steps has walk, which needs relate.method=affinitynet",
            "boundary_walk",
        ),
        ("relate.method=affinitynet", "refine.steps has boundary_walk, which needs relate.method=irnet", "walk"),
        ("refine.background.rule=own", "refine.background.rule is own", "constant or power"),
    ],
)
def test_a_wrong_setting_is_named_with_the_way_out(
    run: Path, tmp_path: Path, override: str, named: str, way_out: str
) -> None:
    radius = "relate.irnet.radius=5"
    line = tiny.error_line(tiny.weakseg(*arguments(run / "photos", tmp_path / "run", radius, override)))
    assert named in line
    assert way_out in line
    assert not list((tmp_path / "run").glob("*/*"))


def test_instances_need_irnet(run: Path, tmp_path: Path) -> None:
    steps = ("relate.method=affinitynet", "refine.steps=[background,walk]")
    line = tiny.error_line(tiny.weakseg(*arguments(run / "photos", tmp_path / "run", *steps)))
    assert "stages has instances, which needs relate.method=irnet; set that or leave it out" in line


def test_photos_of_a_few_pixels(tmp_path: Path) -> None:
    photos = tiny.write_photos(tmp_path / "photos")
    for name, size in (("p0", (1, 1)), ("p1", (400, 3)), ("p2", (2, 90))):
        Image.new("RGB", size, "red").save(photos / "JPEGImages" / f"{name}.jpg")
        Image.new("L", size).save(photos / "SegmentationClassAug" / f"{name}.png")
    ended = tiny.weakseg(*arguments(photos, tmp_path / "run"))
    assert ended.code == 0, ended.err
    assert read_mask(tmp_path / "run" / "refine" / "masks" / "p1.png").shape == (3, 400)


class WithBackground(PlainCam):
    """Plain CAM whose background is where no class is."""

    background = True

    def scale_maps(self, views: Tensor, tags: Tensor) -> Tensor:
        maps = max_normalise(super().scale_maps(views, tags))
        return torch.cat([1 - maps.amax(dim=0, keepdim=True), maps])


OWN = (
    "classify.method=other",
    "localize.background={rule: own, weight: 0.8}",
    "relate.irnet.foreground={rule: own, weight: 1.0}",
    "relate.irnet.background={rule: own, weight: 0.5}",
    "refine.background={rule: own, weight: 1.0}",
    "refine.boundary_walk.power=1.5",
)


def test_maps_with_a_background_of_their_own(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SEEDS.registered, "other", WithBackground)
    ended = tiny.weakseg(*arguments(run / "photos", tmp_path / "run", *OWN, "refine.background.weight=0.1"))
    assert ended.code == 0, ended.err
    assert "best weight" in ended.out
    for name, tags in tiny.TRAIN.items():
        maps = load_maps(tmp_path / "run" / "localize" / "maps" / f"{name}.safetensors")
        assert len(maps.classes) == (1 + len(tags.split()) if tags else 0)
        assert maps.classes[:1] == ((0,) if tags else ())
    found = json.loads((tmp_path / "run" / "metrics.json").read_text())["localize"]
    assert (found["rule"], found["weight"]) == ("own", 0.8)
    assert found["best"]["uses_masks"] is True
    assert 0 <= found["best"]["weight"] <= 2
    assert found["best"]["scores"]["miou_present"] >= found["scores"]["miou_present"]


def test_affinitynet_takes_the_classes_of_such_maps(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SEEDS.registered, "other", WithBackground)
    stages = "stages=[classify,localize,relate,refine,evaluate]"
    ended = tiny.weakseg(*tiny.run_arguments(run / "photos", tmp_path / "run", stages, "classify.method=other"))
    assert ended.code == 0, ended.err
    assert "best threshold" in ended.out
    maps = load_levels(tmp_path / "run" / "relate" / "seeds_low" / "p4.npz")
    assert maps.classes == (0, 1, 3)
