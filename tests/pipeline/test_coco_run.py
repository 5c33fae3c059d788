"""A run on COCO's folders: masks drawn from outlines are learnt from and scored with."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as run_lengths

import tiny
from weakseg.data.source import open_source


def write_coco(photos: Path, root: Path) -> Path:
    """The tiny photos as COCO 2017 unpacks; a region per class, as compressed run lengths."""
    source = open_source(f"voc:{photos}")
    (root / "annotations").mkdir(parents=True)
    categories = [{"id": 10 * number, "name": name} for number, name in enumerate(source.classes.names, start=1)]
    for split in ("train", "val"):
        (root / f"{split}2017").mkdir()
        images, annotations = [], []
        for number, sample in enumerate(source.splits[split]):
            labels = source.classes.to_labels(sample.read_mask())
            shutil.copy(str(sample.image), root / f"{split}2017/{sample.id}.jpg")
            height, width = labels.shape
            images.append({"id": number, "file_name": f"{sample.id}.jpg", "height": height, "width": width})
            for label in (source.classes.index(tag) + 1 for tag in sample.tags):
                runs = run_lengths.encode(np.asfortranarray(labels == label))
                region = {"size": list(labels.shape), "counts": runs["counts"].decode()}
                annotations.append(
                    {"image_id": number, "category_id": 10 * label, "segmentation": region, "iscrowd": 0}
                )
        content = {"images": images, "annotations": annotations, "categories": categories}
        (root / f"annotations/instances_{split}2017.json").write_text(json.dumps(content))
    return root


@pytest.mark.slow
def test_a_run_learns_from_drawn_masks_and_stays_when_they_do(tmp_path: Path) -> None:
    coco = write_coco(tiny.write_photos(tmp_path / "photos"), tmp_path / "coco")
    arguments = tiny.run_arguments(f"coco:{coco}", tmp_path / "run", "segment.train.epochs=1", recipe="supervised")
    ended = tiny.weakseg(*arguments)
    assert ended.code == 0, ended.err
    metrics = json.loads((tmp_path / "run/metrics.json").read_text())
    assert metrics["predict"]["images"] == len(tiny.VAL)
    scored = tiny.weakseg("evaluate", tmp_path / "run/predict/masks", "--data", f"coco:{coco}", "--json")
    assert json.loads(scored.out)["scores"] == metrics["predict"]["scores"]
    assert "segment, predict, evaluate (done before, stays)" in tiny.weakseg(*arguments).err
    file = coco / "annotations/instances_val2017.json"
    file.write_text(file.read_text().replace('"iscrowd": 0', '"iscrowd": 1', 1))
    told = tiny.weakseg(*arguments).err
    assert "segment, predict (done before, stays); evaluate (done anew" in told
