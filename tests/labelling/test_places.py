"""Photos and masks in tar shards, and on file systems that are no folder."""

from __future__ import annotations

import functools
import http.server
import io
import json
import tarfile
import threading

import fsspec
import pytest
import webdataset
from fsspec.implementations.memory import MemoryFileSystem

import labelled
import tiny
from weakseg.data.images import read_mask
from weakseg.errors import WeaksegError
from weakseg.labelling import storage
from weakseg.labelling.label import label
from weakseg.labelling.photos import open_photos
from weakseg.labelling.shards import expand, members, shard_ids
from weakseg.labelling.storage import Output, asked, fetch


def write_tar(path, contents):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as shard:
        for name, content in contents:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            shard.addfile(entry, io.BytesIO(content))
    return path


@pytest.fixture(scope="module")
def photos(finished_run):
    return {path.name: path.read_bytes() for path in sorted((finished_run.photos / "JPEGImages").iterdir())}


@pytest.fixture(scope="module")
def masks(tmp_path_factory, lively_run, finished_run):
    """The masks of the photos by their names, as files."""
    out = tmp_path_factory.mktemp("plain")
    label(lively_run, str(finished_run.photos / "JPEGImages"), str(out))
    return labelled.files(out)


@pytest.fixture
def memory():
    system = fsspec.filesystem("memory")
    yield system
    system.store.clear()
    system.pseudo_dirs[:] = [""]


@pytest.fixture
def server(tmp_path):
    """Serves ``tmp_path/served``."""
    (tmp_path / "served").mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    handler = functools.partial(Quiet, directory=str(tmp_path / "served"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as found:
        threading.Thread(target=found.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{found.server_port}", tmp_path / "served"
        found.shutdown()


def test_shards_in_and_out(lively_run, photos, masks, tmp_path):
    names = [name for name in photos if name.startswith("p")]
    for number, some in enumerate((names[:5], names[5:])):
        with webdataset.TarWriter(str(tmp_path / f"in-{number:03d}.tar")) as writer:
            for name in some:
                writer.write({"__key__": name.removesuffix(".jpg"), "jpg": photos[name], "json": {"seen": True}})
    out = tmp_path / "out"
    arguments = ("label", lively_run, "--data", f"shards:{tmp_path}/in-{{000..001}}.tar", "--out", out, "--shards", 3)
    ended = tiny.weakseg(*arguments)
    assert ended.code == 0, ended.err
    shards = sorted(path.name for path in (out / "shards").iterdir())
    assert shards == ["masks-000000-000.tar", "masks-000000-001.tar", "masks-000001-000.tar"]
    rows = labelled.index(out)
    assert [row["id"] for row in rows] == [
        *(f"in-000/{name[:-4]}" for name in names[:5]),
        *(f"in-001/{name[:-4]}" for name in names[5:]),
    ]
    urls = [str(out / "shards" / name) for name in shards]
    read = list(webdataset.WebDataset(urls, shardshuffle=False, empty_check=False))
    assert [json.loads(sample["json"])["id"] for sample in read] == [row["id"] for row in rows]
    for sample, row, name in zip(read, rows, names, strict=True):
        assert sample["png"] == masks[name.replace(".jpg", ".png")]
        assert row["mask"] == f"shards/{sample['__url__'].rpartition('/')[2]}#{sample['__key__']}.png"
        about = json.loads(sample["json"])
        assert (about["classes"], about["areas"]) == (row["classes"], row["areas"])
        assert row["photo"] == f"{tmp_path}/{row['id'].split('/')[0]}.tar#{name}"
    # A shard that is missing with its part of the index is made again, and no other.
    before = labelled.files(out, "shards")
    (out / "index" / "000000.parquet").unlink()
    (out / "shards" / shards[0]).unlink()
    times = (out / "shards" / shards[2]).stat().st_mtime_ns
    assert "3 photos of them done before" in tiny.weakseg(*arguments).out
    assert labelled.files(out, "shards") == before
    assert (out / "shards" / shards[2]).stat().st_mtime_ns == times


def test_odd_samples(lively_run, photos, tmp_path):
    """Names with dots and folders, masks beside photos, no photo, twice the same key, names that lead elsewhere."""
    photo = photos["p0.jpg"]
    contents = [
        ("a/x.seg.png", b"a mask"),
        ("a/x.png", photo),
        ("a/x.jpg", photo),
        ("note.txt", b"no photo"),
        ("../../b.jpg", photo),
        ("a/x.jpg", photo),
        ("._hidden.jpg", b""),
        ("broken.jpg", photo[:200]),
    ]
    path = write_tar(tmp_path / "odd.tar", contents)
    with path.open("rb") as file:
        found = list(members(file))
    assert [(member.key, member.file) for member in found] == [
        ("a/x", "a/x.jpg"),
        ("note", ""),
        ("b", "../../b.jpg"),
        ("a/x-2", "a/x.jpg"),
        ("broken", "broken.jpg"),
    ]
    done = label(lively_run, f"shards:{path}", str(tmp_path / "out"))
    assert (done.tally.masks, done.tally.left_out) == (3, 2)
    assert sorted(labelled.files(tmp_path / "out")) == ["odd/a/x-2.png", "odd/a/x.png", "odd/b.png"]
    reasons = {row["id"]: row["left_out"] for row in labelled.index(tmp_path / "out") if row["left_out"]}
    assert reasons["odd/note"] == f"{path}#note: empty file, or a sample without a photo"
    assert reasons["odd/broken"].startswith(f"{path}#broken.jpg: cannot be read (")


def test_a_shard_that_breaks_off_gives_what_it_has(lively_run, photos, tmp_path):
    plain = [(name, content) for name, content in photos.items() if name != "deep.name.jpg"]
    path = write_tar(tmp_path / "in" / "cut.tar", plain)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    write_tar(tmp_path / "in" / "sound.tar", plain[:2])
    done = label(lively_run, f"shards:{tmp_path}/in/*.tar", str(tmp_path / "out"))
    rows = labelled.index(tmp_path / "out")
    lost = [row for row in rows if row["left_out"]]
    assert [row["id"] for row in lost] == ["cut"]
    assert f"{path}: breaks off (" in lost[0]["left_out"]
    assert f"{sum(row['id'].startswith('cut/') for row in rows)} photos of it were read" in lost[0]["left_out"]
    assert 2 < done.tally.masks < len(photos) + 2
    assert len({row["id"] for row in rows}) == len(rows)


def test_ids_with_dots_are_keys_without(lively_run, photos, tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("a.b.jpg", "a_b.jpg"):
        (tmp_path / "in" / name).write_bytes(photos["p0.jpg"])
    label(lively_run, str(tmp_path / "in"), str(tmp_path / "out"), shards=10)
    read = list(webdataset.WebDataset(str(tmp_path / "out/shards/masks-000000.tar"), shardshuffle=False))
    assert [(sample["__key__"], json.loads(sample["json"])["id"]) for sample in read] == [
        ("a_b", "a.b"),
        ("a_b-2", "a_b"),
    ]


def test_memory_in_and_out(lively_run, photos, masks, memory, tmp_path):
    for name, content in photos.items():
        memory.pipe_file(f"/bucket/deep er/{name}", content)
    memory.pipe_file("/bucket/.hidden/x.jpg", b"")
    memory.pipe_file("/bucket/notes.txt", b"no photo")
    done = label(lively_run, "memory://bucket", "memory://labels", part=5)
    assert done.tally.masks == len(photos)
    found = {path.removeprefix("/labels/masks/"): memory.cat_file(path) for path in memory.find("/labels/masks")}
    assert found == {f"deep er/{name}": content for name, content in masks.items()}
    memory.rm_file("/labels/index/000001.parquet")
    again = label(lively_run, "memory://bucket", "memory://labels", part=5)
    assert (again.before, again.tally.masks) == (len(photos) - 5, len(photos))
    label(lively_run, "memory://bucket/*/p*.jpg", "memory://sharded", shards=4)
    assert [path.rpartition("/")[2] for path in memory.find("/sharded/shards")] == [
        f"masks-00000{number}.tar" for number in range(2)
    ]
    with tarfile.open(fileobj=io.BytesIO(memory.cat_file("/sharded/shards/masks-000000.tar"))) as shard:
        assert len(shard.getnames()) == 8
    # Shards of shards: what was written is read again where it lies.
    count = open_photos("shards:memory://sharded/shards/*.tar", 1)
    assert [len(list(count.part(number).photos())) for number in range(count.parts)] == [4, 4]


def test_photos_of_a_web_server(server, lively_run, photos, masks, tmp_path):
    url, folder = server
    (folder / "photos").mkdir()
    for name in ("p0.jpg", "p1.jpg"):
        (folder / "photos" / name).write_bytes(photos[name])
    (folder / "photos" / "p 2ü.jpg").write_bytes(photos["p2.jpg"])
    label(lively_run, f"{url}/photos", str(tmp_path / "out"))
    found = labelled.files(tmp_path / "out")
    assert found == {"p0.png": masks["p0.png"], "p1.png": masks["p1.png"], "p 2ü.png": masks["p2.png"]}
    write_tar(folder / "in-0.tar", photos.items())
    # "deep.name.jpg" has no photo by the rules of WebDataset: it is the file "name.jpg" of the sample "deep".
    label(lively_run, f"shards:{url}/in-{{0..0}}.tar", str(tmp_path / "sharded"))
    expected = {f"in-0/{name}": content for name, content in masks.items() if name != "deep.name.png"}
    found = labelled.files(tmp_path / "sharded")
    assert found == expected


def test_a_place_is_asked_again(monkeypatch):
    monkeypatch.setattr(storage, "PAUSE", 0)
    answers = iter([ConnectionResetError("lost"), TimeoutError("late"), b"content", *3 * [ConnectionError("gone")]])

    def action():
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert asked("s3://x.jpg", action) == b"content"
    with pytest.raises(WeaksegError, match=r"^s3://x.jpg: cannot be read \(gone\), tried 3 times$"):
        asked("s3://x.jpg", action)
    with pytest.raises(WeaksegError, match=r"^/none.jpg: no such file$"):
        fetch("/none.jpg")


def test_files_are_renamed_where_they_would_be_seen_too_early():
    done = []

    class Slow(MemoryFileSystem):
        protocol = "slow"

        @classmethod
        def _strip_protocol(cls, path):
            return f"/{path.removeprefix('slow://').strip('/')}"

        def pipe_file(self, path, value, **options):
            done.append(path)
            super().pipe_file(path, value, **options)

        def mv(self, first, second, **options):
            done.append(f"{first} -> {second}")
            super().mv(first, second, **options)

    fsspec.register_implementation("slow", Slow, clobber=True)
    output = Output("slow://out")
    output.write("a/b.png", b"content")
    temporary = done[0]
    assert temporary.startswith("/out/a/.")
    assert done == [temporary, f"{temporary} -> /out/a/b.png"]
    assert output.read("a/b.png") == b"content"
    assert output.names("a") == ["b.png"]


@pytest.mark.parametrize(
    ("urls", "ids"),
    [
        (["/x/a-0.tar", "/x/a-1.tar"], ["a-0", "a-1"]),
        (["s3://b/one/0.tar", "s3://b/two/0.tar"], ["one/0", "two/0"]),
        (["/x/0.tar", "/x/0.tgz"], ["0", "0-2"]),
    ],
)
def test_shards_have_ids(urls, ids):
    assert shard_ids(urls) == ids


def test_names_that_look_like_patterns_are_names(lively_run, photos, tmp_path):
    (tmp_path / "in [2024]").mkdir()
    (tmp_path / "in [2024]" / "a.jpg").write_bytes(photos["p0.jpg"])
    label(lively_run, str(tmp_path / "in [2024]"), str(tmp_path / "out"))
    assert list(labelled.files(tmp_path / "out")) == ["a.png"]
    write_tar(tmp_path / "[0].tar", [("a.jpg", photos["p0.jpg"])])
    assert open_photos(f"shards:{tmp_path}/[0].tar", 1).parts == 1


def test_ranges():
    assert expand("{0..1}-{08..10}.tar") == [f"{a}-{b}.tar" for a in "01" for b in ("08", "09", "10")]
    assert expand("one.tar") == ["one.tar"]


def test_masks_of_a_source_keep_its_ids(lively_run, finished_run, tmp_path):
    label(lively_run, f"voc:{finished_run.photos}", str(tmp_path / "out"), split="val")
    assert sorted(labelled.files(tmp_path / "out")) == [f"{name}.png" for name in tiny.VAL]
    assert read_mask(tmp_path / "out/masks/v0.png").any()


@pytest.mark.parametrize("scheme", ["", "memory://"])
def test_a_sub_folder_is_cleared_with_all_that_is_in_it(scheme, tmp_path, memory):
    output = Output(f"{scheme}{tmp_path / 'cleared'}")
    for name in ("trying/000001", "trying/.000002.half.tmp", "index/000001"):
        output.write(name, b"1")
    output.clear("trying")
    output.clear("trying")
    assert output.read("trying/000001") is None
    assert output.read("trying/.000002.half.tmp") is None
    assert output.read("index/000001") == b"1"
