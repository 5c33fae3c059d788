from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from weakseg.data.source import open_source
from weakseg.errors import WeaksegError

Photo = Callable[..., Path]
XML = """<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version>
<meta><job><labels><label><name>cat</name><type>tag</type></label><label><name>traffic light</name></label>
<label><name>tram</name></label></labels></job></meta>
<image id="0" name="a/1.jpg" width="8" height="6">
<tag label="cat" source="manual"></tag><tag label="traffic light" source="manual"></tag>
<tag label="cat" source="manual"><attribute name="sure">true</attribute></tag>
</image>
<image id="1" name="2.jpg" width="8" height="6"><box label="cat" xtl="0" ytl="0" xbr="3" ybr="3" occluded="0"/></image>
<image id="2" name="3.jpg" width="8" height="6"></image>
</annotations>"""


def expect(source: object) -> None:
    assert [(s.id, s.tags) for s in source.splits["train"]] == [  # type: ignore[attr-defined]
        ("a/1", ("cat", "traffic light")),
        ("2", ("cat",)),
        ("3", ()),
    ]
    assert source.classes.names == ("cat", "traffic light", "tram")  # type: ignore[attr-defined]
    assert any("1 shapes are not read: their labels alone count" in line for line in source.warnings)  # type: ignore[attr-defined]


@pytest.fixture
def photos(tmp_path: Path, photo: Photo) -> Path:
    for name in ("a/1.jpg", "2.jpg", "3.jpg"):
        photo(tmp_path / "images" / name)
    return tmp_path


def test_tags_of_xml_and_of_its_zip(photos: Path) -> None:
    (photos / "annotations.xml").write_text(XML)
    source = open_source(str(photos / "annotations.xml"))
    assert source.spec.startswith("cvat:")
    expect(source)
    with zipfile.ZipFile(photos / "task.zip", "w") as archive:
        archive.writestr("annotations.xml", XML)
    expect(open_source(f"cvat:{photos / 'task.zip'}"))


def test_tags_of_datumaros_json(photos: Path) -> None:
    label = {"id": 0, "type": "label", "attributes": {}, "group": 0}
    content = {
        "info": {},
        "categories": {"label": {"labels": [{"name": "cat"}, {"name": "traffic light"}, {"name": "tram"}]}},
        "items": [
            {
                "id": "a/1",
                "annotations": [label | {"label_id": 0}, label | {"label_id": 1}],
                "image": {"path": "a/1.jpg"},
            },
            {
                "id": "2",
                "annotations": [{"type": "bbox", "label_id": 0, "bbox": [0, 0, 3, 3]}],
                "media": {"path": "2.jpg"},
            },
            {"id": "3", "annotations": [], "image": {"path": "somewhere/3.jpg"}},
        ],
    }
    (photos / "default.json").write_text(json.dumps(content))
    source = open_source(str(photos / "default.json"))
    assert source.spec.startswith("cvat:")
    expect(source)


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("t.xml", "<annotations>", "not readable as XML"),
        ("t.xml", "<annotation/>", 'not CVAT\'s XML for images; export as "CVAT for images 1.1"'),
        ("t.xml", "<annotations><track/></annotations>", "not CVAT's XML for images"),
        ("t.xml", '<!DOCTYPE x [<!ENTITY a "b">]><annotations/>', "a DOCTYPE is not allowed"),
        ("t.xml", '<annotations><image name="1.jpg" width="3"/></annotations>', "an image without 'height'"),
        ("t.json", '{"items": 3, "categories": {}}', 'not the JSON of "Datumaro 1.0"'),
        ("t.json", "{", "not valid JSON"),
    ],
)
def test_files_that_are_not_cvats(tmp_path: Path, name: str, content: str, match: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(WeaksegError, match=match):
        open_source(f"cvat:{tmp_path / name}")


def test_a_zip_of_something_else(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        archive.writestr("labelmap.txt", "")
    with pytest.raises(WeaksegError, match=r"holds no annotations.xml; export from CVAT"):
        open_source(f"cvat:{tmp_path / 't.zip'}")
