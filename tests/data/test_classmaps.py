from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save

from weakseg.data.classmaps import ClassMaps, load_levels, load_maps, save_levels, save_maps
from weakseg.errors import WeaksegError


def example(count: int = 2, height: int = 3, width: int = 4) -> ClassMaps:
    generator = torch.Generator().manual_seed(count)
    return ClassMaps(tuple(range(count)), torch.rand(count, height, width, generator=generator), (31, 47))


@settings(max_examples=20, deadline=None)
@given(count=st.integers(0, 4), height=st.integers(1, 5), width=st.integers(1, 5))
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, count: int, height: int, width: int) -> None:
    path, maps = tmp_path_factory.mktemp("maps") / "cat" / "1.safetensors", example(count, height, width)
    save_maps(path, maps)
    read = load_maps(path)
    assert (read.classes, read.size, read.scores.dtype) == (maps.classes, maps.size, torch.float32)
    torch.testing.assert_close(read.scores, maps.scores, atol=2**-12, rtol=0)  # half of float16's step below 1


def test_maps_at_the_size_of_the_image_are_kept_beside(tmp_path: Path) -> None:
    full = torch.rand(2, 31, 47, generator=torch.Generator().manual_seed(5))
    maps = example().with_full(full)
    save_maps(tmp_path / "a", maps)
    read = load_maps(tmp_path / "a")
    assert read.full is not None
    torch.testing.assert_close(read.full, full, atol=2**-12, rtol=0)
    torch.testing.assert_close(read.scores, maps.scores, atol=2**-12, rtol=0)
    assert torch.equal(maps.full_scores(), full)
    assert torch.equal(maps.channels(slice(1, None)).full_scores(), full[1:])
    assert maps.at((62, 94)).full_scores().shape == (2, 62, 94)


def test_other_scores_do_without_the_maps_of_before() -> None:
    maps = example().with_full(torch.zeros(2, 31, 47))
    other = replace(maps, scores=torch.ones(2, 3, 4))
    assert other.full is None
    torch.testing.assert_close(other.full_scores(), torch.ones(2, 31, 47))
    with pytest.raises(ValueError, match="2 classes and full scores"):
        example().with_full(torch.zeros(3, 31, 47))


def test_half_precision_and_equal_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save_maps(tmp_path / name, example(3, 64, 64))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert (tmp_path / "a").stat().st_size < 3 * 64 * 64 * 2 + 400
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a", "b"]


def test_views_and_gradients_are_saved(tmp_path: Path) -> None:
    scores = torch.rand(4, 5, 2, requires_grad=True).permute(2, 0, 1)
    save_maps(tmp_path / "a", ClassMaps((1, 4), scores, (8, 10)))
    torch.testing.assert_close(load_maps(tmp_path / "a").scores, scores.detach(), atol=2**-12, rtol=0)


def test_zero_and_one_are_exact(tmp_path: Path) -> None:
    scores = torch.tensor([[[0.0, 1.0]]])
    save_maps(tmp_path / "a", ClassMaps((1,), scores, (1, 2)))
    assert torch.equal(load_maps(tmp_path / "a").scores, scores)


@pytest.mark.parametrize(
    ("classes", "shape", "size", "match"),
    [
        ((1, 2), (1, 3, 3), (3, 3), "2 classes and scores"),
        ((1,), (3, 3), (3, 3), "2 classes|1 classes and scores"),
        ((1, 1), (2, 3, 3), (3, 3), "repeat"),
        ((1,), (1, 3, 3), (0, 3), "size"),
    ],
)
def test_fields_must_fit(classes: tuple[int, ...], shape: tuple[int, ...], size: tuple[int, int], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        ClassMaps(classes, torch.zeros(shape), size)
    with pytest.raises(ValueError, match="not floating"):
        ClassMaps((1,), torch.zeros(1, 2, 2, dtype=torch.uint8), (2, 2))


@pytest.mark.parametrize("content", [b"", b"not a file of tensors", b"\xff" * 64])
def test_damaged_files_are_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    with pytest.raises(WeaksegError, match=r"a\.safetensors: damaged"):
        load_maps(path)


def test_truncated_and_missing_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_maps(path, example())
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(WeaksegError, match=r"a\.safetensors: damaged"):
        load_maps(path)
    with pytest.raises(WeaksegError, match=r"b\.safetensors: cannot be read \(No such file"):
        load_maps(tmp_path / "b.safetensors")


def test_other_tensors_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(save({"conv.weight": torch.zeros(2)}))
    with pytest.raises(WeaksegError, match=r"no class maps \(it holds conv.weight\)"):
        load_maps(path)
    fields = {"classes": torch.tensor([1, 2]), "scores": torch.zeros(1, 2, 2), "size": torch.tensor([2, 2])}
    path.write_bytes(save(fields))
    with pytest.raises(WeaksegError, match="2 classes and scores"):
        load_maps(path)


def test_levels_are_scores_in_steps_of_a_255th(tmp_path: Path) -> None:
    scores = torch.rand(3, 20, 30, generator=torch.Generator().manual_seed(0))
    for name in ("a.npz", "b.npz"):
        save_levels(tmp_path / name, ClassMaps((0, 2, 5), scores, (20, 30)))
    read = load_levels(tmp_path / "a.npz")
    assert (read.classes, read.size) == ((0, 2, 5), (20, 30))
    torch.testing.assert_close(read.scores, scores, rtol=0, atol=0.5001 / 255)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_damaged_levels_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    save_levels(path, ClassMaps((1,), torch.rand(1, 50, 50), (50, 50)))
    whole = path.read_bytes()
    for content in (whole[:100], b"", b"text", whole[:-200] + bytes(200)):
        path.write_bytes(content)
        with pytest.raises(WeaksegError, match=r"a\.npz: damaged"):
            load_levels(path)
    path.unlink()
    with pytest.raises(WeaksegError, match=r"a\.npz: cannot be read"):
        load_levels(path)
