"""A run and a folder of predictions as the commands leave them, with masks that are hard to export, made at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from weakseg.data.images import voc_palette, write_mask
from weakseg.data.instances import Instance, PhotoInstances, save_instances
from weakseg.data.sample import Array, Classes, Sample
from weakseg.data.source import open_source
from weakseg.files import write_json
from weakseg.pipeline.newphotos.predictions import Places, Predictions
from weakseg.pipeline.rundir.run import Run
from weakseg.recipes.loading import load_recipe

CLASSES = Classes(("cat", "traffic light", "dog & cow"), (8, 3, 12), voc_palette())
SIZE = (40, 52)
ORIENTATION = 0x0112
TAGS = {
    "a/1.jpg": "cat;dog & cow",
    "a/turned.jpg": "cat;traffic light",
    "b/3.tif": "traffic light;",
    "plain.png": "",
    "noise.png": "cat;traffic light;dog & cow",
}


@dataclass(frozen=True)
class Made:
    """A finished run.

    Attributes:
        run: its folder.
        data: its source.
        labels: by photo id, what its masks hold: 0, 1 to 3, 255.
    """

    run: Path
    data: str
    labels: dict[str, Array]

    def background(self) -> dict[str, Array]:
        """The labels where what is unknown counts as background."""
        return {name: np.where(labels == 255, 0, labels).astype(np.uint8) for name, labels in self.labels.items()}


def hard_masks() -> dict[str, Array]:
    """Rings with holes and islands, lines, single pixels, a border of 255, nothing, and noise."""
    height, width = SIZE
    rows, columns = np.ogrid[:height, :width]
    distance = np.hypot(rows - 20, columns - 24)
    rings = np.zeros(SIZE, np.uint8)
    rings[(distance < 18) & (distance > 12)] = 1
    rings[(distance < 8) & (distance > 3)] = 1
    rings[distance < 1] = 3
    rings[0, 0] = rings[39, 51] = 3
    rings[5:8, 48:50] = 255
    lines = np.zeros((width, height), np.uint8)
    lines[2, 3:30], lines[4:40, 7], lines[20, 20], lines[45:, 38:] = 1, 2, 1, 2
    full = np.full(SIZE, 2, np.uint8)
    full[10:30, 10:12] = full[10:30, 40] = full[15, 10:41] = 0
    full[:2] = 255
    noise = np.random.default_rng(0).integers(0, 4, SIZE).astype(np.uint8)
    return {"a/1": rings, "a/turned": lines, "b/3": full, "plain": np.zeros(SIZE, np.uint8), "noise": noise}


def write_photos(root: Path) -> str:
    """The photos of `TAGS` and their table; one is stored on its side. Gives back the source."""
    rng = np.random.default_rng(1)
    for name in TAGS:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray(rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8))
        exif = Image.Exif()
        if "turned" in name:
            exif[ORIENTATION] = 6
        picture.save(root / name, exif=exif)
    rows = ["image,tags", *(f'{name},"{tags}"' for name, tags in TAGS.items())]
    (root / "photos.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    listed = "".join(f"{name}\t{value}\n" for name, value in zip(CLASSES.names, CLASSES.values, strict=True))
    (root / "classes.txt").write_text(listed, encoding="utf-8")
    return f"csv:{root / 'photos.csv'}"


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """A run whose stage refine has ended."""
    data = write_photos(tmp_path / "photos")
    run = Run(tmp_path / "run")
    run.write_recipe(load_recipe("affinitynet", ["small"]))
    run.write_classes(CLASSES)
    write_json(run.folder / "photos.json", {"data": data, "photos": []})
    write_json(run.folder / "refine" / "stage.json", {"done": True, "key": "k"})
    labels = hard_masks()
    for name, mask in labels.items():
        write_mask(run.folder / "refine" / "masks" / f"{name}.png", CLASSES.to_values(mask), CLASSES.palette)
    return Made(run.folder, data, labels)


@pytest.fixture
def with_objects(made: Made) -> Made:
    """The run with two objects in "a/1", of one class, and none elsewhere."""
    mask = made.labels["a/1"] == 1
    distance = np.hypot(*np.ogrid[-20:20, -24:28])
    parts = [mask & (distance > 10), mask & (distance < 10)]
    for sample in open_source(made.data).splits["train"]:
        objects = tuple(Instance(1, 0.25 + i / 2, torch.from_numpy(p)) for i, p in enumerate(parts))
        found = PhotoInstances(
            sample.id, f"{sample.id}.jpg", made.labels[sample.id].shape, objects if sample.id == "a/1" else ()
        )
        save_instances(made.run / "instances" / "photos" / f"{sample.id}.json", [found], CLASSES)
    write_json(made.run / "instances" / "stage.json", {"done": True, "key": "k"})
    return made


@pytest.fixture
def predicted(tmp_path: Path) -> Made:
    """A folder as ``weakseg predict`` leaves it: of photos, and of one that was drawn."""
    write_photos(tmp_path / "new")
    labels = {name: mask for name, mask in hard_masks().items() if name in ("a/1", "a/turned", "noise")}
    labels = {name: np.where(mask == 255, 0, mask).astype(np.uint8) for name, mask in labels.items()}
    files = {"a/1": "a/1.jpg", "a/turned": "a/turned.jpg", "noise": "noise.png"}
    samples = [Sample(name, tmp_path / "new" / file, ()) for name, file in files.items()]
    written = Predictions(Places(tmp_path / "out"), samples, CLASSES)
    for sample in samples:
        written.write(sample, sample.read_image(), CLASSES.to_values(labels[sample.id]))
    written.write_list()
    return Made(tmp_path / "out", "", labels)
