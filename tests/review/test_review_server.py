"""What the server of the review gives, writes and refuses."""

from __future__ import annotations

import base64
import io
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tiny
from weakseg.data.images import read_mask
from weakseg.data.reviews import read_reviews
from weakseg.errors import WeaksegError
from weakseg.review.session import Session, open_session

PORT = 8321


@pytest.fixture
def session(finished_run, tmp_path) -> Session:
    return open_session(finished_run.folder, tmp_path / "said" / "reviews.jsonl", "masks")


@pytest.fixture
def client(session):
    testing = pytest.importorskip("fastapi.testclient")
    from weakseg.review.server import build_app

    return testing.TestClient(build_app(session, PORT), base_url=f"http://127.0.0.1:{PORT}")


def png(values: np.ndarray) -> str:
    """As a browser writes it: RGBA."""
    file = io.BytesIO()
    opaque = np.full_like(values, 255)
    Image.fromarray(np.stack([values, values, values, opaque], axis=-1)).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def picture(answer) -> np.ndarray:
    assert answer.status_code == 200, answer.text
    return np.asarray(Image.open(io.BytesIO(answer.content)))


def test_photos_come_most_doubtful_first_with_the_colours_of_the_data(client, session):
    about = client.get("/api/run").json()
    assert {each["id"] for each in about["photos"]} == set(tiny.TRAIN)
    doubts = [each["doubt"] for each in about["photos"]]
    known = [doubt for doubt in doubts if doubt is not None]
    assert known == sorted(known, reverse=True)
    assert doubts[len(known) :] == [None] * (len(doubts) - len(known))
    assert {each["name"]: each["value"] for each in about["classes"]} == {"background": 0, **tiny.CLASSES}
    assert about["classes"][1]["colour"] == [64, 0, 0]


def test_photos_and_masks_travel_at_full_size(client, finished_run):
    shown = picture(client.get("/api/image", params={"id": "p1"}))
    mask = picture(client.get("/api/mask", params={"id": "p1"}))
    assert shown.shape == (75, 50, 3)
    assert np.array_equal(mask, read_mask(finished_run.folder / "refine" / "masks" / "p1.png"))
    pieces = picture(client.get("/api/superpixels", params={"id": "p1"}))
    assert pieces.shape == (75, 50, 3)
    assert pieces[..., :2].any()


def test_a_corrected_mask_is_on_disk_at_once_and_the_run_is_left_as_it_is(client, session, finished_run):
    before = {path: path.stat().st_mtime_ns for path in finished_run.folder.rglob("*")}
    mask = np.zeros((75, 50), np.uint8)
    mask[10:30, 5:20], mask[40] = 10, 255
    sent = {"id": "p1", "version": "", "decision": "corrected", "mask": png(mask)}
    answer = client.post("/api/review", json=sent)
    assert answer.status_code == 200, answer.text
    review = read_reviews(session.store.file, session.classes)["p1"]
    assert review.decision == "corrected"
    assert np.array_equal(read_mask(review.mask), mask)
    assert np.array_equal(picture(client.get("/api/mask", params={"id": "p1"})), mask)
    assert not np.array_equal(picture(client.get("/api/mask", params={"id": "p1", "own": True})), mask)
    assert {path: path.stat().st_mtime_ns for path in finished_run.folder.rglob("*")} == before


def test_a_stale_write_is_refused_and_loses_nothing(client, session):
    def post(version: str, **change: object):
        return client.post("/api/review", json={"id": "p0", "version": version, **change})

    first = post("", decision="accepted").json()["version"]
    stale = post("", decision="rejected")
    assert stale.status_code == 409
    assert session.store.read()["p0"].decision == "accepted"
    second = post(first, decision="tags", tags=["dog"]).json()["version"]
    assert second != first
    state = client.get("/api/photo", params={"id": "p0"}).json()
    assert (state["version"], state["tags"], state["own_tags"]) == (second, ["dog"], ["cat"])
    assert post(second, decision=None).json()["version"] == ""
    assert session.store.read() == {}


def test_the_same_line_with_another_mask_is_another_version(client):
    values = np.zeros((75, 50), np.uint8)
    change = {"id": "p1", "decision": "corrected"}
    first = client.post("/api/review", json=change | {"version": "", "mask": png(values)}).json()["version"]
    values[3] = 10
    second = client.post("/api/review", json=change | {"version": first, "mask": png(values)}).json()["version"]
    assert first != second
    assert client.post("/api/review", json=change | {"version": first, "mask": png(values)}).status_code == 409


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": f"127.0.0.1:{PORT + 1}"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_foreign_requests_are_refused(client, session, headers):
    assert client.get("/api/run", headers=headers).status_code == 403
    change = {"id": "p0", "version": "", "decision": "rejected"}
    assert client.post("/api/review", json=change, headers=headers).status_code == 403
    assert not session.store.file.exists()


def test_only_photos_of_the_run_and_files_of_the_page_can_be_read(client, finished_run):
    for name in ("../photos/tags", "../../etc/passwd", "/etc/passwd", str(finished_run.photos), "v0", ""):
        for kind in ("photo", "image", "mask", "superpixels"):
            assert client.get(f"/api/{kind}", params={"id": name}).status_code == 404
        change = {"id": name, "version": "", "decision": "accepted"}
        assert client.post("/api/review", json=change).status_code == 404
    for path in ("/..%2fserver.py", "/%2e%2e/server.py", "/server.py", "/docs", "/openapi.json"):
        assert client.get(path).status_code == 404
    for path in ("/", "/review.js", "/review.css"):
        answer = client.get(path)
        assert answer.status_code == 200
        assert "default-src 'self'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    "change",
    [
        {"decision": "corrected"},
        {"decision": "accepted", "mask": png(np.zeros((75, 50), np.uint8))},
        {"decision": "corrected", "mask": png(np.zeros((50, 75), np.uint8))},
        {"decision": "corrected", "mask": png(np.full((75, 50), 77, np.uint8))},
        {"decision": "corrected", "mask": base64.b64encode(b"no picture").decode()},
        {"decision": "corrected", "mask": "%%"},
        {"decision": "tags"},
        {"decision": "tags", "tags": ["cats"]},
    ],
)
def test_what_is_no_review_is_refused_and_nothing_is_written(client, session, change):
    assert client.post("/api/review", json={"id": "p1", "version": "", **change}).status_code == 400
    assert not session.store.file.exists()


def test_reviews_lie_beside_the_run_and_never_in_it(finished_run, tmp_path):
    own = open_session(finished_run.folder, None, "predictions")
    assert own.store.file == Path(f"{finished_run.folder}-reviews") / "reviews.jsonl"
    assert set(own.photos) == set(tiny.VAL)
    with pytest.raises(WeaksegError, match="lies in the run"):
        open_session(finished_run.folder, finished_run.folder / "reviews.jsonl", "masks")
    broken = tmp_path / "reviews.jsonl"
    broken.write_text("{}\n")
    with pytest.raises(WeaksegError, match="line 1"):
        open_session(finished_run.folder, broken, "masks")


def test_the_command_that_learns_from_the_reviews_can_be_copied(client, session, tmp_path):
    client.post("/api/review", json={"id": "p1", "version": "", "decision": "accepted"})
    shown = client.get("/api/run").json()["next"]
    assert shown == session.next_command
    ended = tiny.weakseg(*shlex.split(shown)[1:], "--dry-run")
    assert ended.code == 0, ended.err
    assert "1 masks accepted" in ended.out + ended.err
    assert "to do" not in ended.out + ended.err


def test_the_command_says_what_is_wrong(finished_run, tmp_path, monkeypatch):
    assert "no weakseg run" in tiny.error_line(tiny.weakseg("review", tmp_path))
    assert "value of --what" in tiny.error_line(tiny.weakseg("review", finished_run.folder, "--what", "mask"))
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert "pip install 'weakseg[review]'" in tiny.error_line(tiny.weakseg("review", finished_run.folder))
